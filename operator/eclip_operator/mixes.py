"""Who shares each GPU of a node, by which rules, and what the planner is to be asked about it. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from eclip.api.policy import Workload
from eclip_operator.governance import Governed, govern
from eclip_operator.inputs import GpuReport, NodeReport, Occupant, Pod, PodKey, Policy, Ref, World
from eclip_operator.profiles import Resolution, resolve
from eclip_operator.questions import Chip, MixQuestion, ProfilingQuestion, Question, Seat


@dataclass(frozen=True, slots=True)
class Place:
    """One occupant, and what is intended for it."""

    occupant: Occupant
    governed: Governed | None = None
    resolution: Resolution = field(default_factory=Resolution)
    seat: int | None = None
    """Index into the question's seats; None: it shares the GPU unmasked, or is profiled."""
    profiling: bool = False
    refusal: str = ""
    """Why a wish to profile it is not granted."""

    @property
    def policy(self) -> Ref | None:
        """Who governs it."""
        return self.governed.policy.ref if self.governed else None


@dataclass(frozen=True, slots=True)
class GpuMix:
    """A GPU, its places, and the questions to be answered before they can be programmed."""

    gpu: GpuReport
    places: tuple[Place, ...]
    lead: Policy | None = None
    """The oldest policy with a worker here: its strategy and objective hold."""
    question: MixQuestion | None = None
    """None: nobody is masked here."""
    profiling: ProfilingQuestion | None = None
    unknown: tuple[PodKey, ...] = ()
    """Pods that nobody has looked for yet; the GPU is left alone until then."""

    @property
    def questions(self) -> tuple[Question, ...]:
        """All that must be answered."""
        return tuple(question for question in (self.question, self.profiling) if question is not None)


def mixes(report: NodeReport, world: World, running: frozenset[str]) -> tuple[GpuMix, ...]:
    """The mixes of all GPUs of a node.

    Args:
        running: slots of the node that are in profile mode already.
    """
    return tuple(_mix(report, gpu, world, running) for gpu in report.gpus)


def _mix(report: NodeReport, gpu: GpuReport, world: World, running: frozenset[str]) -> GpuMix:
    unknown = tuple(dict.fromkeys(one.key for one in gpu.occupants if one.key not in world.pods))
    if unknown:
        return GpuMix(gpu, tuple(Place(occupant) for occupant in gpu.occupants), unknown=unknown)
    chip = Chip(gpu.product, gpu.gfx, gpu.active)
    places = [_place(report.name, gpu, occupant, world, running) for occupant in gpu.occupants]
    masked = [place for place in places if place.resolution.workers and not place.profiling]
    profiled = any(place.profiling for place in places)
    lead = min((place.governed.policy for place in places if place.governed), key=lambda p: p.age, default=None)
    if lead is None or not masked:
        return GpuMix(gpu, tuple(places), lead, profiling=ProfilingQuestion(chip) if profiled else None)
    seats = zip(_seats(masked, gpu), (place.occupant.slot for place in masked), strict=True)
    seated = sorted(seats, key=lambda pair: (pair[0].order, pair[1]))
    number = {slot: index for index, (_, slot) in enumerate(seated)}
    return GpuMix(
        gpu=gpu,
        places=tuple(replace(place, seat=number.get(place.occupant.slot)) for place in places),
        lead=lead,
        question=MixQuestion(chip, tuple(seat for seat, _ in seated), _options(lead)),
        profiling=ProfilingQuestion(chip) if profiled else None,
    )


def _place(node: str, gpu: GpuReport, occupant: Occupant, world: World, running: frozenset[str]) -> Place:
    pod = world.pods[occupant.key]
    if pod is None or pod.node != node or occupant.uid not in (None, pod.uid):
        # The node names a pod that is not there, or not on it: nothing is believed about it.
        return Place(occupant)
    governed = govern(world.policies_of(occupant.namespace), node, gpu, occupant, dict(pod.labels))
    granted, refusal = _wish(pod, gpu, occupant, running)
    if governed is None:
        return Place(occupant, profiling=granted, refusal=refusal)
    resolution = resolve(governed.workload, governed.policy.ref.namespace, gpu, world.profiles)
    return Place(occupant, governed, resolution, profiling=granted, refusal=refusal)


def _wish(pod: Pod, gpu: GpuReport, occupant: Occupant, running: frozenset[str]) -> tuple[bool, str]:
    """Whether this pod is profiled now, and why not if somebody asked for it."""
    if pod.profiling is None:
        return False, ""
    if occupant.ceiling is not None:
        return False, (
            f"its slot's ceiling leaves it {occupant.ceiling.bit_count()} of {gpu.compute_units} CUs, and a profile "
            "needs the whole GPU; profile a pod on a node without a ceiling"
        )
    if occupant.slot in running or pod.profiling == "shared":
        return True, ""
    busy = [other for other in gpu.occupants if other.busy and other.slot != occupant.slot]
    if not busy:
        return True, ""
    names = ", ".join(f"{other.namespace}/{other.pod}" for other in busy[:3])
    return False, f"{len(busy)} other containers are busy on GPU {gpu.id} ({names}); wait, or ask for a shared profile"


def _seats(places: Sequence[Place], gpu: GpuReport) -> list[Seat]:
    scale = _scales(places)
    return [
        _seat(place.governed.workload, place, scale[place.governed.policy.ref.namespace], gpu)
        for place in places
        if place.governed
    ]


def _scales(places: Sequence[Place]) -> dict[str, float]:
    """By namespace: what makes the weights of its workers add up to their number."""
    workers, weights = Counter[str](), Counter[str]()
    for place in places:
        if place.governed:
            namespace, count = place.governed.policy.ref.namespace, len(place.resolution.workers)
            workers[namespace] += count
            weights[namespace] += count * place.governed.workload.weight
    return {namespace: workers[namespace] / weights[namespace] for namespace in workers}


def _seat(workload: Workload, place: Place, scale: float, gpu: GpuReport) -> Seat:
    limits = workload.compute_units
    return Seat(
        workload=workload.name,
        workers=place.resolution.workers,
        weight=workload.weight * scale,
        best_effort=workload.class_ == "BestEffort",
        latency_micros=workload.latency.p95_micros if workload.latency else None,
        limits=(limits.min or 1, limits.max or gpu.compute_units) if limits else None,
        max_switches=workload.max_switches,
        ceiling=place.occupant.ceiling,
    )


def _options(lead: Policy) -> tuple[tuple[str, object], ...]:
    spec = lead.spec
    return (
        ("strategy", spec.strategy),
        ("objective", spec.objective),
        ("basis", spec.objective_basis),
        ("solver", spec.solver),
    )
