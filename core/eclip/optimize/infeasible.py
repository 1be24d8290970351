"""Says which constraint cannot hold, and by how much."""

import numpy as np

from eclip.optimize.combinations import Best
from eclip.optimize.mix import Terms, slowdown
from eclip.optimize.points import Front
from eclip.optimize.problem import Problem


def why(problem: Problem, fronts: list[Front], mix: list[Terms], closest: Best, lower_bound: float) -> str:
    """One line: the first constraint that is impossible by itself, else the closest that all together came.

    `lower_bound` is what the search proved about plans that hold all constraints: infinite if there are none.
    """
    said = _streams(problem, fronts)
    if said:
        return said
    if np.isfinite(lower_bound):
        return _not_found(problem, closest, lower_bound)
    return _alone(problem, mix) or _together(problem, closest)


def _streams(problem: Problem, fronts: list[Front]) -> str:
    if problem.max_streams is None:
        return ""
    needed = sum(int(front.masked.min()) for front in fronts)
    if needed <= problem.max_streams:
        return ""
    return f"the mix needs at least {needed} masked streams, the budget is {problem.max_streams}"


def _alone(problem: Problem, mix: list[Terms]) -> str:
    """A worker whose objective cannot hold even if all others yield."""
    least = [float(part.share.min()) for part in mix]
    for index, (worker, part) in enumerate(zip(problem.workers, mix, strict=True)):
        limit = worker.latency_micros
        if limit is None:
            continue
        others = sum(least) - least[index]
        rate = slowdown(problem, part.share + others)
        requests = rate * part.time + part.toll + problem.stream_micros * worker.kernels * part.further
        fastest = float(requests.min())
        if fastest > limit:
            beside = "" if len(mix) == 1 else " beside the others at their smallest sizes"
            return (
                f"worker {worker.name}: latency objective {limit:.1f} us is impossible, the fastest request found"
                f"{beside} takes {fastest:.1f} us, {fastest - limit:.1f} us too long"
            )
    return ""


def _together(problem: Problem, closest: Best) -> str:
    return (
        f"the latency objectives of {_bound_names(problem)} cannot hold together within the budgets: the closest plan "
        f"found misses them by {closest.excess:.1%} in all; relax one of them, "
        "or a switch or stream budget"
    )


def _not_found(problem: Problem, closest: Best, lower_bound: float) -> str:
    return (
        f"no plan was found that meets the latency objectives of {_bound_names(problem)} within the search's effort: "
        f"the closest misses them by {closest.excess:.1%} in all; that there is none is not proven, but "
        f"its objective would be at least {lower_bound:.4g}"
    )


def _bound_names(problem: Problem) -> str:
    return ", ".join(worker.name for worker in problem.workers if worker.latency_micros is not None)
