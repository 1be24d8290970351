"""Which of the paths that native searches found are worth having."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats, Paths, Reached
from eclip.optimize.points import Front, Ints, Points
from eclip.optimize.problem import Problem, Worker


def worthwhile(
    problem: Problem, worker: Worker, front: Front, found: Sequence[Reached | None], *, price: float, hop_micros: float
) -> Points:
    """The points of native fronts [classes, areas], one per set of sizes (None: not searched), that no other matches.

    One matches another if it is as fast with no more area, hops, sizes in use and masked streams.
    """
    grid = _Grid.of(worker, front.paths)
    kinds: dict[tuple[int, int], dict[int, Reached]] = {}
    for index, reached in enumerate(found):
        if reached is not None:
            kinds.setdefault((int(front.further[index]), int(front.masked[index])), {})[index] = reached
    done: list[tuple[tuple[int, int], Floats]] = []
    parts = []
    for kind in sorted(kinds):
        sheet = _Sheet.of(grid, kinds[kind], hops_cost=problem.hop_micros > 0)
        lowest = np.minimum.accumulate(np.minimum.accumulate(sheet.least, axis=1), axis=0)
        worth = _steps_down(sheet.least, lowest)
        rivals = [other for (further, masked), other in done if further <= kind[0] and masked <= kind[1]]
        if rivals:
            worth &= sheet.least < np.min(rivals, axis=0)
        parts.extend(sheet.points(worth, price=price, hop_micros=hop_micros, merged=front.merged))
        done.append((kind, lowest))
    return Points.join(parts) if parts else front.points.take(np.empty(0, dtype=np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class _Grid:
    """The areas that any set of sizes can have, and where in it those of each set lie."""

    least_area: int
    unit: int
    width: int
    paths: Sequence[Paths]
    """Per set of sizes."""

    @staticmethod
    def of(worker: Worker, paths: Sequence[Paths]) -> "_Grid":
        unit = max(1, math.gcd(*(size - worker.sizes[0] for size in worker.sizes)))
        width = worker.kernels * (worker.sizes[-1] - worker.sizes[0]) // unit + 1
        return _Grid(worker.kernels * worker.sizes[0], unit, width, paths)

    def columns(self, index: int) -> range:
        """Of the areas of a set of sizes."""
        paths = self.paths[index]
        start, step = (paths.least_area - self.least_area) // self.unit, max(1, paths.unit // self.unit)
        return range(start, start + (paths.range - 1) * step + 1, step)

    def placed(self, index: int, time: Floats) -> Floats:
        """A set's times [classes, its areas] in the grid; infinite elsewhere."""
        columns = self.columns(index)
        if len(columns) == self.width:
            return time
        placed = np.full((len(time), self.width), np.inf)
        placed[:, columns.start : columns.stop : columns.step] = time
        return placed


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """Several sets of sizes in one grid. Where hops cost nothing, all classes of hops are one: the fastest path's."""

    grid: _Grid
    reached: dict[int, Reached]
    """By set of sizes."""
    times: list[Floats]
    """Of each set, [classes, areas]."""
    least: Floats
    """Of all sets, [classes, areas]."""
    hops_cost: bool

    @staticmethod
    def of(grid: _Grid, reached: dict[int, Reached], *, hops_cost: bool) -> "_Sheet":
        times = [
            grid.placed(index, one.time if hops_cost else one.time.min(axis=0, keepdims=True))
            for index, one in reached.items()
        ]
        return _Sheet(grid, reached, times, reduce(np.minimum, times), hops_cost)

    def points(self, worth: npt.NDArray[np.bool_], *, price: float, hop_micros: float, merged: bool) -> list[Points]:
        """The best choices of these cells, by set of sizes."""
        parts = []
        for index, time in zip(self.reached, self.times, strict=True):
            own = worth & (time == self.least)
            worth = worth & ~own
            rows, columns = np.nonzero(own)
            hop_class, hops = self._hops(index, rows, columns)
            best = time[own]
            parts.append(
                Points(
                    time=best - hop_micros * hops if merged else best,
                    area=self.grid.least_area + columns.astype(np.float64) * self.grid.unit,
                    hops=hops,
                    subset=np.full(len(rows), index),
                    hop_class=hop_class,
                    price=np.full(len(rows), price),
                    hop_micros=np.full(len(rows), hop_micros),
                )
            )
        return parts

    def _hops(self, index: int, rows: Ints, columns: Ints) -> tuple[Ints, Floats]:
        """Class of hops, and hops that cost something, of a set's paths in these cells."""
        span, reached = self.grid.columns(index), self.reached[index]
        at = (columns - span.start) // span.step
        if self.hops_cost:
            return rows, reached.hops[rows, at]
        return reached.time[:, at].argmin(axis=0), np.zeros(len(rows))


def _steps_down(least: Floats, lowest: Floats) -> npt.NDArray[np.bool_]:
    """Cells below all cells of smaller area and of fewer hops, [classes, areas]; `lowest` is the least up to a cell."""
    rivals = np.full_like(least, np.inf)
    rivals[:, 1:] = lowest[:, :-1]
    rivals[1:] = np.minimum(rivals[1:], lowest[:-1])
    return least < rivals
