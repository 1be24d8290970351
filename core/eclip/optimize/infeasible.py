"""Says which constraint cannot hold, and by how much."""

import numpy as np

from eclip.optimize.join import Best
from eclip.optimize.mix import Terms, slowdown, worth
from eclip.optimize.points import Front
from eclip.optimize.problem import Problem


def why(problem: Problem, fronts: list[Front], mix: list[Terms], closest: Best, *, proven: bool) -> str:
    """One line: the first constraint that is impossible by itself, else the closest that all together came."""
    return _streams(problem, fronts) or _alone(problem, mix) or _together(problem, mix, closest, proven=proven)


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
    for index, part in enumerate(mix):
        limit = part.worker.latency_micros
        if limit is None:
            continue
        others = sum(least) - least[index]
        rate = slowdown(problem, part.share + others)
        requests = rate * part.time + part.toll + problem.stream_micros * part.worker.kernels * part.further
        fastest = float(requests.min())
        if fastest > limit:
            beside = "" if len(mix) == 1 else " beside the others at their smallest sizes"
            return (
                f"worker {part.worker.name}: latency objective {limit:.1f} us is impossible, the fastest request"
                f"{beside} takes {fastest:.1f} us, {fastest - limit:.1f} us too long"
            )
    return ""


def _together(problem: Problem, mix: list[Terms], closest: Best, *, proven: bool) -> str:
    names = ", ".join(part.worker.name for part in mix if part.worker.latency_micros is not None)
    chosen = [np.array([point]) for point in closest.points]
    missed = float(worth(problem, mix, chosen).excess[0])
    verdict = "cannot hold together" if proven else "were not met by any plan found"
    return (
        f"the latency objectives of {names} {verdict} within the budgets: the closest plan misses them by "
        f"{missed:.1%} in all; relax one of them, or a switch or stream budget"
    )
