"""The spec of a node's object, from its mixes and the answers about them. Pure.

A GPU whose questions are not answered yet keeps the spec that it has: masks go on until the new plan is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from eclip.api import names
from eclip.api.node import GpuSpec, NodeSpec, SlotSpec, Why
from eclip.api.node_status import UNCROWDED, shown
from eclip.api.table import fewer
from eclip_operator import questions
from eclip_operator.inputs import KubeNode, NodeReport
from eclip_operator.mixes import GpuMix, Place
from eclip_operator.questions import Answer, Outcome, Question, Refusal

Outcomes = Mapping[str, Outcome]
"""What was answered so far, by `questions.key`."""
MESSAGE_LENGTH = 512
PROFILING = "Profile"


@dataclass(frozen=True, slots=True)
class Intent:
    """What a node is to have, as far as that is known."""

    spec: NodeSpec
    asks: Mapping[str, Question]
    """Questions that the node's mixes pose, answered or not, by key."""
    mixes: tuple[GpuMix, ...]


def profiled(spec: NodeSpec) -> frozenset[str]:
    """Slots that a spec has in profile mode."""
    return frozenset(slot.slot for gpu in spec.gpus for slot in gpu.slots if slot.mode == PROFILING)


def intent(report: NodeReport, node: KubeNode | None, mixes: tuple[GpuMix, ...], outcomes: Outcomes) -> Intent:
    """The spec that follows from the mixes of a node and the answers that are there."""
    present = {gpu.id: gpu for gpu in report.spec.gpus}
    occupants = sum(len(mix.places) for mix in mixes)
    gpus = []
    for mix in mixes:
        if settled(mix, outcomes):
            gpus.append(_unless_the_same(fitted(_gpu(mix, outcomes), occupants), present.get(mix.gpu.id)))
        elif mix.gpu.id in present:
            gpus.append(present[mix.gpu.id])
    config = dict(node.labels).get(names.LABEL_NODE_CONFIG) if node else report.spec.config
    asks = {questions.key(question): question for mix in mixes for question in mix.questions}
    return Intent(NodeSpec(config=config, gpus=tuple(gpus)), asks, mixes)


def fitted(gpu: GpuSpec, occupants: int) -> GpuSpec:
    """As it is shown on a node with so many occupied slots: of a crowded one, each slot says less, so that the object
    of a full node stays below half a MiB."""
    if occupants <= UNCROWDED:
        return gpu
    slots = (
        slot.model_copy(
            update={
                "policy": None if slot.workload and slot.policy == gpu.policy else slot.policy,
                "groups": fewer(slot.groups, shown(occupants)) if slot.groups else None,
            }
        )
        for slot in gpu.slots
    )
    return gpu.model_copy(update={"slots": tuple(slots)})


def settled(mix: GpuMix, outcomes: Outcomes) -> bool:
    """Whether all is known that the GPU's spec depends on."""
    return not mix.unknown and all(questions.key(question) in outcomes for question in mix.questions)


def programmed(mix: GpuMix, spec: NodeSpec) -> bool:
    """Whether a spec has masks, of whatever plan, for everybody who is to have some here."""
    masked = {(slot.slot, slot.allocation) for gpu in spec.gpus for slot in gpu.slots if slot.mode == "Enforce"}
    seated = {(place.occupant.slot, place.occupant.allocation) for place in mix.places if place.seat is not None}
    return seated <= masked


def outcome(question: Question | None, outcomes: Outcomes) -> Outcome | None:
    """What was answered to a question; None: nothing was asked, or nothing answered."""
    return outcomes.get(questions.key(question)) if question else None


def _unless_the_same(new: GpuSpec, present: GpuSpec | None) -> GpuSpec:
    """How long a plan took to make is no reason to write it again."""
    if present is None or new.plan is None or present.plan is None:
        return new
    timed = new.plan.model_copy(update={"solve_millis": present.plan.solve_millis})
    return present if new.model_copy(update={"plan": timed}) == present else new


def _gpu(mix: GpuMix, outcomes: Outcomes) -> GpuSpec:
    answered = outcome(mix.question, outcomes)
    profiling = outcome(mix.profiling, outcomes)
    return GpuSpec(
        id=mix.gpu.id,
        policy=str(mix.lead.ref) if mix.lead else None,
        strategy=mix.lead.spec.strategy if mix.lead else None,
        plan=answered.plan if isinstance(answered, Answer) else None,
        message=next((out.message[:MESSAGE_LENGTH] for out in (answered, profiling) if isinstance(out, Refusal)), None),
        slots=tuple(_slot(place, answered, profiling) for place in mix.places),
    )


def _slot(place: Place, answered: Outcome | None, profiling: Outcome | None) -> SlotSpec:
    workload = place.governed.workload if place.governed else None
    bare = SlotSpec(
        slot=place.occupant.slot,
        allocation=place.occupant.allocation,
        policy=str(place.policy) if place.policy else None,
        workload=workload.name if workload else None,
        objective_p95_micros=workload.latency.p95_micros if workload and workload.latency else None,
    )
    if place.profiling and isinstance(profiling, Answer):
        return bare.model_copy(update={"mode": PROFILING, "table": profiling.seats[0].table})
    if place.seat is not None and isinstance(answered, Answer):
        part = answered.seats[place.seat]
        update = {"mode": "Enforce", "table": part.table, "workers": part.workers, "groups": part.groups}
        return bare.model_copy(update=update)
    return bare.model_copy(update={"why": _why(place, answered)})


def _why(place: Place, answered: Outcome | None) -> Why:
    if place.governed is None:
        return "NoPolicy"
    if place.resolution.reason in get_args(Why):
        return cast(Why, place.resolution.reason)
    if isinstance(answered, Refusal) and answered.reason == "Infeasible":
        return "Infeasible"
    return "ProfileInvalid"
