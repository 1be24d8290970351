"""What one worker can choose from: time against CUs and hops, for every set of sizes in use.

A front is *exact* (every choice worth having is a point of it) or *swept* (points found at a few prices per CU, with
corners that lie below every choice in between). Nothing here depends on the other workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats, Paths, Sweep, Window
from eclip.optimize.problem import Choice, Problem, Worker

Ints = npt.NDArray[np.intp]

EXACT_LABELS = 3_000_000
"""Partial paths that an exact front may cost per set of sizes; about 2 ns each."""

FULL_BUDGET = 64
"""Up to so many kernels a missing switch budget is treated as one of kernels - 1, which says the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Choices of one worker; arrays of equal length."""

    time: Floats
    """Sum of the kernels' times, microseconds."""
    area: Floats
    """CUs summed over kernels."""
    hops: Floats
    """Switches and wrap; 0 where hops cost nothing."""
    subset: Ints
    """Index into `Front.subsets`."""
    hop_class: Ints
    price: Floats
    """At which the point was found; 0 for exact fronts."""

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: npt.NDArray[np.bool_] | Ints) -> "Points":
        """Some of the points, by mask or index."""
        return Points(*(getattr(self, field)[index] for field in self.__dataclass_fields__))

    @staticmethod
    def join(parts: Sequence["Points"]) -> "Points":
        """All points of the parts."""
        return Points(
            *(np.concatenate([getattr(part, field) for part in parts]) for field in Points.__dataclass_fields__)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """All that one worker can do."""

    subsets: tuple[tuple[int, ...], ...]
    """Sets of sizes in use, as indices."""
    further: Ints
    """Per subset: sizes in use less one."""
    masked: Ints
    """Per subset: sizes that need a masked stream."""
    paths: tuple[Paths, ...]
    points: Points
    corners: Points
    """Below or on every choice; the same as `points` if the front is exact."""
    exact: bool
    merged: bool
    """No classes of hops: the worker has no switch budget, so hops were priced while searching."""

    def choice(self, point: int, window: Window | None = None) -> Choice:
        """Sizes per kernel of a point (index into `points`), as indices of the worker's sizes."""
        at = self.points
        return self.trace(int(at.subset[point]), int(at.hop_class[point]), int(at.area[point]), window)

    def trace(self, subset: int, hop_class: int, area: int, window: Window | None) -> Choice:
        """Sizes per kernel of the fastest choice with these properties."""
        return np.asarray(self.subsets[subset], dtype=np.intp)[self.paths[subset].trace(hop_class, area, window)]


def subsets(problem: Problem, worker: Worker) -> list[tuple[int, ...]]:
    """Sets of sizes in use that can matter, small ones first.

    If further sizes cost nothing and the stream budget cannot bind, the set of all sizes stands for all.
    """
    indices = range(len(worker.sizes))
    if not problem.stream_micros and not _budget_can_bind(problem):
        return [tuple(indices)]
    every = (subset for count in range(1, len(worker.sizes) + 1) for subset in combinations(indices, count))
    budget = len(worker.sizes) if problem.max_streams is None else problem.max_streams
    return [subset for subset in every if sum(problem.masked(worker, size) for size in subset) <= budget]


def exact_front(problem: Problem, worker: Worker) -> Front | None:
    """Every choice worth having, or None if that is too much work."""
    front = _empty(problem, worker, slowdown=1.0)
    parts = []
    for index, paths in enumerate(front.paths):
        if front.merged or paths.classes * paths.range > EXACT_LABELS:
            return None
        least = paths.front(Window(max_labels=EXACT_LABELS))
        if least is None:
            return None
        parts.append(points_of(least, paths, index, price=0.0, hops_cost=problem.hop_micros > 0))
    points = Points.join(parts)
    points = points.take(_undominated(points, front, worker))
    return _with(front, points, points, exact=True)


def swept_front(problem: Problem, worker: Worker, prices: Floats, slowdown: float = 1.0) -> Front:
    """Points and corners from ascending prices, in microseconds per CU and kernel.

    Without a switch budget the corners hold where the contention (1 + alpha) is at most `slowdown`.
    """
    front = _empty(problem, worker, slowdown)
    hop = problem.hop_micros / slowdown if front.merged else 0.0
    found = [(index, paths, paths.sweep(prices)) for index, paths in enumerate(front.paths)]
    points = Points.join([_swept_points(sweep, prices, index) for index, _, sweep in found])
    corners = Points.join([_corners(sweep, prices, hop, paths, index) for index, paths, sweep in found])
    return _with(front, points, corners, exact=False)


def points_of(least: Floats, paths: Paths, subset: int, price: float, hops_cost: bool) -> Points:
    """The points of a native front [classes, areas] that no other one of the same set of sizes beats."""
    classes = np.arange(len(least))
    if hops_cost:
        rows, columns = np.nonzero(_steps_down(least))
        hop_class, time = classes[rows], least[rows, columns]
    else:
        hop_class_of = least.argmin(axis=0)
        lowest = least.min(axis=0)
        (columns,) = np.nonzero(_steps_down(lowest[None])[0])
        hop_class, time = hop_class_of[columns], lowest[columns]
    count = len(columns)
    return Points(
        time=time,
        area=paths.least_area + columns.astype(np.float64) * paths.unit,
        hops=hop_class.astype(np.float64) if hops_cost else np.zeros(count),
        subset=np.full(count, subset, dtype=np.intp),
        hop_class=hop_class.astype(np.intp),
        price=np.full(count, price),
    )


def _budget_can_bind(problem: Problem) -> bool:
    if problem.max_streams is None:
        return False
    wanted = sum(problem.masked(worker, size) for worker in problem.workers for size in range(len(worker.sizes)))
    return wanted > problem.max_streams


def _empty(problem: Problem, worker: Worker, slowdown: float) -> Front:
    sets = subsets(problem, worker)
    budget = worker.max_switches
    merged = budget is None and problem.hop_micros > 0 and worker.kernels > FULL_BUDGET
    if budget is None and not merged and problem.hop_micros > 0:
        budget = worker.kernels - 1
    paths = tuple(
        Paths(
            worker.times[:, subset],
            [worker.sizes[size] for size in subset],
            budget,
            problem.hop_micros / slowdown,
        )
        for subset in sets
    )
    nothing = Points(*(np.empty(0) for _ in range(3)), *(np.empty(0, np.intp) for _ in range(2)), np.empty(0))
    return Front(
        subsets=tuple(sets),
        further=np.array([len(subset) - 1 for subset in sets]),
        masked=np.array([sum(problem.masked(worker, size) for size in subset) for subset in sets]),
        paths=paths,
        points=nothing,
        corners=nothing,
        exact=False,
        merged=merged,
    )


def _with(front: Front, points: Points, corners: Points, *, exact: bool) -> Front:
    return Front(
        front.subsets, front.further, front.masked, front.paths, points, corners, exact=exact, merged=front.merged
    )


def _steps_down(least: Floats) -> npt.NDArray[np.bool_]:
    """Cells below all cells of smaller area and of fewer hops, shape [classes, areas]."""
    lowest = np.minimum.accumulate(np.minimum.accumulate(least, axis=1), axis=0)
    rivals = np.full_like(least, np.inf)
    rivals[:, 1:] = lowest[:, :-1]
    rivals[1:] = np.minimum(rivals[1:], lowest[:-1])
    return least < rivals


def _undominated(points: Points, front: Front, worker: Worker) -> npt.NDArray[np.bool_]:
    """Points not matched by another with no more area, hops, sizes in use and masked streams."""
    groups = np.stack([front.further, front.masked])[:, points.subset]
    kinds = np.unique(groups, axis=1).T
    unit = max(1, int(np.gcd.reduce(np.diff(worker.sizes)))) if len(worker.sizes) > 1 else 1
    columns = ((points.area - worker.kernels * worker.sizes[0]) / unit).astype(np.intp)
    rows = points.hops.astype(np.intp)
    shape = (rows.max() + 1, columns.max() + 1)
    keep = np.zeros(len(points), dtype=bool)
    done: list[tuple[npt.NDArray[np.intp], Floats]] = []
    for kind in kinds:
        members = np.flatnonzero((groups.T == kind).all(axis=1))
        least = np.full(shape, np.inf)
        np.minimum.at(least, (rows[members], columns[members]), points.time[members])
        rivals = [lowest for other, lowest in done if (other <= kind).all()]
        worth = _steps_down(least) & (least < np.min(rivals, axis=0) if rivals else True)
        chosen = worth[rows[members], columns[members]] & (
            points.time[members] == least[rows[members], columns[members]]
        )
        keep[members[chosen]] = True
        done.append((kind, np.minimum.accumulate(np.minimum.accumulate(least, axis=1), axis=0)))
    return keep


def _swept_points(sweep: Sweep, prices: Floats, subset: int) -> Points:
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
    )


def _corners(sweep: Sweep, prices: Floats, hop: float, paths: Paths, subset: int) -> Points:
    """Where neighbouring support lines time + price * area = b meet: every path lies above or right of these."""
    classes = np.flatnonzero(np.isfinite(sweep.time).all(axis=1))
    value = sweep.time[classes] + hop * sweep.hops[classes] + prices * sweep.area[classes]
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
        price=np.tile(np.append(prices[:-1], prices[-1]), len(classes)),
    )
