"""The one place that says what given choices are worth. Both solvers are checked against it.

For worker w with sizes c_k, kernel times beta_k = times[k, c_k], K kernels:

    alpha   = max(0, sum_w average_w - total) / total                   (`Overlap.CORRECTED`)
    F       = sum_w (sizes in use by w - 1)                             further streams in use in the mix
    R_w     = (1 + alpha) sum_k beta_k + hop (switches_w + wrap_w) + stream K_w F

A size in use counts whether it is masked or the whole GPU: it is a hardware queue of its own either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eclip.optimize.problem import Choice, Objective, Problem, Worker, alpha


@dataclass(frozen=True, slots=True)
class WorkerEvaluation:
    """What the choices mean for one worker."""

    solo_micros: float
    """Sum of the kernels' times at their sizes, without contention."""
    average_compute_units: float
    switches: int
    wrap_switch: bool
    sizes_in_use: tuple[int, ...]
    """Indices of sizes, ascending."""
    masked_streams: int
    contended_micros: float
    """The paper's sum of e_k = beta_k (1 + alpha)."""
    request_micros: float
    """R_w: contention, hops and streams included. Latency objectives bound this."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the choices mean for the mix."""

    objective: float
    alpha: float
    workers: tuple[WorkerEvaluation, ...]
    violations: tuple[str, ...]
    """Constraints that do not hold, one sentence each."""


def evaluate(problem: Problem, choices: Sequence[Choice]) -> Evaluation:
    """Computes times, objective and violated constraints of one size per kernel and worker."""
    counts = [np.bincount(choice).tolist() for choice in choices]
    averages = [_average(worker, count) for worker, count in zip(problem.workers, counts, strict=True)]
    used = [tuple(size for size, kernels in enumerate(count) if kernels) for count in counts]
    slowdown = 1.0 + alpha(problem, averages)
    further = sum(len(sizes) - 1 for sizes in used)
    parts = tuple(
        _worker(problem, *worker, slowdown=slowdown, further=further)
        for worker in zip(problem.workers, choices, averages, used, strict=True)
    )
    value = objective(problem, [part.request_micros for part in parts], sum(averages))
    return Evaluation(value, slowdown - 1.0, parts, tuple(_violations(problem, parts)))


def objective(problem: Problem, requests: Sequence[float], lent: float) -> float:
    """The objective from the workers' request times R_w and the sum of their average sizes.

    With q_w = R_w / base_w and weights g_w:

        fairness             sum g_w q_w
        throughput, latency  sum g_w / sum (g_w / q_w)
        energy               (idle + cu_watts * min(total, lent)) / sum (g_w / q_w)

    The sum of g_w / q_w counts normalised requests per unit of time: with solo times as bases, seconds of solo work
    done per second, so that energy is joules per second of solo work; with base 1 it is microjoules per request.
    """
    quotients = [request / worker.base_micros for request, worker in zip(requests, problem.workers, strict=True)]
    weighted = list(zip((worker.weight for worker in problem.workers), quotients, strict=True))
    if problem.objective is Objective.FAIRNESS:
        return sum(weight * quotient for weight, quotient in weighted)
    done = sum(weight / quotient for weight, quotient in weighted)
    if problem.objective is Objective.ENERGY:
        assert problem.power is not None
        return (problem.power.idle_watts + problem.power.cu_watts * min(lent, problem.compute_units)) / done
    return problem.weight / done


def switches(choice: Choice) -> int:
    """Size changes between neighbouring kernels: equation (2)."""
    return int(np.count_nonzero(choice[1:] != choice[:-1]))


def _average(worker: Worker, counts: Sequence[int]) -> float:
    """From the kernels per size; the largest sizes may have no count."""
    return sum(size * kernels for size, kernels in zip(worker.sizes, counts, strict=False)) / worker.kernels


def _worker(
    problem: Problem,
    worker: Worker,
    choice: Choice,
    average: float,
    used: tuple[int, ...],
    *,
    slowdown: float,
    further: int,
) -> WorkerEvaluation:
    solo = float(worker.times[np.arange(worker.kernels), choice].sum())
    changes = switches(choice)
    wrap = bool(choice[0] != choice[-1])
    contended = slowdown * solo
    return WorkerEvaluation(
        solo_micros=solo,
        average_compute_units=average,
        switches=changes,
        wrap_switch=wrap,
        sizes_in_use=used,
        masked_streams=sum(problem.masked(worker, size) for size in used),
        contended_micros=contended,
        request_micros=contended
        + problem.hop_micros * (changes + wrap)
        + problem.stream_micros * worker.kernels * further,
    )


# Sums of hundreds of floats in another order differ in the last digits; a constraint is not broken by that.
TOLERANCE = 1e-9


def _violations(problem: Problem, parts: Sequence[WorkerEvaluation]) -> list[str]:
    found = []
    for worker, part in zip(problem.workers, parts, strict=True):
        if worker.max_switches is not None and part.switches > worker.max_switches:
            found.append(f"worker {worker.name}: {part.switches} switches, budget is {worker.max_switches}")
        limit = worker.latency_micros
        if limit is not None and part.request_micros > limit * (1 + TOLERANCE):
            found.append(f"worker {worker.name}: {part.request_micros:.1f} us, latency objective is {limit:.1f} us")
    streams = sum(part.masked_streams for part in parts)
    if problem.max_streams is not None and streams > problem.max_streams:
        found.append(f"{streams} masked streams, budget is {problem.max_streams}")
    return found
