"""The fast path against brute force, against itself by other means, and its lower bound against both."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclip.errors import InfeasibleError
from eclip.optimize import exact
from eclip.optimize.effort import Effort
from eclip.optimize.problem import Objective, Problem, Worker

SWEEP = Effort(front_labels=0)
"""As for models that are too large for exact fronts."""
MIXES = st.sampled_from([(1,), (5,), (2, 4), (3, 3), (1, 2, 2), (2, 2, 2)])
steady = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def solved(problem: Problem, effort: Effort | None = None) -> float:
    """The objective; infinite if infeasible. Checks that the answer is consistent in itself."""
    try:
        solution = exact.solve(problem, effort)
    except InfeasibleError:
        return np.inf
    assert solution.evaluation.violations == ()
    assert solution.lower_bound <= solution.objective
    return solution.objective


@pytest.mark.parametrize("objective", list(Objective))
@given(seed=st.integers(0, 10_000), kernels=MIXES)
@steady
def test_the_optimum_is_that_of_brute_force(
    build: Any, brute: Callable[[Problem], float], objective: Objective, seed: int, kernels: tuple[int, ...]
) -> None:
    problem = build(seed, kernels)
    if objective is Objective.LATENCY and all(worker.latency_micros is None for worker in problem.workers):
        objective = Objective.THROUGHPUT
    problem = replace(problem, objective=objective)

    assert solved(problem) == pytest.approx(brute(problem), rel=1e-9)


@given(seed=st.integers(0, 10_000), kernels=st.lists(st.integers(1, 25), min_size=1, max_size=3))
@steady
def test_swept_prices_lead_to_the_same_plan_and_never_to_a_false_bound(
    build: Any, seed: int, kernels: list[int]
) -> None:
    problem = build(seed, kernels, loose=True)
    whole, swept = exact.solve(problem), exact.solve(problem, SWEEP)

    assert whole.gap <= 1e-8
    assert swept.lower_bound <= whole.objective * (1 + 1e-9)
    assert swept.objective >= whole.objective * (1 - 1e-9)
    assert swept.gap <= 1e-3


def test_swept_prices_never_lead_to_a_false_bound_beside_latency_objectives(build: Any) -> None:
    """Objectives that bind: from just above the fastest request that there is to that of the free plan."""
    hasty = Effort(front_labels=0, latency_labels=2_000_000, combinations=100_000)
    bound = 0
    for seed in range(8):
        free = build(seed, (12, 9), loose=True)
        fast, slow = free.workers[0].times.min(axis=1).sum(), exact.solve(free).evaluation.workers[0].request_micros
        late = float(fast + (0.7 + 0.04 * seed) * (slow - fast))
        posed = replace(free, workers=(replace(free.workers[0], latency_micros=late), *free.workers[1:]))
        whole = solved(posed)
        try:
            swept = exact.solve(posed, hasty)
        except InfeasibleError as error:
            assert np.isinf(whole) or "not proven" in str(error), seed
            continue
        assert swept.lower_bound <= whole * (1 + 1e-9), seed
        assert swept.objective >= whole * (1 - 1e-9), seed
        assert swept.gap <= 0.05, seed
        bound += 1

    assert bound >= 3


@pytest.mark.parametrize("effort", [None, SWEEP])
def test_the_bound_is_valid_when_the_search_ends_at_once(build: Any, effort: Effort | None) -> None:
    problem = build(5, (20, 20, 20), loose=True)
    best = exact.solve(problem).objective
    hurried = exact.solve(problem, effort, expired=lambda: True)

    assert hurried.lower_bound <= best * (1 + 1e-12)
    assert hurried.objective >= best * (1 - 1e-12)


def test_prices_alone_miss_the_optimum_that_is_found() -> None:
    """Two workers that no price on CUs makes choose 45 + 15; the best by any price is 3.350."""
    tables = ([170.6, 155.3, 132.9, 100.0], [168.0, 168.0, 145.5, 100.0])
    workers = tuple(
        Worker(str(index), np.array([table]), (15, 30, 45, 60), base_micros=100.0, max_switches=0)
        for index, table in enumerate(tables)
    )
    solution = exact.solve(Problem(workers, 60))

    assert solution.objective == pytest.approx(3.009)
    assert [int(choice[0]) for choice in solution.choices] == [2, 0]
    assert solution.gap <= 1e-9


def test_two_hundred_non_convex_instances_are_solved_to_a_tenth_of_a_percent(
    build: Any, brute: Callable[[Problem], float]
) -> None:
    """Few choices a worker, where prices alone fail in 6 to 7 % of cases; the small ones against brute force, too."""
    compared = 0
    for seed in range(200):
        problem = build(seed, (1 + seed % 7, 2 + seed % 5, 3)[: 2 + seed % 2], loose=True)
        problem = replace(problem, workers=tuple(replace(worker, max_switches=seed % 2) for worker in problem.workers))
        solution = exact.solve(problem)
        assert solution.gap <= 1e-3, seed
        if math.prod(len(worker.sizes) ** worker.kernels for worker in problem.workers) <= 600:
            assert solution.objective == pytest.approx(brute(problem), rel=1e-9), seed
            compared += 1

    assert compared >= 30


def test_a_missing_switch_budget_is_a_budget_that_cannot_bind(build: Any) -> None:
    """70 kernels: too many for counting hops without a budget, so that both ways are taken."""
    problem = build(11, (70, 70), loose=True, hop_micros=3.0, stream_micros=0.0)
    free = replace(problem, workers=tuple(replace(worker, max_switches=None) for worker in problem.workers))
    counted = replace(problem, workers=tuple(replace(worker, max_switches=69) for worker in problem.workers))
    merged, exactly = exact.solve(free), exact.solve(counted)

    assert merged.lower_bound <= exactly.objective * (1 + 1e-9)
    assert merged.objective == pytest.approx(exactly.objective, rel=1e-3)
    assert merged.objective >= exactly.lower_bound * (1 - 1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latency_micros": 50.0}, r"worker a: latency objective 50.0 us is impossible.* us too long"),
        ({"sizes": (15, 30)}, "needs at least 2 masked streams, the budget is 1"),
    ],
)
def test_an_infeasible_problem_names_the_constraint_and_the_shortfall(change: dict[str, Any], message: str) -> None:
    times = np.array([[100.0, 60.0], [50.0, 40.0]])
    worker = Worker("a", times, change.pop("sizes", (30, 60)), max_switches=0)
    problem = Problem((replace(worker, **change), replace(worker, name="b")), 60, max_streams=1)
    with pytest.raises(InfeasibleError, match=message):
        exact.solve(problem)


def test_objectives_that_exclude_each_other_are_said_to(build: Any) -> None:
    times = np.array([[100.0, 60.0, 40.0]])
    workers = tuple(Worker(name, times, (15, 30, 60), latency_micros=55.0) for name in "ab")
    with pytest.raises(InfeasibleError, match="a, b cannot hold together"):
        exact.solve(Problem(workers, 60))


def test_workers_that_differ_only_in_their_ceilings_need_different_streams() -> None:
    """45 CUs are a masked stream for the first, and all that the second one has."""
    worker = Worker("a", np.array([[100.0, 60.0]]), (30, 45), max_switches=0)
    posed = Problem((worker, replace(worker, name="b", ceiling=45)), 60, max_streams=1)
    solution = exact.solve(posed)

    assert solution.evaluation.violations == ()
    assert [part.masked_streams for part in solution.evaluation.workers] == [1, 0]


def test_equal_problems_get_equal_plans(build: Any) -> None:
    first, second = (exact.solve(build(8, (30, 20), loose=True)) for _ in range(2))

    assert [choice.tolist() for choice in first.choices] == [choice.tolist() for choice in second.choices]
