"""How kernels that run at one time share a chip: the fluid model of native/contention, the emulated GPU's own.

Times are in GPU microseconds, traffic in bytes per microsecond, CU sets in the kernel driver's bit order. The rules are
in native/contention/README.md.
"""

import ctypes
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from eclip.contention import abi as abi
from eclip.errors import InputError
from eclip.gpu import masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet


@dataclass(frozen=True)
class Chip:
    """A chip, as far as sharing is concerned. Field meanings and units: `products.Product`."""

    engine_of: tuple[int, ...]
    """Shader engine of every CU, counted over all XCCs; index = driver bit."""
    bytes_per_micro: float
    cu_bytes_per_micro: float
    launch_micros: float
    barrier_micros: float
    stream_micros: float
    queue_slots: int
    quantum_micros: float
    idle_watts: float
    cu_watts: float
    byte_microjoules: float

    def __post_init__(self) -> None:
        _at_most("CUs", len(self.engine_of), abi.MAX_CUS)
        _at_most("shader engines", self.engines, abi.MAX_ENGINES)

    @classmethod
    def of(cls, gpu: Gpu, product: Product) -> "Chip":
        """The chip of a GPU, its costs from the product table."""
        return cls(
            engine_of=tuple(cu.engine for cu in masks.deal(gpu)),
            bytes_per_micro=product.bytes_per_micro,
            cu_bytes_per_micro=product.cu_bytes_per_micro,
            launch_micros=product.launch_micros,
            barrier_micros=product.barrier_micros,
            stream_micros=product.stream_micros,
            queue_slots=product.queue_slots,
            quantum_micros=product.quantum_micros,
            idle_watts=product.idle_watts,
            cu_watts=product.cu_watts,
            byte_microjoules=product.byte_microjoules,
        )

    @property
    def compute_units(self) -> int:
        """CUs of the whole chip."""
        return len(self.engine_of)

    @property
    def engines(self) -> int:
        """Shader engines over all XCCs."""
        return max(self.engine_of) + 1

    @property
    def whole(self) -> CuSet:
        """All CUs."""
        return (1 << self.compute_units) - 1

    @cached_property
    def native(self) -> abi.Chip:
        """The chip as the native library takes it."""
        chip = abi.Chip(compute_units=self.compute_units, engines=self.engines)
        chip.engine_of[: self.compute_units] = self.engine_of
        for name in ("bytes_per_micro", "cu_bytes_per_micro", "launch_micros", "barrier_micros", "stream_micros",
                     "queue_slots", "quantum_micros", "idle_watts", "cu_watts", "byte_microjoules"):  # fmt: skip
            setattr(chip, name, getattr(self, name))
        return chip


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kernel is made of, independent of any mask."""

    workgroups: float
    workgroups_per_cu: float
    """Resident at one time on one CU."""
    wave_micros: float
    """Time of one full wave of workgroups on a CU, without memory limits."""
    bytes: float
    """Memory traffic in all."""


@dataclass(frozen=True, slots=True)
class Load:
    """A kernel on one mask, alone."""

    cu_set: CuSet
    solo_micros: float
    busy_cus: float
    """CUs kept busy on average while it runs alone."""
    bytes_per_micro: float

    def native(self) -> abi.Load:
        """The load as the native library takes it."""
        return abi.Load(_mask(self.cu_set), self.solo_micros, self.busy_cus, self.bytes_per_micro)


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel of a closed loop."""

    load: Load
    stream: int
    """Which of the worker's hardware queues it runs on, counted from 0."""
    lead_micros: float = 0.0
    """What its queue waits for barriers beyond the end of the step before."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A worker that sends its next request when the last one is done."""

    steps: tuple[Step, ...]
    start_micros: float = 0.0
    """When the first request is sent. Equal workers that start together stay in step, which no host keeps up."""
    request_gap_micros: float = 0.0
    """Between a request's last kernel and the next request's first dispatch: the host."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a closed loop came to while all workers were active. Tuples are indexed by worker."""

    period_micros: tuple[float, ...]
    """Mean time of one request."""
    slowest_micros: tuple[float, ...]
    """Time of the slowest request seen."""
    busy_cus: float
    bytes_per_micro: float
    watts: float
    """Mean draw, idle power included."""

    @property
    def requests_per_second(self) -> tuple[float, ...]:
        """Throughput of every worker."""
        return tuple(1e6 / micros for micros in self.period_micros)


def load_of(chip: Chip, shape: Shape, cu_set: CuSet) -> Load:
    """Solo time and demands of a kernel of this shape on a mask."""
    load = abi.Load()
    numbers = abi.Shape(shape.workgroups, shape.workgroups_per_cu, shape.wave_micros, shape.bytes)
    abi.library().eclip_load_of(chip.native, numbers, _mask(cu_set), load)
    return Load(cu_set, load.solo_micros, load.busy_cus, load.bytes_per_micro)


