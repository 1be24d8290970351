"""The two solvers agree on every instance that both solve."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclip.errors import InfeasibleError
from eclip.optimize import exact, ilp
from eclip.optimize.problem import Objective, Problem, Worker

MIXES = st.sampled_from([(1,), (1, 1), (1, 1, 1), (8,), (4, 6), (3, 4, 3)])


@given(seed=st.integers(0, 10_000), kernels=MIXES)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_solvers_agree(build: Any, seed: int, kernels: tuple[int, ...]) -> None:
    """Latency objectives, tight stream budgets, switch budgets 0 to 2 and none, one kernel a worker included."""
    problem = build(seed, kernels)
    try:
        reference = ilp.solve(problem)
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            exact.solve(problem)
        return
    solution = exact.solve(problem)

    assert reference.evaluation.violations == ()
    assert solution.objective == pytest.approx(reference.objective, rel=1e-6)
    assert solution.lower_bound <= reference.objective * (1 + 1e-9)


def test_the_ilp_finds_what_prices_cannot() -> None:
    tables = ([170.6, 155.3, 132.9, 100.0], [168.0, 168.0, 145.5, 100.0])
    workers = tuple(
        Worker(str(index), np.array([table]), (15, 30, 45, 60), base_micros=100.0, max_switches=0)
        for index, table in enumerate(tables)
    )

    assert ilp.solve(Problem(workers, 60)).objective == pytest.approx(3.009)


@pytest.mark.parametrize("objective", [Objective.THROUGHPUT, Objective.ENERGY])
@given(seed=st.integers(0, 10_000), kernels=st.sampled_from([(1,), (1, 1), (1, 1, 1), (5,), (2, 3)]))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_solvers_agree_on_objectives_that_divide_by_times(
    build: Any, objective: Objective, seed: int, kernels: tuple[int, ...]
) -> None:
    problem = build(seed, kernels, objective=objective)
    if any(worker.latency_micros is not None for worker in problem.workers) and objective is Objective.THROUGHPUT:
        problem = replace(problem, objective=Objective.LATENCY)
    try:
        reference = ilp.solve(problem)
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            exact.solve(problem)
        return

    assert reference.evaluation.violations == ()
    assert exact.solve(problem).objective == pytest.approx(reference.objective, rel=1e-6)
    assert reference.gap == 0.0
