"""What one worker can choose from: time against CUs and hops, for every set of sizes in use.

A front is *exact* (every choice worth having is a point of it) or *swept* (points found at a few prices per CU, with
corners that lie below every choice in between). Nothing here depends on the other workers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats, Paths, Sweep, Window
from eclip.optimize.problem import Choice, Problem, Worker

Ints = npt.NDArray[np.intp]

EXACT_LABELS = 3_000_000
"""Partial paths that an exact front may cost per set of sizes; about 2 ns each."""

EXACT_CELLS = 100_000_000
"""Classes, areas and kernels beyond which an exact front is not even tried."""

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
    hop_micros: Floats
    """Of the search that found the point."""

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

    def choice(self, point: int) -> Choice:
        """Sizes per kernel of a point (index into `points`), as indices of the worker's sizes."""
        at = self.points.take(np.array([point]))
        subset, hop_class, area, price = int(at.subset[0]), int(at.hop_class[0]), int(at.area[0]), float(at.price[0])
        paths = self.paths[subset].at(float(at.hop_micros[0]))
        # The search that found the point saw nothing cheaper at its price: the same window finds it again.
        cost = float(at.time[0] + paths.hop_micros * at.hops[0]) + price * area
        window = Window(price, cost * (1 + 1e-12)) if price else Window()
        return np.asarray(self.subsets[subset], dtype=np.intp)[paths.trace(hop_class, area, window)]


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


def exact_front(problem: Problem, worker: Worker) -> Front | None:
    """Every choice worth having, or None if that is too much work."""
    front = _empty(problem, worker, slowdown=1.0)
    if front.merged or front.paths[-1].classes * front.paths[-1].range * worker.kernels > EXACT_CELLS:
        return None
    found = []
    for paths in front.paths:
        searched = paths.front(Window(max_labels=EXACT_LABELS))
        if searched is None:
            return None
        found.append(searched[0])
    points = worthwhile(problem, worker, front, found, price=0.0, hop_micros=problem.hop_micros)
    return replace(front, points=points, corners=points, exact=True)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """A front's sweeps at ascending prices, in microseconds per CU and kernel."""

    front: Front
    prices: Floats
    sweeps: tuple[Sweep, ...]
    """Per set of sizes."""

    def refined(self, more: Floats) -> "Prices":
        """With further prices."""
        new = more[~np.isin(more, self.prices)]
        prices = np.concatenate([self.prices, new])
        order = np.argsort(prices)
        sweeps = tuple(
            old.joined(paths.sweep(new), order) for old, paths in zip(self.sweeps, self.front.paths, strict=True)
        )
        return Prices(self.front, prices[order], sweeps)

    def swept(self) -> Front:
        """The front with the points found, and corners below all others."""
        found = list(enumerate(zip(self.sweeps, self.front.paths, strict=True)))
        points = Points.join([_swept_points(sweep, self.prices, paths, index) for index, (sweep, paths) in found])
        corners = Points.join([_corners(sweep, self.prices, paths, index) for index, (sweep, paths) in found])
        return replace(self.front, points=points, corners=corners)


def price_out(problem: Problem, worker: Worker, prices: Floats, slowdown: float = 1.0) -> Prices:
    """Sweeps a worker's front.

    Without a switch budget the corners hold where the contention (1 + alpha) is at most `slowdown`.
    """
    front = _empty(problem, worker, slowdown)
    return Prices(front, prices, tuple(paths.sweep(prices) for paths in front.paths))


def windowed(
    problem: Problem, worker: Worker, front: Front, hop_micros: float, price: float, limits: Floats, labels: int
) -> tuple[Points, int] | None:
    """The choices whose time + hop_micros * hops + price * area is within the limit of their set of sizes.

    Also tells the partial paths looked at; None if more than `labels` would be needed. Where hops have no classes, they
    are part of the points' times, at `hop_micros`. A negative limit: no choice of this set.
    """
    found: list[Floats | None] = []
    spent = 0
    for paths, limit in zip(front.paths, limits, strict=True):
        if limit < 0:
            found.append(None)
            continue
        searched = paths.at(hop_micros).front(Window(price, float(limit), labels - spent))
        if searched is None:
            return None
        found.append(searched[0])
        spent += searched[1]
    return worthwhile(problem, worker, front, found, price, hop_micros), spent


