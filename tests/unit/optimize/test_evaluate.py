"""The one evaluation of choices."""

import numpy as np
import pytest

from eclip.errors import InputError
from eclip.optimize.evaluate import evaluate
from eclip.optimize.problem import Objective, Overlap, Power, Problem, Worker

TIMES = np.array([[40.0, 20.0, 10.0], [8.0, 8.0, 8.0], [30.0, 20.0, 16.0]])
SIZES = (15, 30, 60)


def two(**fixed: object) -> Problem:
    workers = (Worker("a", TIMES, SIZES), Worker("b", TIMES * 2, SIZES))
    return Problem(workers, 60, **fixed)  # type: ignore[arg-type]


def test_without_costs_the_objective_is_the_papers_sum_exactly() -> None:
    """Sum over workers and kernels of beta (1 + alpha), alpha = (45 + 40 - 60) / 60."""
    found = evaluate(two(), [np.array([2, 0, 2]), np.array([1, 1, 2])])

    assert found.alpha == pytest.approx((45 + 40 - 60) / 60)
    assert found.objective == pytest.approx((10 + 8 + 16 + 2 * (20 + 8 + 16)) * (1 + 25 / 60))


def test_the_printed_overlap_is_the_sum_of_averages() -> None:
    found = evaluate(two(overlap=Overlap.PRINTED), [np.array([1, 1, 1]), np.array([1, 1, 1])])

    assert found.alpha == pytest.approx(1.0)


def test_disjoint_halves_do_not_slow_each_other() -> None:
    assert evaluate(two(), [np.array([1, 1, 1]), np.array([1, 1, 1])]).alpha == 0.0


def test_hops_and_further_streams_are_charged_to_every_worker() -> None:
    """a: two switches, no wrap, two sizes; b: one switch and the wrap, two sizes; so two further streams."""
    found = evaluate(two(hop_micros=5.0, stream_micros=0.5), [np.array([0, 1, 0]), np.array([0, 1, 1])])
    a, b = found.workers

    assert (a.switches, a.wrap_switch, b.switches, b.wrap_switch) == (2, False, 1, True)
    assert a.request_micros == pytest.approx(40 + 8 + 30 + 2 * 5 + 0.5 * 3 * 2)
    assert b.request_micros == pytest.approx(2 * (40 + 8 + 20) + 2 * 5 + 0.5 * 3 * 2)


def test_violations_name_the_worker_the_value_and_the_limit() -> None:
    workers = (Worker("a", TIMES, SIZES, latency_micros=50.0, max_switches=0), Worker("b", TIMES, SIZES))
    found = evaluate(Problem(workers, 60, max_streams=1), [np.array([0, 1, 1]), np.array([0, 0, 0])])

    assert len(found.violations) == 3
    assert "worker a: 1 switches, budget is 0" in found.violations
    assert "3 masked streams, budget is 1" in found.violations


def test_throughput_is_the_weighted_harmonic_mean_of_normalised_times() -> None:
    workers = (Worker("a", TIMES, SIZES, 1.0, 34.0), Worker("b", TIMES, SIZES, 3.0, 34.0))
    found = evaluate(Problem(workers, 60, objective=Objective.THROUGHPUT), [np.array([2, 2, 2]), np.array([1, 1, 1])])

    assert found.objective == pytest.approx(4 / (1 / (34 * 1.5 / 34) + 3 / (48 * 1.5 / 34)))


def test_energy_is_power_over_solo_work_done_per_second() -> None:
    problem = Problem((Worker("a", TIMES, SIZES, 1.0, 34.0),), 60, objective=Objective.ENERGY, power=Power(20.0, 2.0))

    assert evaluate(problem, [np.array([1, 1, 1])]).objective == pytest.approx((20 + 2 * 30) * 48 / 34)


@pytest.mark.parametrize(
    ("worker", "message"),
    [
        (lambda: Worker("a", TIMES, (15, 30)), "2 sizes"),
        (lambda: Worker("a", TIMES, (30, 15, 60)), "ascending"),
        (lambda: Worker("a", -TIMES, SIZES), "positive"),
        (lambda: Worker("a", TIMES, SIZES, weight=0.0), "weight 0.0"),
        (lambda: Worker("a", TIMES, SIZES, max_switches=-1), "switch budget -1"),
        (lambda: Problem((Worker("a", TIMES, SIZES),), 45), "larger than the GPU's 45"),
        (lambda: two(objective=Objective.LATENCY), "latency objective"),
        (lambda: two(hop_micros=-1.0), "hop cost -1.0"),
    ],
)
def test_senseless_input_is_refused_by_name(worker: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        worker()  # type: ignore[operator]
