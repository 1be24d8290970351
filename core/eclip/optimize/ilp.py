"""The reference: the paper's program as a mixed-integer linear program, in PuLP, solved by HiGHS with gap 0.

Numbers in brackets are the paper's equations (ECLIP, arXiv 2506.12598). Two things there are not linear:

- |x[k,c] - x[k-1,c]| in (2) becomes the least y with y >= both differences.
- beta (1 + alpha) in (4) multiplies two expressions in x. With z[k,c] = x[k,c] alpha it is linear; z is exact because
  x is binary: z <= bound x, sum_c z[k,c] = alpha, and one c per kernel has x = 1.

The objectives that divide by times are not the paper's; `ilp_rates` makes them linear in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pulp

from eclip.errors import EclipError, InfeasibleError
from eclip.optimize import ilp_rates
from eclip.optimize.evaluate import evaluate
from eclip.optimize.problem import Objective, Overlap, Problem, Worker
from eclip.optimize.solution import Solution


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """One worker's variables and the expressions in them."""

    worker: Worker
    x: list[list[Any]]
    """Kernel k runs with size c."""
    switch_total: Any
    hops: Any
    """Switches and the wrap."""
    used: list[Any]
    """Some kernel runs with size c."""
    average: Any
    request: Any
    """Sum of e[k]."""


def solve(problem: Problem, time_limit_s: float | None = None) -> Solution:
    """Least objective within the constraints; the time limit is for every program that is solved on the way.

    Raises InfeasibleError: no choices hold all constraints.
    """
    program = pulp.LpProblem("eclip", pulp.LpMinimize)
    alpha = program.add_variable("alpha", 0, _largest_alpha(problem))
    models = [_model(program, worker, str(index), alpha) for index, worker in enumerate(problem.workers)]
    further = pulp.lpSum(pulp.lpSum(model.used) - 1 for model in models)
    requests = [
        model.request + problem.hop_micros * model.hops + problem.stream_micros * model.worker.kernels * further
        for model in models
    ]
    for constraint in _coupling(problem, models, requests, alpha):
        program += constraint
    if problem.objective is Objective.FAIRNESS:
        total = pulp.lpSum(model.worker.factor * time for model, time in zip(models, requests, strict=True))
        return _solution(problem, models, _least(program, total, time_limit_s))
    mix = [ilp_rates.Chosen(model.worker, model.x) for model in models]
    done = ilp_rates.rates(program, problem, mix, alpha.upBound)
    if problem.objective is not Objective.ENERGY:
        bound = _least(program, -1 * done, time_limit_s)
        return _solution(problem, models, None if bound is None else problem.weight / max(-bound, 1e-300))
    return _least_energy(problem, program, models, done, time_limit_s)


def _least_energy(
    problem: Problem, program: pulp.LpProblem, models: list[_Model], done: Any, time_limit_s: float | None
) -> Solution:
    """Power over work done, by Dinkelbach's method: the least power - ratio * work is 0 at the best ratio.

    That of any ratio gives a plan that is better than the ratio, or proves that there is none.
    """
    assert problem.power is not None
    power = _power(problem, program, models)
    ratio, best = 0.0, None
    while True:
        bound = _least(program, power - ratio * done, time_limit_s)
        found = _solution(problem, models, None)
        if best is not None and found.objective >= best.objective * (1 - 1e-9):
            return (
                best
                if bound is None
                else replace(best, lower_bound=min(best.objective, _least_ratio(problem, ratio, bound)))
            )
        best, ratio = found, found.objective


def _least_ratio(problem: Problem, ratio: float, bound: float) -> float:
    """No plan has less energy, if none has less power - ratio * work than the bound (at most 0)."""
    assert problem.power is not None
    lent = min(float(problem.compute_units), float(sum(worker.sizes[0] for worker in problem.workers)))
    least = problem.power.idle_watts + problem.power.cu_watts * lent
    return ratio * least / (least - min(0.0, bound))


def _power(problem: Problem, program: pulp.LpProblem, models: list[_Model]) -> Any:
    """The chip's draw: b is the lesser of the CUs lent and those that there are."""
    assert problem.power is not None
    lent = pulp.lpSum(model.average for model in models)
    most = float(sum(worker.sizes[-1] for worker in problem.workers))
    busy = program.add_variable("b", 0, problem.compute_units)
    all_busy = program.add_variable("all_busy", cat=pulp.LpBinary)
    program += busy >= lent - most * all_busy
    program += busy >= problem.compute_units * all_busy
    return problem.power.idle_watts + problem.power.cu_watts * busy


