"""Events: what was decided, said once, on the object that it concerns. Pure.

They follow from the difference between what is and what is to be, so that a restart repeats nothing.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eclip.api import names
from eclip.api.conditions import Condition, NodeCondition, NodeReason, PolicyCondition
from eclip.api.node import GpuSpec, NodeSpec, SlotSpec
from eclip.api.policy import PolicyStatus
from eclip_operator.inputs import KubeNode, NodeReport, Policy
from eclip_operator.mixes import GpuMix, Place

REFUSED = "ProfileRefused"
"""A wish for a profile; the plan that holds meanwhile is a decision of its own."""
WARNINGS = {"Infeasible", "Conflicted", "Missed", "NotEnforced", "AgentLost", "ProfileMissing", "ProfileMismatch"}
WARNINGS |= {"ProfileInvalid", REFUSED, "Invalid", "Overridden"}
TOLD = {
    PolicyCondition.ACCEPTED,
    PolicyCondition.PROFILES_RESOLVED,
    PolicyCondition.PROGRAMMED,
    PolicyCondition.ENFORCED,
    PolicyCondition.OBJECTIVE_MET,
    PolicyCondition.CONFLICTED,
    PolicyCondition.STRATEGY_OVERRIDDEN,
}
QUIET = {"Accepted", "Resolved", "NoPods", "Planning", "Pending", "NoObjective", "NotMeasured", "NoConflict"}
QUIET |= {"OwnStrategy", "Unmasked", "Emulated"}
"""Reasons that are the normal case, and worth no Event."""
MESSAGE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Event:
    """One Event."""

    kind: str
    api_version: str
    namespace: str | None
    name: str
    uid: str
    reason: str
    message: str
    about: str = ""
    """What of the object is decided, such as a GPU or a condition: of what waits only the latest decision is told."""

    @property
    def home(self) -> str:
        """The namespace that it is kept in."""
        return self.namespace or "default"

    @property
    def title(self) -> str:
        """Its name: the same decision about the same object is the same Event."""
        content = f"{self.uid} {self.reason} {self.message}"
        return f"{self.name[:200]}.{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def body(self, now: datetime) -> dict[str, Any]:
        """As the API server takes it."""
        time = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {"kind": self.kind, "apiVersion": self.api_version, "name": self.name, "uid": self.uid}
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": self.title, "namespace": self.home},
            "involvedObject": involved | ({"namespace": self.namespace} if self.namespace else {}),
            "type": "Warning" if self.reason in WARNINGS else "Normal",
            "reason": self.reason,
            "message": self.message[:MESSAGE_LENGTH],
            "source": {"component": names.OPERATOR},
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        }


def of_policy(policy: Policy, new: PolicyStatus) -> Iterator[Event]:
    """What changes with a new status."""
    was = {condition.type: condition for condition in policy.status.conditions}
    for condition in new.conditions:
        if condition.type in TOLD and _news(was.get(condition.type), condition):
            yield Event(
                "ColocationPolicy",
                f"{names.GROUP}/{names.VERSION}",
                policy.ref.namespace,
                policy.ref.name,
                policy.uid,
                condition.reason,
                condition.message,
                condition.type,
            )


def of_node(report: NodeReport, new: NodeSpec, mixes: Iterable[GpuMix]) -> Iterator[Event]:
    """What changes with a new spec: on the node's object, and on the pods."""
    was = {gpu.id: gpu for gpu in report.spec.gpus}
    mix = {mix.gpu.id: mix for mix in mixes}
    for gpu in new.gpus:
        old = was.get(gpu.id) or GpuSpec(id=gpu.id)
        if (text := _gpu_text(gpu)) != _gpu_text(old):
            reason = "Infeasible" if gpu.message else "Planned"
            yield _of_report(report, reason, text, gpu.id)
        yield from _of_slots(report.name, gpu, old, mix[gpu.id])


