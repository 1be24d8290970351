"""How a mix may be shared: one table of strategies, one function each. Pure.

Each takes the problem as the user posed it and answers with sizes for every kernel, their worth and a lower bound
*within the strategy* (one that leaves no choice is its own bound).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from eclip.errors import InfeasibleError
from eclip.optimize.evaluate import evaluate
from eclip.optimize.problem import Choice, Problem, Worker
from eclip.optimize.solution import Solution


@dataclass(frozen=True, slots=True)
class Means:
    """What a strategy may use."""

    solve: Callable[[Problem], Solution]
    """The optimiser."""
    tolerance: float
    """`model_wise`: a model's time may exceed that on its largest size by this fraction. The paper's rule for its
    model-wise scheme (three times the isolated tail latency) is 2.0."""


Strategy = Callable[[Problem, Means], Solution]


def whole_gpu(problem: Problem, _means: Means) -> Solution:
    """Plain sharing: every worker on its own stream, all CUs that it can reach (the paper's baseline)."""
    for worker in problem.workers:
        if problem.masked(worker, len(worker.sizes) - 1):
            raise InfeasibleError(
                f"worker {worker.name} may use at most {worker.sizes[-1]} CUs; whole-gpu needs "
                f"{worker.ceiling or problem.compute_units}"
            )
    return _fixed(problem, [_constant(worker, len(worker.sizes) - 1) for worker in problem.workers])


def static_split(problem: Problem, means: Means) -> Solution:
    """One masked stream a worker, no switches, sizes by the optimiser."""
    return means.solve(replace(problem, workers=tuple(_masked(problem, worker) for worker in problem.workers)))


def model_wise(problem: Problem, means: Means) -> Solution:
    """Every model on the smallest size that is fast enough for it alone, whatever its mates do."""
    sizes = []
    for worker in problem.workers:
        totals = worker.times.sum(axis=0)
        sizes.append(_constant(worker, int(np.argmax(totals <= totals[-1] * (1 + means.tolerance)))))
    return _fixed(problem, sizes)


def per_kernel(problem: Problem, means: Means) -> Solution:
    """Every kernel on the size that suits the mix, without a budget of switches."""
    return means.solve(
        replace(problem, workers=tuple(replace(worker, max_switches=None) for worker in problem.workers))
    )


def kernel_groups(problem: Problem, means: Means) -> Solution:
    """ECLIP: groups of consecutive kernels, within the budget of switches."""
    return means.solve(problem)


STRATEGIES: Mapping[str, Strategy] = MappingProxyType(
    {
        "whole-gpu": whole_gpu,
        "static-split": static_split,
        # The same sizes, but set by HSA_CU_MASK when the program starts, as HAMi does: cannot be left at run time.
        "static-split-env": static_split,
        "model-wise": model_wise,
        "per-kernel": per_kernel,
        "kernel-groups": kernel_groups,
    }
)


def _constant(worker: Worker, size: int) -> Choice:
    return np.full(worker.kernels, size, dtype=np.intp)


def _fixed(problem: Problem, choices: list[Choice]) -> Solution:
    evaluation = evaluate(problem, choices)
    if evaluation.violations:
        raise InfeasibleError(f"this strategy leaves no choice, and {evaluation.violations[0]}")
    return Solution(tuple(choices), evaluation, evaluation.objective)


def _masked(problem: Problem, worker: Worker) -> Worker:
    # A ceiling is a mask as well.
    sizes = [size for size in range(len(worker.sizes)) if worker.ceiling or problem.masked(worker, size)]
    if not sizes:
        raise InfeasibleError(f"worker {worker.name}: a static split needs a size below {problem.compute_units} CUs")
    return replace(
        worker, times=worker.times[:, sizes], sizes=tuple(worker.sizes[size] for size in sizes), max_switches=0
    )
