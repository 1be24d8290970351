"""The workers' points as arrays.

Everything about a mix follows from few numbers per worker: time, average size, hops, sizes in use, masked streams.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eclip.optimize.paths import Floats
from eclip.optimize.points import Front, Ints, Points
from eclip.optimize.problem import Overlap, Problem, Worker


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """One worker's points; arrays of equal length."""

    worker: Worker
    real: bool
    """False for corners: choices lie on or above the lines between neighbours of the same `run`."""
    run: Ints
    time: Floats
    share: Floats
    """Average size over the GPU's CUs."""
    toll: Floats
    """Hops times their cost."""
    further: Ints
    masked: Ints
    group: npt.NDArray[np.uint32]
    """Masked streams where the mix has a budget of them, else 0."""
    groups: int

    def __len__(self) -> int:
        return len(self.time)

    def take(self, index: npt.NDArray[np.bool_] | Ints) -> "Terms":
        """Some of the points, by mask or index."""
        return Terms(
            self.worker,
            self.real,
            self.run[index],
            self.time[index],
            self.share[index],
            self.toll[index],
            self.further[index],
            self.masked[index],
            self.group[index],
            self.groups,
        )

    def joined(self, other: "Terms") -> "Terms":
        """The points of both, which belong to the same worker."""
        return Terms(
            self.worker,
            self.real,
            np.concatenate([self.run, other.run]),
            np.concatenate([self.time, other.time]),
            np.concatenate([self.share, other.share]),
            np.concatenate([self.toll, other.toll]),
            np.concatenate([self.further, other.further]),
            np.concatenate([self.masked, other.masked]),
            np.concatenate([self.group, other.group]),
            self.groups,
        )


def terms(problem: Problem, worker: Worker, front: Front, points: Points, *, real: bool = True) -> Terms:
    """The numbers of a worker's points (or corners) that matter to its mates."""
    masked = front.masked[points.subset]
    counted = masked if problem.max_streams is not None else np.zeros_like(masked)
    return Terms(
        worker,
        real,
        points.subset * front.paths[0].classes + points.hop_class,
        points.time,
        points.area / (worker.kernels * problem.compute_units),
        points.hops * problem.hop_micros,
        front.further[points.subset],
        masked,
        counted.astype(np.uint32),
        int(counted.max(initial=0)) + 1,
    )


def slowdown(problem: Problem, share: float | Floats) -> Floats:
    """1 + alpha for a sum of shares."""
    share = np.asarray(share, dtype=np.float64)
    return np.maximum(1.0, share) if problem.overlap is Overlap.CORRECTED else 1.0 + share


def stream_cost(problem: Problem) -> float:
    """What one further stream in use adds to the sum of weighted quotients."""
    return problem.stream_micros * sum(worker.factor * worker.kernels for worker in problem.workers)
