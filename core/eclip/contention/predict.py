"""What a plan will bring: its workers side by side in the contention model, in closed loops. Pure.

The plan's formula (`optimize`) is a proxy that solvers can search; this is the prediction that users see. It knows the
kernels' demands only by inference from their profiles (`demand`), and plays the order of packets that the interposer
makes: on the null stream the runtime orders everything but a change of stream; on a stream of the application's own
every redirected kernel is forked from it and joined to it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from eclip.contention import Chip, Load, Loop, Outcome, Step, closed_loop
from eclip.contention.demand import Demand, Spread, infer
from eclip.documents.profile import KernelCall, KernelProfile
from eclip.errors import InputError
from eclip.gpu import atoms, masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet, Group, Stream

REQUESTS = 12
"""Of the slowest worker, after its first: the mean over them moves by less than 1 % with more."""
HOP_BARRIERS = 2
"""Between two masked streams, for the null stream: a record behind the one kernel, a wait before the next."""
OWN_STREAM_BARRIERS = 2
"""Between a masked stream and the null stream, by the runtime itself: a marker on one, a wait on the other."""
FORK_BARRIERS = 2
"""Before a kernel redirected from a stream of the application's: a record there, a wait on the masked stream."""
JOIN_BARRIERS = 1
"""After it: a wait on the application's stream for the kernel's own completion signal."""

LEAST_SHARE = 0.1
"""Of a measured time that is the kernel's own, however short it is: a front end may be faster than the table says."""


@dataclass(frozen=True, slots=True)
class PlannedWorker:
    """A worker, and which of its kernels run where."""

    profile: KernelProfile
    groups: tuple[Group, ...]
    """Cover all kernels of one request, in order."""
    streams: tuple[Stream, ...]
    """Its masked streams; a group of another size must be of the application's own stream."""
    request_gap_micros: float = 0.0
    """The host's time between two requests, copies included, without the front end's for the first kernel. 0: not
    known; a request then seems shorter than it is."""
    ceiling: CuSet | None = None
    """CUs of the application's own stream; None: the whole GPU."""


def predict(gpu: Gpu, product: Product, workers: Sequence[PlannedWorker]) -> tuple[float, ...]:
    """Microseconds per request of every worker beside its mates. InputError where plan and profile do not fit."""
    return forecast(gpu, product, workers).period_micros


def forecast(gpu: Gpu, product: Product, workers: Sequence[PlannedWorker]) -> Outcome:
    """The same with power and busy CUs."""
    return closed_loop(Chip.of(gpu, product), loops(gpu, product, workers), REQUESTS)


def loops(gpu: Gpu, product: Product, workers: Sequence[PlannedWorker]) -> list[Loop]:
    """The workers as the contention model takes them, their starts spread over a request."""
    chip = Chip.of(gpu, product)
    made = []
    for index, planned in enumerate(workers):
        worker = replace(planned, profile=_executions(planned.profile, product.launch_micros))
        spreads = _spreads(gpu, product, worker.profile.sizes)
        steps = _steps(chip, worker, [infer(call, spreads) for call in worker.profile.kernels])
        solo = sum(step.load.solo_micros for step in steps)
        made.append(Loop(steps, index / len(workers) * solo, worker.request_gap_micros))
    return made


def _executions(profile: KernelProfile, launch_micros: float) -> KernelProfile:
    """The times of the kernels alone. A measured time runs from the end of the event's packet before the kernel to the
    kernel's end (HIP 5.2.3, hipExtLaunchKernel), so that it holds the front end's time for the kernel, which the
    contention model adds by itself."""
    if profile.origin != "Measured":
        return profile
    return replace(profile, kernels=tuple(_execution(call, launch_micros) for call in profile.kernels))


@lru_cache(maxsize=1 << 14)
def _execution(call: KernelCall, launch_micros: float) -> KernelCall:
    return replace(call, micros=tuple(max(micros - launch_micros, LEAST_SHARE * micros) for micros in call.micros))


def _steps(chip: Chip, worker: PlannedWorker, demands: Sequence[Demand]) -> tuple[Step, ...]:
    profile = worker.profile
    sizes = _sizes_of_kernels(worker)
    places = {stream.compute_units: (index + 1, stream.cu_set) for index, stream in enumerate(worker.streams)}
    own = chip.whole if worker.ceiling is None else chip.whole & worker.ceiling
    places[own.bit_count()] = (0, own)
    steps = []
    for index, (call, demand, size) in enumerate(zip(profile.kernels, demands, sizes, strict=True)):
        stream, cu_set = _place(places, worker, size)
        micros = _micros(profile, call.micros, size, masked=stream > 0)
        load = Load(cu_set, micros, demand.busy_cus(size, micros), _traffic(chip, demand.memory_micros, micros))
        lead = chip.barrier_micros * _barriers(profile, index, stream, _place(places, worker, sizes[index - 1])[0])
        steps.append(Step(load, stream, lead))
    return tuple(steps)


def _sizes_of_kernels(worker: PlannedWorker) -> list[int]:
    """Size of every kernel."""
    sizes = [group.compute_units for group in worker.groups for _ in range(group.first, group.last + 1)]
    if len(sizes) != len(worker.profile.kernels):
        raise InputError(
            f"profile {worker.profile.name}: groups cover {len(sizes)} kernels, the profile has "
            f"{len(worker.profile.kernels)}"
        )
    return sizes


def _place(places: dict[int, tuple[int, CuSet]], worker: PlannedWorker, size: int) -> tuple[int, CuSet]:
    if size not in places:
        raise InputError(
            f"profile {worker.profile.name}: a group wants {size} CUs, but streams exist for {sorted(places)}"
        )
    return places[size]


def _micros(profile: KernelProfile, micros: tuple[float, ...], size: int, *, masked: bool) -> float:
    """A ceiling may have any number of CUs; it counts as the nearest smaller size."""
    nearest = bisect_right(profile.sizes, size) - 1
    if nearest < 0 or (masked and profile.sizes[nearest] != size):
        raise InputError(f"profile {profile.name}: size {size} was not profiled; profiled are {list(profile.sizes)}")
    return micros[nearest]


def _traffic(chip: Chip, memory_micros: float, micros: float) -> float:
    return chip.bytes_per_micro * min(1.0, memory_micros / micros)


def _barriers(profile: KernelProfile, index: int, stream: int, before: int) -> int:
    """Barrier packets, one after the other, between a kernel and the one before it."""
    if not _runtime_joins(profile):
        return (JOIN_BARRIERS if before else 0) + (FORK_BARRIERS if stream else 0)
    if index == 0 or stream == before:
        return 0  # the host has waited for the request before
    return HOP_BARRIERS if stream and before else OWN_STREAM_BARRIERS


def _runtime_joins(profile: KernelProfile) -> bool:
    """Whether the null stream's rules hold: it alone is used. A profile that does not say was taken on it."""
    return set(profile.streams) <= {"Null"}


def _spreads(gpu: Gpu, product: Product, sizes: Sequence[int]) -> tuple[Spread, ...]:
    """How the sizes lie on the chip when a layout hands them out: atoms in order of preference."""
    engine_of = [cu.engine for cu in masks.deal(gpu)]
    pool = atoms.atoms(gpu, product.atom)
    spreads = []
    for size in sizes:
        cus = [0] * (max(engine_of) + 1)
        for atom in pool:
            if sum(cus) >= size:
                break
            for bit in range(gpu.compute_units):
                cus[engine_of[bit]] += atom >> bit & 1
        used = [count for count in cus if count]
        spreads.append(Spread(size, len(used), min(used)))
    return tuple(spreads)
