"""What one worker can choose from: time against CUs and hops, for every set of sizes in use.

A front is *exact* (every choice worth having is a point of it) or *swept* (points found at a few prices per CU, with
corners that lie below every choice in between). Nothing here depends on the other workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from eclip.optimize.paths import Floats, Paths, Reached, Sweep, Window
from eclip.optimize.points import Front, Points
from eclip.optimize.problem import Problem, Worker
from eclip.optimize.sheets import worthwhile

FULL_BUDGET = 48
"""Up to so many kernels a missing switch budget is treated as one of kernels - 1, which says the same."""


def subsets(problem: Problem, worker: Worker) -> list[tuple[int, ...]]:
    """Sets of sizes in use that can matter, small ones first.

    If further sizes cost nothing and the stream budget cannot bind, the set of all sizes stands for all.
    """
    indices = range(len(worker.sizes))
    if not problem.stream_micros and not budget_can_bind(problem):
        return [tuple(indices)]
    every = (subset for count in range(1, len(worker.sizes) + 1) for subset in combinations(indices, count))
    budget = len(worker.sizes) if problem.max_streams is None else problem.max_streams
    # The whole GPU costs no masked stream: where sizes cost nothing else, every set may have it.
    whole = () if problem.stream_micros else tuple(size for size in indices if not problem.masked(worker, size))
    found = [
        subset
        for subset in every
        if sum(problem.masked(worker, size) for size in subset) <= budget and set(whole) <= set(subset)
    ]
    # Not even one masked stream, but no other way: kept, so that the search can say what is missing.
    return found or [(size,) for size in indices]


def exact_front(problem: Problem, worker: Worker, labels: int) -> Front | None:
    """Every choice worth having, or None if that takes more than `labels` partial paths for a set of sizes."""
    front = _empty(problem, worker, slowdown=1.0)
    if front.merged or front.paths[-1].likely_labels > labels:
        return None
    found = []
    for paths in front.paths:
        searched = paths.front(Window(max_labels=labels))
        if searched is None:
            return None
        found.append(searched)
    points = worthwhile(problem, worker, front, found, price=0.0, hop_micros=problem.hop_micros)
    return replace(front, points=points, corners=points, exact=True)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """A front's sweeps at ascending prices, in microseconds per CU and kernel."""

    front: Front
    prices: Floats
    sweeps: tuple[Sweep, ...]
    """Per set of sizes."""

    def swept(self) -> Front:
        """The front with the points found, and corners below all others."""
        parts = [_swept_points(sweep, self.prices, paths, index) for index, sweep, paths in self._sets()]
        return replace(self.front, points=Points.join(parts), corners=self.corners())

    def corners(self) -> Points:
        """Points below all that the worker can do."""
        return Points.join([_corners(sweep, self.prices, paths, index) for index, sweep, paths in self._sets()])

    def _sets(self) -> list[tuple[int, Sweep, Paths]]:
        return [(index, *pair) for index, pair in enumerate(zip(self.sweeps, self.front.paths, strict=True))]


def price_out(problem: Problem, worker: Worker, prices: Floats, slowdown: float = 1.0) -> Prices:
    """Sweeps a worker's front.

    Without a switch budget the corners hold where the contention (1 + alpha) is at most `slowdown`.
    """
    front = _empty(problem, worker, slowdown)
    return Prices(front, prices, tuple(paths.sweep(prices) for paths in front.paths))


def windowed(
    problem: Problem, worker: Worker, front: Front, *, hop_micros: float, price: float, limits: Floats, labels: int
) -> tuple[Points, int] | None:
    """The choices whose time + hop_micros * hops + price * area is within the limit of their set of sizes.

    Also tells the partial paths looked at; None if more than `labels` would be needed. Where hops have no classes, that
    is, of every area, the choice of least time + hop_micros * hops. A negative limit: no choice of this set.
    """
    found: list[Reached | None] = []
    spent = 0
    for paths, limit in zip(front.paths, limits, strict=True):
        if limit < 0:
            found.append(None)
            continue
        searched = paths.at(hop_micros).front(Window(price, float(limit), max(0, labels - spent)))
        if searched is None:
            return None
        found.append(searched)
        spent += searched.labels
    return worthwhile(problem, worker, front, found, price=price, hop_micros=hop_micros), spent


