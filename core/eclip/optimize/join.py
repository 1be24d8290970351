"""Joins the workers' points: every combination in a node that could beat the incumbent is looked at."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from eclip.optimize import bounds
from eclip.optimize.bounds import Node
from eclip.optimize.mix import Terms, slowdown, stream_cost, worth
from eclip.optimize.paths import Floats
from eclip.optimize.points import Ints
from eclip.optimize.problem import Objective, Problem

CHUNK = 1_000_000
"""Combinations evaluated at one time; bounds the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """A combination: one point per worker."""

    objective: float
    excess: float
    """0 if all constraints hold."""
    points: tuple[int, ...]

    def rank(self) -> tuple[float, float]:
        """Less missed comes first, then less objective."""
        return self.excess, self.objective


def descend(problem: Problem, mix: list[Terms], start: Best) -> Best:
    """Improves one worker at a time, given the others, until none can be improved."""
    best = start
    improved = True
    while improved:
        improved = False
        for index, part in enumerate(mix):
            chosen = [np.array([point]) for point in best.points]
            chosen[index] = np.arange(len(part))
            found = least(problem, mix, chosen)
            if found.rank() < best.rank():
                best, improved = found, True
    return best


def join(
    problem: Problem, mix: list[Terms], node: Node, incumbent: Best, *, limit: float, most: int
) -> tuple[Best, bool]:
    """The best combination of total cost <= limit, or the incumbent; and whether all were looked at.

    Gives up when more than `most` combinations of some of the workers would have to be looked at.
    """
    inside = [np.flatnonzero(bounds.inside(problem, part, node)) for part in mix]
    if not all(len(index) for index in inside):
        return incumbent, True
    parts = [part.take(index) for part, index in zip(mix, inside, strict=True)]
    best, complete = _Join(problem, parts, node, limit, most).run(incumbent)
    if best is incumbent:
        return incumbent, complete
    points = tuple(int(index[point]) for index, point in zip(inside, best.points, strict=True))
    return replace(best, points=points), complete


class _Join:
    def __init__(self, problem: Problem, mix: list[Terms], node: Node, limit: float, most: int) -> None:
        self._problem, self._mix, self._node, self._most = problem, mix, node, most
        bound = bounds.take_apart(problem, mix, node)
        self._left = limit - bound.constant
        kept = [
            np.flatnonzero((cost + rest <= self._left) & np.isfinite(cost + rest))
            for cost, rest in zip(bound.costs, bound.rest, strict=True)
        ]
        self._kept = [
            points[np.argsort(cost[points], kind="stable")] for points, cost in zip(kept, bound.costs, strict=True)
        ]
        self._costs = [cost[points] for cost, points in zip(bound.costs, self._kept, strict=True)]

    def run(self, incumbent: Best) -> tuple[Best, bool]:
        if not all(len(points) for points in self._kept):
            return incumbent, True
        first, *others = sorted(range(len(self._mix)), key=lambda index: len(self._kept[index]))
        partial = _Partial({first: self._kept[first]}, self._costs[first])
        for position, index in enumerate(others, start=1):
            left = self._left - sum(float(self._costs[later][0]) for later in others[position:])
            if partial.pairs(self._costs[index], left) > self._most:
                return incumbent, False
            if position == len(others):
                return self._finish(partial, index, incumbent), True
            partial = partial.grow(index, self._kept[index], self._costs[index], left)
            partial = _undominated(self._problem, self._mix, self._node, partial)
        return self._best_of(partial, incumbent), True

    def _finish(self, partial: "_Partial", index: int, incumbent: Best) -> Best:
        points, costs = self._kept[index], self._costs[index]
        for part in partial.parts(costs, self._left):
            incumbent = self._best_of(part.grow(index, points, costs, self._left), incumbent)
        return incumbent

    def _best_of(self, partial: "_Partial", incumbent: Best) -> Best:
        if not len(partial.cost):
            return incumbent
        found = least(self._problem, self._mix, [partial.chosen[index] for index in range(len(self._mix))])
        return min(incumbent, found, key=Best.rank)


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

    def parts(self, costs: Floats, limit: float) -> Iterator["_Partial"]:
        """Slices whose combinations with one more worker are about CHUNK."""
        counts = np.searchsorted(costs, limit - self.cost, side="right")
        pieces = np.cumsum(counts) // CHUNK
        for piece in np.unique(pieces):
            inside = pieces == piece
            yield _Partial({worker: at[inside] for worker, at in self.chosen.items()}, self.cost[inside])


def least(problem: Problem, mix: list[Terms], chosen: list[Ints]) -> Best:
    """The best of these combinations; chosen[w] holds indices into mix[w], broadcast together."""
    value = worth(problem, mix, chosen)
    fewest = value.excess.min()
    best = int(np.where(value.excess == fewest, value.objective, np.inf).argmin())
    at = tuple(int(index[best if len(index) > 1 else 0]) for index in chosen)
    return Best(float(value.objective[best]), float(value.excess[best]), at)


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
