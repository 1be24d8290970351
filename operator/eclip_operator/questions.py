"""What the planner is asked, and what it answers. Pure data.

Equal mixes ask equal questions, whatever node they are on.

A seat is a container's place in a mix; one that serves several models is several workers in one seat.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache

from eclip.api.node import PlanSummary, SlotWorker
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet


@dataclass(frozen=True, slots=True)
class Chip:
    """What a plan depends on of a GPU."""

    product: str
    gfx: str
    active: tuple[tuple[tuple[int, ...], ...], ...]

    @property
    def gpu(self) -> Gpu:
        """The GPU as the planner takes it, without anything that tells it from its equals."""
        return Gpu(
            node=1,
            product=self.product,
            gfx=self.gfx,
            active=self.active,
            unique_id=0,
            render_minor=128,
            numa_node=None,
            vram_bytes=0,
        )


@dataclass(frozen=True, slots=True, order=True)
class Worker:
    """One model of a seat."""

    profile: str
    """Name of the KernelProfile."""
    digest: str
    """Of the profile's content."""
    model: str = ""
    """As the policy calls it; empty: the only one."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A container in a mix."""

    workload: str
    workers: tuple[Worker, ...]
    weight: float
    best_effort: bool = False
    latency_micros: float | None = None
    limits: tuple[int, int] | None = None
    max_switches: int | None = None
    ceiling: CuSet | None = None
    """The CUs that the container can get at; None: all."""

    @property
    def order(self) -> tuple[object, ...]:
        """Seats are sorted by this, so that the order of slots does not matter."""
        return (
            self.workload,
            self.workers,
            self.weight,
            self.best_effort,
            self.latency_micros or 0.0,
            self.limits or (0, 0),
            -1 if self.max_switches is None else self.max_switches,
            self.ceiling or 0,
        )


@dataclass(frozen=True, slots=True)
class MixQuestion:
    """How should these pods share this chip?"""

    chip: Chip
    seats: tuple[Seat, ...]
    """In their `Seat.order`."""
    options: tuple[tuple[str, object], ...]

    @property
    def profiles(self) -> frozenset[str]:
        """Digests of the profiles that the answer needs."""
        return frozenset(worker.digest for seat in self.seats for worker in seat.workers)


@dataclass(frozen=True, slots=True)
class ProfilingQuestion:
    """On which streams is a pod profiled on this chip?"""

    chip: Chip

    @property
    def profiles(self) -> frozenset[str]:
        """None are needed."""
        return frozenset()


Question = MixQuestion | ProfilingQuestion


@lru_cache(maxsize=4096)
def key(question: Question) -> str:
    """Content address of a question: plans are cached by it."""
    return hashlib.sha256(_canonical(question).encode()).hexdigest()


def _canonical(value: object) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        inside = ",".join(f"{part.name}={_canonical(getattr(value, part.name))}" for part in fields(value))
        return f"{type(value).__name__}({inside})"
    if isinstance(value, tuple):
        return f"[{','.join(map(_canonical, value))}]"
    return repr(value)


@dataclass(frozen=True, slots=True)
class SeatAnswer:
    """A container's part of a plan."""

    table: str
    """Name of its LookupTable."""
    workers: tuple[SlotWorker, ...] = ()
    groups: str | None = None
    """While everybody is active, as `eclip.api.table.summary` shows them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan, made."""

    seats: tuple[SeatAnswer, ...]
    """As the question's."""
    tables: Mapping[str, str] = field(repr=False)
    """By name: the LookupTable as JSON."""
    plan: PlanSummary | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """No plan: why, with what was asked and what there is."""

    reason: str
    """``Infeasible`` or ``Invalid``."""
    message: str


Outcome = Answer | Refusal