def budget_can_bind(problem: Problem) -> bool:
    """Whether all sizes of all workers together need more masked streams than there are."""
    if problem.max_streams is None:
        return False
    wanted = sum(problem.masked(worker, size) for worker in problem.workers for size in range(len(worker.sizes)))
    return wanted > problem.max_streams


def _empty(problem: Problem, worker: Worker, slowdown: float) -> Front:
    sets = subsets(problem, worker)
    none, no_index = np.empty(0), np.empty(0, np.intp)
    nothing = Points(none, none, none, no_index, no_index, none, none)
    return Front(
        subsets=tuple(sets),
        further=np.array([len(subset) - 1 for subset in sets]),
        masked=np.array([sum(problem.masked(worker, size) for size in subset) for subset in sets]),
        paths=tuple(_paths(problem, worker, subset, slowdown if _merged(problem, worker) else 1.0) for subset in sets),
        least_area=worker.kernels * worker.sizes[0],
        points=nothing,
        corners=nothing,
        exact=False,
        merged=_merged(problem, worker),
    )


def _merged(problem: Problem, worker: Worker) -> bool:
    return worker.max_switches is None and problem.hop_micros > 0 and worker.kernels > FULL_BUDGET


def _paths(problem: Problem, worker: Worker, subset: Sequence[int], slowdown: float) -> Paths:
    budget = worker.max_switches
    if budget is None and problem.hop_micros > 0 and not _merged(problem, worker):
        budget = worker.kernels - 1
    sizes = [worker.sizes[size] for size in subset]
    return Paths(worker.times[:, subset], sizes, budget, problem.hop_micros / slowdown)


def _swept_points(sweep: Sweep, prices: Floats, paths: Paths, subset: int) -> Points:
    rows, columns = np.nonzero(np.isfinite(sweep.time))
    first = np.unique(np.stack([rows, sweep.area[rows, columns]]), axis=1, return_index=True)[1]
    rows, columns = rows[first], columns[first]
    merged = len(sweep.time) == 1
    return Points(
        time=sweep.time[rows, columns],
        area=sweep.area[rows, columns],
        hops=sweep.hops[rows, columns] if merged else rows.astype(np.float64),
        subset=np.full(len(rows), subset, dtype=np.intp),
        hop_class=rows.astype(np.intp),
        price=prices[columns],
        hop_micros=np.full(len(rows), paths.hop_micros),
    )


def _corners(sweep: Sweep, prices: Floats, paths: Paths, subset: int) -> Points:
    """Where neighbouring support lines time + price * area = b meet: every path lies above or right of these."""
    classes = np.flatnonzero(np.isfinite(sweep.time).all(axis=1))
    # Without classes of hops, the hops are part of the time.
    value = sweep.time[classes] + paths.hop_micros * sweep.hops[classes] + prices * sweep.area[classes]
    area = np.diff(value, axis=1) / np.diff(prices)
    time = value[:, :-1] - prices[:-1] * area
    least = np.full((len(classes), 1), float(paths.least_area))
    area = np.concatenate([area, least], axis=1)
    time = np.concatenate([time, value[:, -1:] - prices[-1] * least], axis=1)
    return Points(
        time=time.ravel(),
        area=area.ravel(),
        hops=np.repeat(classes.astype(np.float64), area.shape[1]),
        subset=np.full(area.size, subset, dtype=np.intp),
        hop_class=np.repeat(classes, area.shape[1]),
        price=np.tile(prices, len(classes)),
        hop_micros=np.full(area.size, paths.hop_micros),
    )
