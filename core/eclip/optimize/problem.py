"""What the solvers solve: workers with their kernel times, costs, budgets, and what to minimise. Pure data."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from eclip.errors import InputError

Times = npt.NDArray[np.float64]
"""Microseconds, shape [kernels, sizes]."""

Choice = npt.NDArray[np.intp]
"""Index of the size of every kernel of one worker, shape [kernels]."""


class Overlap(StrEnum):
    """How the contention term alpha follows from the sum of the workers' average sizes."""

    CORRECTED = "corrected"
    """max(0, sum - total) / total: workers that fit side by side do not slow each other."""
    PRINTED = "printed"
    """sum / total, as the paper prints equation (8)."""


class Objective(StrEnum):
    """What is minimised. `evaluate.Evaluation.objective` has the formulas."""

    FAIRNESS = "fairness"
    """The weighted sum of the workers' times over their bases: the paper's objective."""
    THROUGHPUT = "throughput"
    """The weighted harmonic mean of the same quotients, that is, most normalised requests per second."""
    ENERGY = "energy"
    """Least predicted energy per normalised request."""
    LATENCY = "latency"
    """Latency objectives hold, then throughput. Needs at least one latency objective."""


@dataclass(frozen=True, slots=True)
class Power:
    """The chip's draw: `idle_watts`, and `cu_watts` more for every CU lent to a worker."""

    idle_watts: float
    cu_watts: float


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """One co-located model.

    Raises InputError when the times do not fit the sizes, or a number makes no sense.
    """

    name: str
    times: Times
    sizes: tuple[int, ...]
    """CUs, ascending; those that the worker may use."""
    weight: float = 1.0
    base_micros: float = 1.0
    """What a request's time is divided by: 1 (the paper's absolute sum) or the solo time (normalised)."""
    latency_micros: float | None = None
    """Longest time that a request may be predicted to take, costs and contention included."""
    max_switches: int | None = None
    """Switches between neighbouring kernels of one request, the wrap not counted. None: no budget."""
    ceiling: int | None = None
    """CUs of its own stream, where that is not the whole GPU."""

    def __post_init__(self) -> None:
        if self.times.ndim != 2 or self.times.shape[1] != len(self.sizes) or not self.times.size:
            raise InputError(
                f"worker {self.name}: times of shape {self.times.shape}, not [kernels >= 1, {len(self.sizes)} sizes]"
            )
        if not np.isfinite(self.times).all() or self.times.min() <= 0:
            raise InputError(f"worker {self.name}: kernel times must be positive and finite")
        if list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < 1:
            raise InputError(f"worker {self.name}: sizes {list(self.sizes)} must be ascending, distinct and positive")
        _positive(self.name, "weight", self.weight)
        _positive(self.name, "base", self.base_micros)
        if self.latency_micros is not None:
            _positive(self.name, "latency objective", self.latency_micros)
        if self.max_switches is not None and self.max_switches < 0:
            raise InputError(f"worker {self.name}: switch budget {self.max_switches} must not be negative")

    @property
    def kernels(self) -> int:
        """Launches per request."""
        return int(self.times.shape[0])

    @property
    def factor(self) -> float:
        """What one microsecond of this worker's request adds to the sum of quotients."""
        return self.weight / self.base_micros

    @property
    def worth(self) -> float:
        """What this worker adds to the sum of rates, times its request's microseconds."""
        return self.weight * self.base_micros


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A mix on one GPU."""

    workers: tuple[Worker, ...]
    compute_units: int
    """That any of the workers can reach: the GPU's, unless all have ceilings."""
    hop_micros: float = 0.0
    """Cost of a switch or of the wrap, to the worker itself."""
    stream_micros: float = 0.0
    """Cost, per launch of every worker, of each further size in use: over all workers, sizes in use less one."""
    max_streams: int | None = None
    """Masked streams of the whole mix. None: no budget. The application's own stream is not counted."""
    overlap: Overlap = Overlap.CORRECTED
    objective: Objective = Objective.FAIRNESS
    power: Power | None = None

    def __post_init__(self) -> None:
        if not self.workers:
            raise InputError("a mix needs at least one worker")
        for worker in self.workers:
            if worker.sizes[-1] > self.compute_units:
                raise InputError(
                    f"worker {worker.name}: size {worker.sizes[-1]} is larger than the GPU's {self.compute_units} CUs"
                )
        for name, cost in (("hop", self.hop_micros), ("stream", self.stream_micros)):
            if not (np.isfinite(cost) and cost >= 0):
                raise InputError(f"{name} cost {cost} us must be finite and not negative")
        if self.max_streams is not None and self.max_streams < 0:
            raise InputError(f"stream budget {self.max_streams} must not be negative")
        if self.objective is Objective.ENERGY and self.power is None:
            raise InputError("objective energy needs the GPU's power numbers")
        if self.objective is Objective.LATENCY and all(worker.latency_micros is None for worker in self.workers):
            raise InputError("objective latency needs a latency objective for at least one worker")

    @property
    def weight(self) -> float:
        """Sum of the workers' weights."""
        return sum(worker.weight for worker in self.workers)

    def masked(self, worker: Worker, size: int) -> bool:
        """Whether the size at this index needs a masked stream."""
        return worker.sizes[size] < (worker.ceiling or self.compute_units)


def alpha(problem: Problem, averages: Sequence[float]) -> float:
    """The contention term: equation (6) with (8), or with its corrected form."""
    overlap = sum(averages)
    if problem.overlap is Overlap.CORRECTED:
        overlap = max(0.0, overlap - problem.compute_units)
    return overlap / problem.compute_units


def _positive(worker: str, what: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise InputError(f"worker {worker}: {what} {value} must be positive and finite")
