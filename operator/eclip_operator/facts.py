"""What is so about each container that a policy governs: the raw material of policy statuses. Pure."""

from dataclasses import dataclass

from eclip.api.node_status import SlotState
from eclip_operator.inputs import Figures, NodeReport, Ref
from eclip_operator.mixes import GpuMix, Place
from eclip_operator.nodes import Outcomes, outcome, settled
from eclip_operator.questions import Answer, Refusal, SeatAnswer


@dataclass(frozen=True, slots=True)
class Fact:
    """One container with a share, under one policy."""

    policy: Ref
    losers: tuple[Ref, ...]
    """Policies that match it, too."""
    lead: Ref
    """Whose strategy holds on its GPU."""
    strategy: str
    node: str
    gpu: str
    product: str
    compute_units: int
    pod: Ref
    workload: str
    masked: bool
    """Whether the plan has masks for it; while one is made, the plan before it."""
    planning: bool
    """Whether its plan is being made."""
    infeasible: str
    """Why no plan can be made; empty if one can."""
    unresolved: str
    """Why it has no profile: the reason of the condition."""
    detail: str
    """The same for people; else the profiles in use."""
    state: SlotState
    why: str
    """Reason of its state."""
    objective_micros: float | None
    emulated: bool
    """Whether nothing can be measured on its GPU."""
    mean_micros: float | None
    p95_micros: float | None
    solo_micros: float | None
    predicted_slowdown: float | None
    workers: int
    """Workers in the plan of its GPU."""
    gap: float | None

    @property
    def slowdown(self) -> float | None:
        """Mean time of a request over the time of one alone, as measured."""
        return self.mean_micros / self.solo_micros if self.mean_micros and self.solo_micros else None

    @property
    def late(self) -> bool | None:
        """Whether it misses its objective; None: none was set, or nothing is measured."""
        if self.objective_micros is None or self.p95_micros is None:
            return None
        return self.p95_micros > self.objective_micros


def facts(report: NodeReport, mixes: tuple[GpuMix, ...], outcomes: Outcomes, *, lost: bool) -> tuple[Fact, ...]:
    """All facts of one node.

    Args:
        lost: nothing is heard of its agent: what it said last is not believed any more.
    """
    return tuple(
        _fact(report, mix, place, outcomes, lost=lost) for mix in mixes for place in mix.places if place.governed
    )


def _fact(report: NodeReport, mix: GpuMix, place: Place, outcomes: Outcomes, *, lost: bool) -> Fact:
    governed, lead = place.governed, mix.lead
    assert governed is not None
    assert lead is not None
    answered = outcome(mix.question, outcomes)
    seat = answered.seats[place.seat] if isinstance(answered, Answer) and place.seat is not None else None
    latency = governed.workload.latency
    planning = not settled(mix, outcomes)
    measured = Figures() if lost or mix.gpu.emulated else place.occupant.figures
    return Fact(
        policy=governed.policy.ref,
        losers=governed.losers,
        lead=lead.ref,
        strategy=lead.spec.strategy,
        node=report.name,
        gpu=mix.gpu.id,
        product=mix.gpu.product,
        compute_units=mix.gpu.compute_units,
        pod=Ref(place.occupant.namespace, place.occupant.pod),
        workload=governed.workload.name,
        masked=seat is not None or (planning and _programmed(report, place)),
        planning=planning,
        infeasible=answered.message if isinstance(answered, Refusal) and place.seat is not None else "",
        unresolved=place.resolution.reason,
        detail=place.resolution.message or ", ".join(worker.profile for worker in place.resolution.workers),
        state=SlotState.UNKNOWN if lost else place.occupant.state,
        why="AgentLost" if lost else place.occupant.reason,
        objective_micros=latency.p95_micros if latency else None,
        emulated=mix.gpu.emulated,
        mean_micros=measured.mean_micros,
        p95_micros=measured.p95_micros,
        solo_micros=_solo(seat),
        predicted_slowdown=_slowdown(seat),
        workers=sum(len(other.workers) for other in answered.seats) if isinstance(answered, Answer) else 0,
        gap=answered.plan.gap if isinstance(answered, Answer) and answered.plan else None,
    )


def _programmed(report: NodeReport, place: Place) -> bool:
    """Whether the spec that is there has masks for this occupant."""
    mine = (place.occupant.slot, place.occupant.allocation)
    slots = (slot for gpu in report.spec.gpus for slot in gpu.slots)
    return any((slot.slot, slot.allocation) == mine and slot.mode == "Enforce" for slot in slots)


def _solo(seat: SeatAnswer | None) -> float | None:
    """Of the only model; several models have no common request."""
    return seat.workers[0].solo_micros if seat and len(seat.workers) == 1 else None


def _slowdown(seat: SeatAnswer | None) -> float | None:
    slowdowns = [worker.predicted_slowdown for worker in seat.workers] if seat else []
    return max((slowdown for slowdown in slowdowns if slowdown is not None), default=None)
