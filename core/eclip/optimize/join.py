"""Joins the workers' points: every combination in a node that could beat the incumbent is looked at."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from eclip.optimize import bounds
from eclip.optimize.combinations import Best, Combinations, Ends
from eclip.optimize.mix import Terms, slowdown, stream_cost
from eclip.optimize.nodes import Node
from eclip.optimize.paths import Floats
from eclip.optimize.points import Ints
from eclip.optimize.problem import Objective, Problem


def join(
    problem: Problem, mix: list[Terms], node: Node, incumbent: Best, *, reach: float, stored: int, most: int
) -> tuple[Best, bool]:
    """The best combination in reach of an objective, or the incumbent; and whether all in reach were looked at.

    Gives up when more than `most` would have to be looked at, or more than `stored` of some of the workers kept.
    """
    inside = [
        np.flatnonzero(bounds.inside(problem, part, node, span)) for part, span in zip(mix, node.ranges, strict=True)
    ]
    if not all(len(index) for index in inside):
        return incumbent, True
    parts = [part.take(index) for part, index in zip(mix, inside, strict=True)]
    best, complete = _Join(problem, parts, node, reach).run(incumbent, stored, most)
    if best is incumbent:
        return incumbent, complete
    points = tuple(int(index[point]) for index, point in zip(inside, best.points, strict=True))
    return replace(best, points=points), complete


JoinUpTo = Callable[[Node, Best, float], tuple[Best, bool]]
"""Joins up to an objective: the incumbent after it, and whether all was looked at."""


def exhaust(node: Node, incumbent: Best, join_up_to: JoinUpTo, *, patient: bool) -> tuple[Best, float]:
    """Joins up to the incumbent, or as far as the effort allows; also what that proves about the node."""
    proven, part = node.lower_bound, 1.0
    if incumbent.excess > 0:
        incumbent, complete = join_up_to(node, incumbent, np.inf)
        if complete:
            return incumbent, np.inf
    while part > (1e-4 if patient else 0.5):
        target = incumbent.target(proven)
        if proven >= target:
            return incumbent, np.inf
        reach = proven + part * (target - proven)
        best, complete = join_up_to(node, incumbent, reach)
        improved = best.rank() < incumbent.rank()
        incumbent = best
        if complete and part == 1.0 and np.isfinite(incumbent.feasible):
            return incumbent, np.inf
        if complete:
            proven = reach
            if not improved:
                return incumbent, proven
        part = 1.0 if improved else part * 0.3
    return incumbent, proven


class _Join:
    def __init__(self, problem: Problem, mix: list[Terms], node: Node, reach: float) -> None:
        self._problem, self._mix, self._node = problem, mix, node
        bound = bounds.take_apart(problem, mix, node)
        self._left = bound.most(reach)
        kept = [
            np.flatnonzero((cost + rest <= self._left) & np.isfinite(cost + rest))
            for cost, rest in zip(bound.costs, bound.rest, strict=True)
        ]
        self._kept = [
            points[np.argsort(cost[points], kind="stable")] for points, cost in zip(kept, bound.costs, strict=True)
        ]
        self._costs = [cost[points] for cost, points in zip(bound.costs, self._kept, strict=True)]

    def run(self, incumbent: Best, stored: int, most: int) -> tuple[Best, bool]:
        if not all(len(points) for points in self._kept):
            return incumbent, True
        # The worker with most points comes last: its combinations are looked at and never stored.
        *order, last = sorted(range(len(self._mix)), key=lambda index: len(self._kept[index]))
        partial = _Partial({}, np.zeros(1))
        for position, index in enumerate(order):
            later = [*order[position + 1 :], last]
            left = self._left - sum(float(self._costs[worker][0]) for worker in later)
            if partial.pairs(self._costs[index], left) > stored:
                return incumbent, False
            partial = partial.grow(index, self._kept[index], self._costs[index], left)
            partial = _undominated(self._problem, self._mix, self._node, partial)
        if partial.pairs(self._costs[last], self._left) > most:
            return incumbent, False
        ends = Ends(last, self._kept[last], self._costs[last])
        found = Combinations(self._problem, self._mix).least(partial.chosen, partial.cost, ends, self._left)
        return (incumbent if found is None else min(incumbent, found, key=Best.rank)), True


@dataclass(frozen=True, slots=True, eq=False)
class _Partial:
    """Combinations of some of the workers: points by worker, and their summed costs."""

    chosen: dict[int, Ints]
    cost: Floats

    def pairs(self, costs: Floats, limit: float) -> int:
        """How many combinations with one more worker (costs ascending) stay within the limit."""
        return int(np.searchsorted(costs, limit - self.cost, side="right").sum())

    def grow(self, index: int, points: Ints, costs: Floats, limit: float) -> "_Partial":
        """All combinations with one more worker that stay within the limit."""
        counts = np.searchsorted(costs, limit - self.cost, side="right")
        left = np.repeat(np.arange(len(self.cost)), counts)
        right = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = {worker: at[left] for worker, at in self.chosen.items()}
        return _Partial({**chosen, index: points[right]}, self.cost[left] + costs[right])


def _undominated(problem: Problem, mix: list[Terms], node: Node, partial: _Partial) -> _Partial:
    """Drops combinations that another one beats in everything that later workers can see, where that is little."""
    coupled = problem.max_streams is not None or any(part.worker.latency_micros is not None for part in mix)
    if problem.objective is not Objective.FAIRNESS or coupled:
        return partial
    constant = float(slowdown(problem, node.low)) == float(slowdown(problem, node.high))
    free = not problem.hop_micros and not problem.stream_micros
    if not (constant or free):
        return partial
    share = np.sum([mix[index].share[points] for index, points in partial.chosen.items()], axis=0)
    price = _paid(mix, partial)
    own = price if free else _whole(problem, mix, partial)
    order = np.lexsort((own, share))
    lowest = np.minimum.accumulate(own[order])
    keep = np.ones(len(order), dtype=bool)
    keep[1:] = own[order][1:] < lowest[:-1]
    index = order[keep]
    index = index[np.argsort(partial.cost[index], kind="stable")]
    return _Partial({worker: at[index] for worker, at in partial.chosen.items()}, partial.cost[index])


def _paid(mix: list[Terms], partial: _Partial) -> Floats:
    """Weighted times alone."""
    times = [mix[index].worker.factor * mix[index].time[points] for index, points in partial.chosen.items()]
    return np.asarray(np.sum(times, axis=0))


def _whole(problem: Problem, mix: list[Terms], partial: _Partial) -> Floats:
    """Weighted times and costs where the slowdown is 1."""
    shared = stream_cost(problem)
    costs = [
        mix[index].worker.factor * (mix[index].time[points] + mix[index].toll[points])
        + shared * mix[index].further[points]
        for index, points in partial.chosen.items()
    ]
    return np.asarray(np.sum(costs, axis=0))
