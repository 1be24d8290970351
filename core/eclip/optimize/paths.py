"""Paths through one worker's kernels: the native searches of native/planner, as numpy functions."""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclip.errors import EclipError
from eclip.optimize import native
from eclip.optimize.problem import Choice, Times

Floats = npt.NDArray[np.float64]

UNLIMITED = math.inf


@dataclass(frozen=True, slots=True)
class Window:
    """Which paths a front keeps: time + hop cost + price * area <= limit. It gives up after `max_labels` labels."""

    price: float = 0.0
    limit: float = UNLIMITED
    max_labels: int = 2**63


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """For every class of hops and every price the path with the least time + price * area.

    `time`, `area` and `hops` have shape [classes, prices]; area counts CUs summed over kernels. Times are infinite
    where a class has no path. Hops are 0 where classes tell them apart.
    """

    time: Floats
    area: Floats
    hops: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """The least time for every class of hops and every area, [classes, areas]; infinite where there is no path."""

    time: Floats
    """Without a budget, hops included at their cost."""
    hops: Floats
    """Of these paths, at most."""
    labels: int
    """Partial paths looked at."""


class Paths:
    """All ways to give the kernels one of these sizes each, within a budget of switches.

    With a budget, class i holds the paths of at most i hops. Without one there is a single class, and every hop adds
    `hop_micros` to the time. The wrap counts as a hop only if hops cost something.
    """

    def __init__(self, times: Times, sizes: Sequence[int], max_switches: int | None, hop_micros: float) -> None:
        self._micros = np.ascontiguousarray(times, dtype=np.float64)
        self.sizes = tuple(sizes)
        self.kernels = len(times)
        self.unit = max(1, math.gcd(*(size - sizes[0] for size in sizes)))
        self._steps = np.array([(size - sizes[0]) // self.unit for size in sizes], dtype=np.uint32)
        self.range = int(self.kernels * self._steps[-1]) + 1
        self._max_switches = max_switches
        self.hop_micros = hop_micros
        levels = 0 if max_switches is None else min(max_switches, self.kernels - 1) + 1
        self._native = native.Paths(
            native.address(self._micros),
            native.address(self._steps),
            self.kernels,
            len(sizes),
            levels,
            hop_micros > 0,
            hop_micros,
        )
        self.classes = int(native.library().eclip_paths_classes(ctypes.byref(self._native)))

    @property
    def least_area(self) -> int:
        """CUs summed over kernels when every kernel has the smallest size."""
        return self.kernels * self.sizes[0]

    @property
    def likely_labels(self) -> int:
        """Partial paths that a whole front will look at, by order; with few classes, most areas are never reached."""
        reached = self.classes**2 if self.classes < 4 else self.range // 2
        firsts = len(self.sizes) if self._native.circular else 1
        return self.kernels * self.classes * len(self.sizes) * firsts * reached

    def sweep(self, prices: Floats) -> Sweep:
        """Prices are microseconds per CU and kernel, shape [prices]."""
        steps = np.ascontiguousarray(prices * self.unit)
        shape = (self.classes, len(prices))
        time, area, hops = np.empty(shape), np.zeros(shape), np.zeros(shape)
        native.library().eclip_paths_sweep(
            ctypes.byref(self._native),
            native.address(steps),
            len(prices),
            native.address(time),
            native.address(area),
            native.address(hops),
        )
        return Sweep(time, area * self.unit + self.least_area, hops)

    def at(self, hop_micros: float) -> "Paths":
        """The same with another cost of hops."""
        if hop_micros == self.hop_micros:
            return self
        return Paths(self._micros, self.sizes, self._max_switches, hop_micros)

    def front(self, window: Window | None = None) -> Reached | None:
        """Column i has the area `least_area` + i * `unit`. None when the window's labels did not suffice."""
        time = np.empty((self.classes, self.range))
        hops = np.empty((1, self.range))
        kept = self._window(window or Window())
        labels = native.library().eclip_paths_front(
            ctypes.byref(self._native), ctypes.byref(kept), self.range, native.address(time), native.address(hops)
        )
        if labels < 0:
            return None
        counted = hops if self._max_switches is None else np.arange(float(self.classes))[:, None]
        return Reached(time, np.broadcast_to(counted, time.shape), int(labels))

    def trace(self, hops: int, area: int, window: Window | None = None) -> Choice:
        """The path of least time in a class with exactly this area (CUs summed over kernels)."""
        choice = np.empty(self.kernels, dtype=np.uint8)
        kept = self._window(window or Window())
        failed = native.library().eclip_paths_trace(
            ctypes.byref(self._native),
            ctypes.byref(kept),
            self.range,
            hops,
            (area - self.least_area) // self.unit,
            native.address(choice),
        )
        if failed:
            raise EclipError(f"no path of area {area} with at most {hops} hops in the window")
        return choice.astype(np.intp)

    def _window(self, window: Window) -> native.Window:
        limit = window.limit - window.price * self.least_area
        return native.Window(window.price * self.unit, limit, window.max_labels)


def least(
    cost: Floats, share: Floats, prices: Floats, group: npt.NDArray[np.uint32] | None = None, groups: int = 1
) -> Floats:
    """The least cost + price * share per group and price, shape [groups, prices]; infinite for an empty group."""
    cost, share, prices = (np.ascontiguousarray(array, dtype=np.float64) for array in (cost, share, prices))
    found = np.empty((groups, len(prices)))
    native.library().eclip_points_least(
        native.address(cost),
        native.address(share),
        None if group is None else native.address(group),
        len(cost),
        native.address(prices),
        len(prices),
        groups,
        native.address(found),
    )
    return found
