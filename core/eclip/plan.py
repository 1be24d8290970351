"""A plan: who runs which kernels on which compute units, and what that is expected to bring. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass

CuSet = int
"""A set of CUs as an integer: bit b is CU b in the kernel driver's order (`masks.deal`)."""


@dataclass(frozen=True, slots=True)
class Group:
    """A maximal run of consecutive kernels of one size."""

    first: int
    last: int
    """Index of the last kernel, inclusive."""
    compute_units: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A masked stream of one worker. The application's own stream (the whole GPU, or its ceiling) is never listed."""

    compute_units: int
    cu_set: CuSet


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """The part of a plan that concerns one worker."""

    name: str
    streams: tuple[Stream, ...]
    """Masked streams in use, smallest first, nested."""
    groups: tuple[Group, ...]
    """Cover all kernels of one request, in order."""
    solo_micros: float
    """One request alone on the whole GPU, from the profile."""
    objective_micros: float
    """One request by the paper's formula, sum of beta * (1 + alpha)."""
    predicted_micros: float
    """One request beside its mates, by the contention model."""
    average_compute_units: float
    switches: int
    """Size changes between neighbouring kernels of one request; the wrap to the next request is not counted."""
    wrap_switch: bool
    """True if the last kernel's size differs from the first one's."""
    ceiling: CuSet | None = None
    """CUs of the application's own stream, where HSA_CU_MASK leaves it fewer than the whole GPU; None: all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for one set of active workers on one GPU."""

    product: str
    strategy: str
    objective: float
    """Value of the optimiser's objective; its unit depends on the basis."""
    lower_bound: float
    alpha: float
    solve_millis: float
    workers: tuple[WorkerPlan, ...]

    @property
    def gap(self) -> float:
        """How far the objective may be from the optimum, as a fraction of the objective. Never negative."""
        return max(0.0, (self.objective - self.lower_bound) / self.objective) if self.objective else 0.0


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Plans for the sets of workers that may be active at one time. Keyed by their names; the full mix is there."""

    workers: tuple[str, ...]
    """All workers of the mix, in order; bit i of an active set in the control page is worker i."""
    variants: Mapping[frozenset[str], Plan]

    @property
    def full(self) -> Plan:
        """The plan for all workers active."""
        return self.variants[frozenset(self.workers)]
