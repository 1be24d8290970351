"""Every strategy does what its name says."""

import numpy as np
import pytest

from eclip.errors import InfeasibleError
from eclip.optimize import exact
from eclip.optimize.problem import Problem, Worker
from eclip.planning import strategies

SIZES = (15, 30, 60)
FLAT = np.tile([[42.0, 40.5, 40.0]], (6, 1))
STEEP = np.tile([[160.0, 80.0, 40.0]], (6, 1))
MIXED = np.concatenate([FLAT[:3], STEEP[:3]])
MEANS = strategies.Means(exact.solve, tolerance=0.05)


def problem(*tables: np.ndarray, **worker: object) -> Problem:
    workers = tuple(
        Worker(str(index), table, SIZES, 1.0, float(table[:, -1].sum()), **worker)  # type: ignore[arg-type]
        for index, table in enumerate(tables)
    )
    return Problem(workers, 60, hop_micros=1.0)


def chosen(name: str, posed: Problem, means: strategies.Means = MEANS) -> list[list[int]]:
    """CUs of every kernel."""
    solution = strategies.STRATEGIES[name](posed, means)
    return [np.asarray(SIZES)[choice].tolist() for choice in solution.choices]


def test_whole_gpu_gives_every_kernel_everything() -> None:
    assert chosen("whole-gpu", problem(FLAT, STEEP)) == [[60] * 6, [60] * 6]


def test_whole_gpu_refuses_a_worker_that_may_not_have_it() -> None:
    limited = Problem((Worker("a", FLAT[:, :2], SIZES[:2]),), 60)
    with pytest.raises(InfeasibleError, match="worker a may use at most 30 CUs"):
        strategies.whole_gpu(limited, MEANS)


@pytest.mark.parametrize("name", ["static-split", "static-split-env"])
def test_a_static_split_is_one_masked_size_a_worker(name: str) -> None:
    """30 + 30 fit side by side; 15 for the flat one would be no gain, and the whole GPU is not a part."""
    assert chosen(name, problem(FLAT, STEEP)) == [[30] * 6, [30] * 6]
    assert chosen(name, problem(FLAT)) == [[30] * 6]


def test_model_wise_takes_the_smallest_size_that_is_fast_enough_alone() -> None:
    assert chosen("model-wise", problem(FLAT, STEEP)) == [[15] * 6, [60] * 6]


def test_model_wise_by_the_papers_rule_allows_three_times_the_isolated_time() -> None:
    assert chosen("model-wise", problem(STEEP), strategies.Means(exact.solve, tolerance=2.0)) == [[30] * 6]


def test_model_wise_fails_where_its_only_choice_breaks_an_objective() -> None:
    with pytest.raises(InfeasibleError, match=r"no choice.*worker 0"):
        chosen("model-wise", problem(STEEP, latency_micros=100.0))


def test_per_kernel_ignores_the_switch_budget_and_kernel_groups_keep_it() -> None:
    alternating = np.stack([FLAT[0], STEEP[0]] * 4)
    posed = problem(alternating, alternating, max_switches=1)
    free = strategies.per_kernel(posed, MEANS)
    grouped = strategies.kernel_groups(posed, MEANS)

    assert max(worker.switches for worker in free.evaluation.workers) > 1
    assert max(worker.switches for worker in grouped.evaluation.workers) <= 1
    assert free.objective < grouped.objective


def test_kernel_groups_give_each_phase_its_own_size() -> None:
    first, second = chosen("kernel-groups", problem(MIXED, MIXED[::-1], max_switches=1))

    assert first[:3] == second[3:] == [15] * 3
    assert min(first[3:]) > 15
    assert min(second[:3]) > 15
