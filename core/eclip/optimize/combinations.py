"""The best of many combinations of the workers' points: `evaluate` in native form, and what is built on it."""

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eclip.optimize import native
from eclip.optimize.evaluate import TOLERANCE
from eclip.optimize.mix import Terms
from eclip.optimize.paths import Floats
from eclip.optimize.points import Ints
from eclip.optimize.problem import Objective, Overlap, Problem, Worker

_OBJECTIVES = {Objective.FAIRNESS: 0, Objective.THROUGHPUT: 1, Objective.LATENCY: 1, Objective.ENERGY: 2}


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """A combination: one point per worker."""

    objective: float
    excess: float
    """By how much constraints are missed, summed as fractions of their limits; 0 if all hold."""
    points: tuple[int, ...]

    def rank(self) -> tuple[float, float]:
        """Less missed comes first, then less objective."""
        return self.excess, self.objective

    @property
    def feasible(self) -> float:
        """The objective to beat; infinite if constraints are missed."""
        return self.objective if self.excess == 0 else math.inf

    def target(self, lower_bound: float) -> float:
        """What a better one costs at most; a little above the bound where none is known that holds."""
        return self.objective if self.excess == 0 else lower_bound + 0.1 * abs(lower_bound)


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Points of one worker that may end a combination; `costs` ascend."""

    worker: int
    points: Ints
    costs: Floats


class Combinations:
    """Of these points. Keeps the arrays that the native part reads."""

    def __init__(self, problem: Problem, mix: Sequence[Terms]) -> None:
        self._lengths = [len(part) for part in mix]
        distinct = {id(part): _arrays(part) for part in mix}
        self._arrays = list(distinct.values())
        self._workers = (native.Points * len(mix))(*(_points(part.worker, distinct[id(part)]) for part in mix))
        power = problem.power
        self._native = native.Mix(
            self._workers,
            len(mix),
            _OBJECTIVES[problem.objective],
            problem.overlap is Overlap.PRINTED,
            problem.stream_micros,
            native.ANY_STREAMS if problem.max_streams is None else problem.max_streams,
            problem.weight,
            power.idle_watts if power else 0.0,
            power.cu_watts * problem.compute_units if power else 0.0,
            TOLERANCE,
        )

    def least(self, chosen: Mapping[int, Ints], costs: Floats, ends: Ends, limit: float = math.inf) -> Best | None:
        """The best of all rows of `chosen` (points of all other workers) with an end, costing at most the limit.

        None if no combination is within the limit.
        """
        rows = {worker: np.ascontiguousarray(points) for worker, points in chosen.items()}
        addresses = [native.address(rows[worker]) if worker in rows else 0 for worker in range(len(self._lengths))]
        columns = (ctypes.c_void_p * len(addresses))(*addresses)
        points, last_costs = np.ascontiguousarray(ends.points), np.ascontiguousarray(ends.costs)
        last = native.Last(ends.worker, len(points), native.address(points), native.address(last_costs), limit)
        costs = np.ascontiguousarray(costs)
        found = native.Best()
        native.library().eclip_mix_least(
            ctypes.byref(self._native),
            columns,
            native.address(costs),
            len(costs),
            ctypes.byref(last),
            ctypes.byref(found),
        )
        if math.isinf(found.excess):
            return None
        at = {worker: int(index[found.row]) for worker, index in rows.items()}
        at[ends.worker] = int(points[found.last])
        return Best(found.objective, found.excess, tuple(at[worker] for worker in range(len(self._lengths))))

    def descend(self, start: Best) -> Best:
        """Improves one worker at a time, given the others, until none can be improved."""
        best, improved = start, True
        ends = [self._all(worker) for worker in range(len(self._lengths))]
        while improved:
            improved = False
            for end in ends:
                others = {worker: np.array([point]) for worker, point in enumerate(best.points) if worker != end.worker}
                found = self.least(others, np.zeros(1), end)
                if found is not None and found.rank() < best.rank():
                    best, improved = found, True
        return best

    def every(self) -> Best:
        """The best of all that there are."""
        *others, last = range(len(self._lengths))
        lengths = [self._lengths[worker] for worker in others]
        count = math.prod(lengths)
        rows = dict(zip(others, np.indices(lengths).reshape(len(others), count), strict=True))
        found = self.least(rows, np.zeros(count), self._all(last))
        assert found is not None
        return found

    def _all(self, worker: int) -> Ends:
        count = self._lengths[worker]
        return Ends(worker, np.arange(count), np.zeros(count))


def _arrays(part: Terms) -> list[native.Array]:
    """As the native part reads them; views with gaps are copied."""
    floats, integers = (part.time, part.share, part.toll), (part.further, part.masked)
    return [*map(np.ascontiguousarray, floats), *map(np.ascontiguousarray, integers)]


def _points(worker: Worker, arrays: Sequence[native.Array]) -> native.Points:
    return native.Points(
        *(native.address(array) for array in arrays),
        worker.factor,
        worker.worth,
        worker.kernels,
        math.inf if worker.latency_micros is None else worker.latency_micros,
    )
