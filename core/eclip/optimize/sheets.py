"""Which of the paths that native searches found are worth having."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats, Reached
from eclip.optimize.points import Front, Ints, Points
from eclip.optimize.problem import Problem, Worker


def worthwhile(
    problem: Problem, worker: Worker, front: Front, found: Sequence[Reached | None], *, price: float, hop_micros: float
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
        sheet = _Sheet.of(front, found, kinds[kind], unit=unit, width=width, hops_cost=problem.hop_micros > 0)
        rivals = [lowest for other, lowest in done if other[0] <= kind[0] and other[1] <= kind[1]]
        worth = _steps_down(sheet.time)
        if rivals:
            worth &= sheet.time < np.min(rivals, axis=0)
        parts.append(
            sheet.points(
                worth, worker.kernels * worker.sizes[0], unit, price=price, hop_micros=hop_micros, merged=front.merged
            )
        )
        done.append((kind, np.minimum.accumulate(np.minimum.accumulate(sheet.time, axis=1), axis=0)))
    return Points.join(parts) if parts else front.points.take(np.empty(0, dtype=np.intp))


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """The best of several sets of sizes for every class of hops and area; arrays [classes, areas]."""

    time: Floats
    hops: Floats
    subset: Ints
    hop_class: Ints

    @staticmethod
    def of(
        front: Front,
        found: Sequence[Reached | None],
        subsets: Sequence[int],
        *,
        unit: int,
        width: int,
        hops_cost: bool,
    ) -> "_Sheet":
        rows = front.paths[0].classes if hops_cost else 1
        floats = (np.full((rows, width), np.inf), np.zeros((rows, width)))
        sheet = _Sheet(*floats, *(np.zeros((rows, width), np.intp) for _ in range(2)))
        for index in subsets:
            reached = found[index]
            assert reached is not None
            # Where hops cost nothing, the fastest path of an area is all that matters.
            fastest = None if hops_cost else reached.time.argmin(axis=0)
            classes = np.arange(len(reached.time))[:, None] if fastest is None else fastest[None]
            time = reached.time if fastest is None else np.take_along_axis(reached.time, classes, axis=0)
            paths = front.paths[index]
            start = (paths.least_area - front.least_area) // unit
            columns = slice(start, start + (paths.range - 1) * (paths.unit // unit) + 1, paths.unit // unit)
            if paths.range == 1:
                columns = slice(start, start + 1)
            better = time < sheet.time[:, columns]
            sheet.time[:, columns][better] = time[better]
            if hops_cost:
                sheet.hops[:, columns][better] = reached.hops[better]
            sheet.subset[:, columns][better] = index
            sheet.hop_class[:, columns][better] = np.broadcast_to(classes, time.shape)[better]
        return sheet

    def points(
        self, worth: npt.NDArray[np.bool_], least_area: int, unit: int, *, price: float, hop_micros: float, merged: bool
    ) -> Points:
        rows, columns = np.nonzero(worth)
        hops = self.hops[rows, columns]
        return Points(
            time=self.time[rows, columns] - (hop_micros * hops if merged else 0.0),
            area=least_area + columns.astype(np.float64) * unit,
            hops=hops,
            subset=self.subset[rows, columns],
            hop_class=self.hop_class[rows, columns],
            price=np.full(len(rows), price),
            hop_micros=np.full(len(rows), hop_micros),
        )


def _steps_down(least: Floats) -> npt.NDArray[np.bool_]:
    """Cells below all cells of smaller area and of fewer hops, shape [classes, areas]."""
    lowest = np.minimum.accumulate(np.minimum.accumulate(least, axis=1), axis=0)
    rivals = np.full_like(least, np.inf)
    rivals[:, 1:] = lowest[:, :-1]
    rivals[1:] = np.minimum(rivals[1:], lowest[:-1])
    return least < rivals
