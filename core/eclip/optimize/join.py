"""Joins the workers' points: every combination in a node that could beat the incumbent is looked at."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eclip.optimize.bounds import Bound, Node
from eclip.optimize.fronts import Ints
from eclip.optimize.mix import Terms, slowdown, stream_cost, worth
from eclip.optimize.paths import Floats
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

    def beats(self, other: "Best") -> bool:
        """Less missed, then less objective."""
        return (self.excess, self.objective) < (other.excess, other.objective)


def descend(problem: Problem, mix: list[Terms], start: Best) -> Best:
    """Improves one worker at a time, given the others, until none can be improved."""
    best = start
    improved = True
    while improved:
        improved = False
        for index, part in enumerate(mix):
            chosen = [np.array([point]) for point in best.points]
            chosen[index] = np.arange(len(part))
            found = _least(problem, mix, chosen)
            if found.beats(best):
                best, improved = found, True
    return best


def combinations_within(bound: Bound, limit: float, most: int) -> list[Ints] | None:
    """Points of every worker that may take part in a combination of total cost <= limit.

    None if the combinations that a join would look at are more than `most`.
    """
    kept = [
        np.flatnonzero((cost + rest + bound.constant <= limit) & np.isfinite(cost + rest))
        for cost, rest in zip(bound.costs, bound.rest, strict=True)
    ]
    count = 1
    for points in sorted(map(len, kept))[-2:]:
        count *= points
    return kept if count <= most else None


def join(
    problem: Problem, mix: list[Terms], node: Node, bound: Bound, limit: float, incumbent: Best, most: int
) -> tuple[Best, bool]:
    """The best combination of total cost <= limit, or the incumbent; and whether all were looked at.

    Gives up after `most` combinations.
    """
    kept = combinations_within(bound, limit, most)
    if kept is None:
        return incumbent, False
    if not all(len(points) for points in kept):
        return incumbent, True
    order = sorted(range(len(mix)), key=lambda index: len(kept[index]))
    kept = [points[np.argsort(bound.costs[index][points], kind="stable")] for index, points in enumerate(kept)]
    partial = _Partial({order[0]: kept[order[0]]}, bound.costs[order[0]][kept[order[0]]])
    left = limit - bound.constant
    for position, index in enumerate(order[1:], start=1):
        later = sum(float(bound.costs[other][kept[other]].min()) for other in order[position + 1 :])
        costs = bound.costs[index][kept[index]]
        if partial.pairs(costs, left - later) > most:
            return incumbent, False
        if position == len(order) - 1:
            return _finish(problem, mix, partial, index, kept[index], costs, left, incumbent), True
        partial = partial.grow(index, kept[index], costs, left - later)
        partial = _undominated(problem, mix, node, partial)
    return _best_of(problem, mix, partial.chosen, incumbent), True


@dataclass(frozen=True, slots=True, eq=False)
class _Partial:
    """Combinations of some of the workers: points by worker, and their summed costs."""

    chosen: dict[int, Ints]
    cost: Floats

    def pairs(self, costs: Floats, limit: float) -> int:
        """How many combinations with one more worker (costs ascending) stay within the limit."""
        return int(np.searchsorted(costs, limit - self.cost, side="right").sum())

    def grow(self, index: int, points: Ints, costs: Floats, limit: float) -> "_Partial":
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


def _finish(
    problem: Problem,
    mix: list[Terms],
    partial: _Partial,
    index: int,
    points: Ints,
    costs: Floats,
    limit: float,
    incumbent: Best,
) -> Best:
    for part in partial.parts(costs, limit):
        incumbent = _best_of(problem, mix, part.grow(index, points, costs, limit).chosen, incumbent)
    return incumbent


def _best_of(problem: Problem, mix: list[Terms], chosen: dict[int, Ints], incumbent: Best) -> Best:
    if not len(chosen[0]):
        return incumbent
    found = _least(problem, mix, [chosen[index] for index in range(len(mix))])
    return found if found.beats(incumbent) else incumbent


def _least(problem: Problem, mix: list[Terms], chosen: list[Ints]) -> Best:
    value = worth(problem, mix, chosen)
    least = value.excess.min()
    best = int(np.where(value.excess == least, value.objective, np.inf).argmin())
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