def _least(program: pulp.LpProblem, objective: Any, time_limit_s: float | None) -> float | None:
    """Solves the program for this objective: None if to the end, else the bound that was proven."""
    program.setObjective(objective)
    limit = {} if time_limit_s is None else {"timeLimit": time_limit_s}
    program.solve(pulp.HiGHS(msg=False, gapRel=0.0, gapAbs=0.0, threads=1, **limit))
    if program.status == pulp.LpStatusInfeasible:
        raise InfeasibleError("the ILP has no solution: the objectives, limits and budgets cannot hold together")
    if program.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        raise EclipError(f"HiGHS found no plan (status {pulp.LpStatus[program.status]}); give it more time")
    if program.sol_status == pulp.LpSolutionOptimal:
        return None
    bound = float(program.solverModel.getInfo().mip_dual_bound)
    return bound if np.isfinite(bound) else -np.inf


def _model(program: pulp.LpProblem, worker: Worker, name: str, alpha: Any) -> _Model:
    kernels, sizes = range(worker.kernels), range(len(worker.sizes))
    x = [[program.add_variable(f"x_{name}_{k}_{c}", cat=pulp.LpBinary) for c in sizes] for k in kernels]
    y = [[program.add_variable(f"y_{name}_{k}_{c}", 0, 1) for c in sizes] for k in kernels]
    z = [[program.add_variable(f"z_{name}_{k}_{c}", 0) for c in sizes] for k in kernels]
    used = [program.add_variable(f"u_{name}_{c}", 0, 1) for c in sizes]
    for k in kernels:
        program += pulp.lpSum(x[k]) == 1  # (1)
        program += pulp.lpSum(z[k]) == alpha
        for c in sizes:
            program += y[k][c] >= x[k][c] - x[k - 1][c]  # (2); k = 0 is the wrap, from the last kernel
            program += y[k][c] >= x[k - 1][c] - x[k][c]
            program += z[k][c] <= alpha.upBound * x[k][c]
            program += used[c] >= x[k][c]
    beta = pulp.lpSum(worker.times[k, c] * x[k][c] for k in kernels for c in sizes)  # (5)
    slowed = pulp.lpSum(worker.times[k, c] * z[k][c] for k in kernels for c in sizes)
    return _Model(
        worker=worker,
        x=x,
        switch_total=pulp.lpSum(y[k][c] for k in kernels[1:] for c in sizes) / 2,
        hops=pulp.lpSum(y[k][c] for k in kernels for c in sizes) / 2,
        used=used,
        average=pulp.lpSum(worker.sizes[c] * x[k][c] for k in kernels for c in sizes) / worker.kernels,  # (7)
        request=beta + slowed,  # (4): the sum of beta (1 + alpha)
    )


def _coupling(problem: Problem, models: list[_Model], requests: list[Any], alpha: Any) -> Iterator[Any]:
    overlap = pulp.lpSum(model.average for model in models)  # (8)
    if problem.overlap is Overlap.CORRECTED:
        overlap = overlap - problem.compute_units
    yield alpha * problem.compute_units >= overlap  # (6); no objective falls when alpha grows, so the least will do
    for model, request in zip(models, requests, strict=True):
        if model.worker.max_switches is not None:
            yield model.switch_total <= model.worker.max_switches  # (3)
        if model.worker.latency_micros is not None:
            yield request <= model.worker.latency_micros
    if problem.max_streams is not None:
        masked = [
            model.used[c] for model in models for c in range(len(model.worker.sizes)) if problem.masked(model.worker, c)
        ]
        yield pulp.lpSum(masked) <= problem.max_streams


def _largest_alpha(problem: Problem) -> float:
    most = sum(worker.sizes[-1] for worker in problem.workers)
    if problem.overlap is Overlap.CORRECTED:
        most = max(0, most - problem.compute_units)
    return most / problem.compute_units


def _solution(problem: Problem, models: list[_Model], bound: float | None) -> Solution:
    choices = tuple(
        np.array([max(range(len(row)), key=lambda c: row[c].value()) for row in model.x], dtype=np.intp)
        for model in models
    )
    evaluation = evaluate(problem, choices)
    return Solution(choices, evaluation, evaluation.objective if bound is None else min(bound, evaluation.objective))
