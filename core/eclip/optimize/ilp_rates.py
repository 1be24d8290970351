"""Rates in the ILP: 1 / R_w as variables, so that objectives that divide by times are linear in them.

For each worker w, v = fastest / R_w in [0, 1], where `fastest` is the sum of its kernels' least times. Everything in
R_w v = fastest is a binary times v, or alpha times v, which is such products again:

- xv[k,c] = x[k,c] v: at most x, and its sum over c is v. Exact, as x is binary.
- |x[k,c] - x[k-1,c]| v and u[c] v: the least values above the differences, or the values, of xv.
- alpha v >= overlap v, which is a sum of xv over all workers.
- x[k,c] (1 + alpha) v as xv, with (1 + alpha) v in the place of v.

Larger v is better in every objective, so R_w v <= fastest is enough.
"""

from dataclasses import dataclass
from typing import Any

import pulp

from eclip.optimize.problem import Overlap, Problem, Worker


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The binary variables of one worker, [kernels][sizes]."""

    worker: Worker
    x: list[list[Any]]


def rates(program: pulp.LpProblem, problem: Problem, mix: list[Chosen], largest_alpha: float) -> Any:
    """Adds what ties v to x, and returns the sum of weight * base / R_w over the workers, an expression in v."""
    done = []
    for index, own in enumerate(mix):
        fastest = float(own.worker.times.min(axis=1).sum())
        v = program.add_variable(f"v_{index}", 0, 1)
        scaled = [_times(program, chosen, v, 1.0, f"xv_{index}_{other}") for other, chosen in enumerate(mix)]
        slowed = program.add_variable(f"av_{index}", 0, largest_alpha)
        program += slowed >= _overlap(problem, mix, scaled, v)
        whole = _times(program, own, v + slowed, 1.0 + largest_alpha, f"p_{index}")
        kernels, sizes = range(own.worker.kernels), range(len(own.worker.sizes))
        request = pulp.lpSum(own.worker.times[k, c] * whole[k][c] for k in kernels for c in sizes)
        if problem.hop_micros:
            request += problem.hop_micros * _hops(program, scaled[index], f"yv_{index}")
        if problem.stream_micros:
            further = [_used(program, part, f"uv_{index}_{other}") - v for other, part in enumerate(scaled)]
            request += problem.stream_micros * own.worker.kernels * pulp.lpSum(further)
        # Divided by `fastest`, so that the solver's tolerance means the same for all.
        program += request * (1.0 / fastest) <= 1.0
        done.append(own.worker.worth / fastest * v)
    return pulp.lpSum(done)


def _times(program: pulp.LpProblem, chosen: Chosen, v: Any, most: float, name: str) -> list[list[Any]]:
    """x[k,c] v, where v is at most `most`."""
    found = []
    for k, row in enumerate(chosen.x):
        products = [program.add_variable(f"{name}_{k}_{c}", 0, most) for c in range(len(row))]
        for x, product in zip(row, products, strict=True):
            program += product <= most * x
        program += pulp.lpSum(products) == v
        found.append(products)
    return found


def _overlap(problem: Problem, mix: list[Chosen], scaled: list[list[list[Any]]], v: Any) -> Any:
    """Overlap over the GPU's CUs, times v."""
    share = pulp.lpSum(
        size / (chosen.worker.kernels * problem.compute_units) * product
        for chosen, part in zip(mix, scaled, strict=True)
        for row in part
        for size, product in zip(chosen.worker.sizes, row, strict=True)
    )
    return share - v if problem.overlap is Overlap.CORRECTED else share


def _hops(program: pulp.LpProblem, part: list[list[Any]], name: str) -> Any:
    """Switches and the wrap, times v."""
    turns = []
    for k, row in enumerate(part):
        for c, product in enumerate(row):
            turn = program.add_variable(f"{name}_{k}_{c}", 0, 1)
            program += turn >= product - part[k - 1][c]
            program += turn >= part[k - 1][c] - product
            turns.append(turn)
    return pulp.lpSum(turns) / 2


def _used(program: pulp.LpProblem, part: list[list[Any]], name: str) -> Any:
    """Sizes in use, times v."""
    used = [program.add_variable(f"{name}_{c}", 0, 1) for c in range(len(part[0]))]
    for row in part:
        for size, product in zip(used, row, strict=True):
            program += size >= product
    return pulp.lpSum(used)