def _of_slots(node: str, new: GpuSpec, old: GpuSpec, mix: GpuMix) -> Iterator[Event]:
    was = {(slot.slot, slot.allocation): slot for slot in old.slots}
    places = {place.occupant.slot: place for place in mix.places}
    for slot in new.slots:
        before, place = was.get((slot.slot, slot.allocation)), places.get(slot.slot)
        if place is None or place.occupant.uid is None:
            continue
        if before is None or _slot_text(node, new, before) != _slot_text(node, new, slot):
            yield _of_pod(place, _slot_reason(slot), _slot_text(node, new, slot))


def of_refusals(old: Iterable[GpuMix], new: Iterable[GpuMix]) -> Iterator[Event]:
    """Wishes for a profile that are refused now, and were not before. A restart says it again, as the same Event."""
    told = {(place.occupant.allocation, place.refusal) for mix in old for place in mix.places}
    for place in (place for mix in new for place in mix.places):
        if place.refusal and place.occupant.uid and (place.occupant.allocation, place.refusal) not in told:
            yield _of_pod(place, REFUSED, place.refusal)


def of_labels(node: KubeNode, labels: dict[str, str]) -> Event:
    """A node's GPUs came, changed or went."""
    if labels:
        products, units = labels[names.LABEL_PRODUCT], labels[names.LABEL_COMPUTE_UNITS]
        text = f"{labels[names.LABEL_SHARES]} shares of {products} with {units} compute units"
        return Event("Node", "v1", None, node.name, node.uid, "GPUsLabelled", text)
    return Event("Node", "v1", None, node.name, node.uid, "GPUsGone", "no GPU is shared here any more")


def of_agent(report: NodeReport, *, lost: bool) -> Event:
    """A node's agent was lost, or is there again."""
    reason, text = agent_text(lost=lost)
    return _of_report(report, reason, text, NodeCondition.AGENT_READY.value)


def agent_text(*, lost: bool) -> tuple[str, str]:
    """Reason and message of the condition AgentReady."""
    if lost:
        return NodeReason.AGENT_LOST, "nothing is heard of the node's agent; what it said last may not hold any more"
    return NodeReason.READY, "the node's agent is there"


def _of_pod(place: Place, reason: str, message: str) -> Event:
    occupant = place.occupant
    about = f"{occupant.slot} {reason}" if reason == REFUSED else occupant.slot
    return Event("Pod", "v1", occupant.namespace, occupant.pod, occupant.uid or "", reason, message, about)


def _of_report(report: NodeReport, reason: str, message: str, about: str) -> Event:
    version = f"{names.GROUP}/{names.VERSION}"
    return Event("NodeColocation", version, None, report.name, report.uid, reason, message, about)


def _news(was: Condition | None, now: Condition) -> bool:
    if was is not None and (was.status, was.reason) == (now.status, now.reason):
        # A decision made anew is worth a line, a count that moved is not.
        return now.reason == "Infeasible" and was.message != now.message
    return now.reason not in QUIET


def _gpu_text(gpu: GpuSpec) -> str:
    if gpu.message:
        return f"GPU {gpu.id}: {gpu.message}"
    if gpu.plan is None:
        return f"GPU {gpu.id} is shared unmasked"
    masked = sum(slot.mode == "Enforce" for slot in gpu.slots)
    return (
        f"GPU {gpu.id}: {gpu.plan.strategy} by {gpu.policy} for {masked} slots, {gpu.plan.streams} masked streams, "
        f"gap {gpu.plan.gap:.1%}"
    )


def _slot_reason(slot: SlotSpec) -> str:
    return {"Enforce": "Planned", "Profile": "Profiling"}.get(slot.mode, slot.why or "Unmasked")


def _slot_text(node: str, gpu: GpuSpec, slot: SlotSpec) -> str:
    where = f"GPU {gpu.id} of {node}, slot {slot.slot}"
    if slot.mode == "Profile":
        return f"{where}: its kernels are being measured"
    if slot.mode == "Unmasked":
        return f"{where}: shares the GPU unmasked ({slot.why})"
    slowest = max((worker.predicted_slowdown or 0.0 for worker in slot.workers), default=0.0)
    return f"{where}: {gpu.strategy} by {gpu.policy_of(slot)}, predicted slowdown {slowest:.2f}, groups {slot.groups}"
