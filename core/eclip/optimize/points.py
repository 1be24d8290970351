"""What one worker can choose from, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats, Paths, Window, least
from eclip.optimize.problem import Choice

Ints = npt.NDArray[np.intp]

STEEP = np.geomspace(0.01, 100.0, 25)
"""Prices, in units of time over area, among which the one that suits a point is looked for."""


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
        if len(parts) == 1:
            return parts[0]
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
    least_area: int
    """CUs summed over kernels at the worker's smallest size."""
    points: Points
    corners: Points
    """Below or on every choice; the same as `points` if the front is exact."""
    exact: bool
    merged: bool
    """No classes of hops: the worker has no switch budget, so hops were priced while searching."""

    def choice(self, point: int) -> Choice:
        """Sizes per kernel of a point (index into `points`), as indices of the worker's sizes."""
        points = self.points
        subset, hop_class, area = int(points.subset[point]), int(points.hop_class[point]), int(points.area[point])
        price = self._steepness(point) if self.exact else float(points.price[point])
        paths = self.paths[subset].at(float(points.hop_micros[point]))
        # A window that just holds the point finds it again, without most of the others.
        cost = float(points.time[point] + paths.hop_micros * points.hops[point]) + price * area
        window = Window(price, cost * (1 + 1e-12))
        return np.asarray(self.subsets[subset], dtype=np.intp)[paths.trace(hop_class, area, window)]

    def _steepness(self, point: int) -> float:
        """The price at which this point is the nearest to being the cheapest, so that its window holds few others."""
        points = self.points
        prices = STEEP * (float(points.time[point]) / float(points.area[point]))
        cost = points.time + points.hop_micros * points.hops
        dearer = cost[point] + prices * points.area[point] - least(cost, points.area, prices)[0]
        return float(prices[dearer.argmin()])