def worthwhile(
    problem: Problem, worker: Worker, front: Front, found: Sequence[Floats | None], price: float, hop_micros: float
) -> Points:
    """The points of native fronts [classes, areas], one per set of sizes (None: not searched), that no other matches.

    One matches another if it is as fast with no more area, hops, sizes in use and masked streams.
    """
    unit = max(1, math.gcd(*(size - worker.sizes[0] for size in worker.sizes)))
    width = worker.kernels * (worker.sizes[-1] - worker.sizes[0]) // unit + 1
    kinds: dict[tuple[int, int], list[int]] = {}
    for index, least in enumerate(found):
        if least is not None:
            kinds.setdefault((int(front.further[index]), int(front.masked[index])), []).append(index)
    done: list[tuple[tuple[int, int], Floats]] = []
    parts = []
    for kind in sorted(kinds):
        sheet = _Sheet.of(front, found, kinds[kind], worker, unit, width, hops_cost=problem.hop_micros > 0)
        rivals = [lowest for other, lowest in done if other[0] <= kind[0] and other[1] <= kind[1]]
        worth = _steps_down(sheet.time)
        if rivals:
            worth &= sheet.time < np.min(rivals, axis=0)
        parts.append(sheet.points(worth, worker.kernels * worker.sizes[0], unit, price, hop_micros))
        done.append((kind, np.minimum.accumulate(np.minimum.accumulate(sheet.time, axis=1), axis=0)))
    return Points.join(parts) if parts else front.points.take(np.empty(0, dtype=np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """The best of several sets of sizes for every class of hops and area; arrays [classes, areas]."""

    time: Floats
    subset: Ints
    hop_class: Ints

    @staticmethod
    def of(
        front: Front,
        found: Sequence[Floats | None],
        subsets: Sequence[int],
        worker: Worker,
        unit: int,
        width: int,
        *,
        hops_cost: bool,
    ) -> "_Sheet":
        rows = front.paths[0].classes if hops_cost else 1
        sheet = _Sheet(np.full((rows, width), np.inf), *(np.zeros((rows, width), np.intp) for _ in range(2)))
        for index in subsets:
            least = found[index]
            assert least is not None
            classes = np.arange(len(least))[:, None] if hops_cost else least.argmin(axis=0)[None]
            least = least if hops_cost else least.min(axis=0, keepdims=True)
            paths = front.paths[index]
            start = (paths.least_area - worker.kernels * worker.sizes[0]) // unit
            columns = slice(start, start + (paths.range - 1) * (paths.unit // unit) + 1, paths.unit // unit)
            if paths.range == 1:
                columns = slice(start, start + 1)
            better = least < sheet.time[:, columns]
            sheet.time[:, columns][better] = least[better]
            sheet.subset[:, columns][better] = index
            sheet.hop_class[:, columns][better] = np.broadcast_to(classes, least.shape)[better]
        return sheet

    def points(
        self, worth: npt.NDArray[np.bool_], least_area: int, unit: int, price: float, hop_micros: float
    ) -> Points:
        rows, columns = np.nonzero(worth)
        return Points(
            time=self.time[rows, columns],
            area=least_area + columns.astype(np.float64) * unit,
            hops=rows.astype(np.float64),
            subset=self.subset[rows, columns],
            hop_class=self.hop_class[rows, columns],
            price=np.full(len(rows), price),
            hop_micros=np.full(len(rows), hop_micros),
        )


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


def _steps_down(least: Floats) -> npt.NDArray[np.bool_]:
    """Cells below all cells of smaller area and of fewer hops, shape [classes, areas]."""
    lowest = np.minimum.accumulate(np.minimum.accumulate(least, axis=1), axis=0)
    rivals = np.full_like(least, np.inf)
    rivals[:, 1:] = lowest[:, :-1]
    rivals[1:] = np.minimum(rivals[1:], lowest[:-1])
    return least < rivals


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