class Fluid:
    """The kernels on a chip and how far they have come."""

    def __init__(self, chip: Chip, now: float = 0.0) -> None:
        self._library = abi.library()
        self._chip = chip
        self._state = abi.Fluid()
        self._library.eclip_fluid_init(self._state, now)

    @property
    def now(self) -> float:
        """GPU microseconds."""
        return float(self._state.now)

    @property
    def microjoules(self) -> float:
        """Energy since the start, idle power included."""
        return float(self._state.joules_micro)

    @property
    def busy_cus(self) -> float:
        """CUs that are busy now."""
        return float(self._state.busy_cus)

    @property
    def watts(self) -> float:
        """Draw now, idle power included."""
        chip = self._chip
        return (
            chip.idle_watts + chip.cu_watts * self.busy_cus + chip.byte_microjoules * float(self._state.bytes_per_micro)
        )

    @property
    def speeds(self) -> dict[int, float]:
        """Speed of every running kernel, by id, of that alone: in (0, 1]."""
        return {running.id: running.speed for running in self._state.running[: self._state.count]}

    def start(self, load: Load) -> int:
        """Starts a kernel now and returns its id. InputError if the chip is full."""
        kernel = int(self._library.eclip_fluid_start(self._chip.native, self._state, load.native()))
        if not kernel:
            raise InputError(f"{abi.MAX_RUNNING} kernels run on the chip already; that is the most the model can hold")
        return kernel

    def remove(self, kernel: int) -> None:
        """Takes a kernel away before it is done; nothing happens if it is gone."""
        self._library.eclip_fluid_remove(self._chip.native, self._state, kernel)

    def next_finish(self) -> float:
        """When the next kernel finishes at the present speeds; infinity if none runs."""
        return float(self._library.eclip_fluid_next_finish(self._state))

    def advance(self, until: float = math.inf) -> int | None:
        """Goes on to the first finish, or to `until`. The id of the kernel that finished, None at `until`."""
        if until == math.inf and not self._state.count:
            return None
        return int(self._library.eclip_fluid_advance(self._chip.native, self._state, until)) or None

    def busy(self) -> tuple[float, ...]:
        """The part of every CU that is busy now."""
        parts = (ctypes.c_double * self._chip.compute_units)()
        self._library.eclip_fluid_busy(self._chip.native, self._state, parts)
        return tuple(parts)


def closed_loop(chip: Chip, loops: Sequence[Loop], requests: int) -> Outcome:
    """Runs the workers side by side until each has finished `requests` requests after its first. See `Outcome`."""
    _at_most("workers", len(loops), abi.MAX_WORKERS)
    native = (abi.Worker * len(loops))()
    steps = [_steps(loop) for loop in loops]
    for worker, loop, own in zip(native, loops, steps, strict=True):
        worker.steps, worker.count = own, len(loop.steps)
        worker.start_micros, worker.request_gap_micros = loop.start_micros, loop.request_gap_micros
    outcome, scratch = abi.Outcome(), abi.Fluid()
    if abi.library().eclip_closed_loop(chip.native, native, len(loops), requests, scratch, outcome):
        raise InputError(
            f"closed loop of {len(loops)} workers and {requests} requests: must be one request or more, and for every "
            f"worker steps with positive times, streams below {abi.MAX_LOOP_STREAMS} and no negative waits"
        )
    return Outcome(
        period_micros=tuple(outcome.period_micros[: len(loops)]),
        slowest_micros=tuple(outcome.slowest_micros[: len(loops)]),
        busy_cus=outcome.busy_cus,
        bytes_per_micro=outcome.bytes_per_micro,
        watts=outcome.watts,
    )


def _steps(loop: Loop) -> "ctypes.Array[abi.Step]":
    made: dict[Load, abi.Load] = {}
    native = (abi.Step * len(loop.steps))()
    for place, step in zip(native, loop.steps, strict=True):
        if step.load not in made:
            made[step.load] = step.load.native()
        place.load, place.stream, place.lead_micros = made[step.load], step.stream, step.lead_micros
    return native


def _mask(cu_set: CuSet) -> abi.CuSet:
    return abi.CuSet.from_buffer_copy(cu_set.to_bytes(ctypes.sizeof(abi.CuSet), "little"))


def _at_most(what: str, count: int, limit: int) -> None:
    if not 1 <= count <= limit:
        raise InputError(f"{count} {what}: the contention model takes 1 to {limit}")
