"""The conditions of a node's object. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from eclip.api.conditions import Condition, NodeCondition, NodeReason, Status
from eclip.api.node_status import GpuStatus, Health, HealthReason, SlotState
from eclip.node.report import Report

_SHOWN = 3
_LONGEST = 1024


@dataclass(frozen=True, slots=True)
class Trouble:
    """A slot whose table could not be put in force."""

    slot: str
    reason: NodeReason
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """What conditions are made from."""

    report: Report | None
    """The plugin's; None: there is none that can be read."""
    plugin_runs: bool
    kubelet_answers: bool
    gpus: Sequence[GpuStatus]
    troubles: Sequence[Trouble]
    waiting: Sequence[str]
    """Slots whose table has not come yet."""


@dataclass(frozen=True, slots=True)
class _Finding:
    type: NodeCondition
    status: Status
    reason: NodeReason
    message: str


def conditions(view: View, now: datetime, generation: int | None) -> tuple[Condition, ...]:
    """All conditions, each as if it had changed now; `conditions.take_over` keeps the older times."""
    parts = (_config(view), _plugin(view), _gpus(view), _programmed(view), _enforced(view))
    return tuple(
        Condition(
            type=found.type,
            status=found.status,
            reason=found.reason,
            message=found.message[:_LONGEST],
            last_transition_time=now,
            observed_generation=generation,
        )
        for found in (*parts, _ready(parts))
    )


def _config(view: View) -> _Finding:
    kind = NodeCondition.CONFIG_VALID
    if view.report is None:
        return _Finding(kind, "Unknown", NodeReason.NOT_RUNNING, "the device plugin has not reported yet")
    config = view.report.config
    if config.valid:
        return _Finding(kind, "True", NodeReason.VALID, f"node config {config.in_force} is in force")
    kept = f"; {config.in_force} stays in force" if config.in_force else ""
    return _Finding(kind, "False", NodeReason.INVALID, f"node config {config.name}: {config.message}{kept}")


def _plugin(view: View) -> _Finding:
    kind = NodeCondition.PLUGIN_READY
    if view.report is None or not view.plugin_runs:
        return _Finding(kind, "False", NodeReason.NOT_RUNNING, "the device plugin does not run on this node")
    if not view.report.registered:
        return _Finding(kind, "False", NodeReason.NOT_REGISTERED, "kubelet has not registered the device plugin")
    if not view.kubelet_answers:
        lost = "kubelet does not say which pod has which share"
        return _Finding(kind, "Unknown", NodeReason.KUBELET_LOST, lost)
    return _Finding(kind, "True", NodeReason.REGISTERED, f"{view.report.resource} is offered to kubelet")


def _gpus(view: View) -> _Finding:
    kind = NodeCondition.GPUS_HEALTHY
    if not view.gpus:
        return _Finding(kind, "False", NodeReason.NO_GPUS, "no GPU is offered on this node")
    ill = [gpu for gpu in view.gpus if gpu.health is not Health.HEALTHY]
    if not ill:
        return _Finding(kind, "True", NodeReason.HEALTHY, f"{len(view.gpus)} of {len(view.gpus)} GPUs can be given out")
    twice = any(gpu.health_reason is HealthReason.DOUBLE_ADVERTISED for gpu in ill)
    reason = NodeReason.DOUBLE_ADVERTISED if twice else NodeReason.UNHEALTHY
    each = [f"GPU {gpu.id}: {gpu.health_reason.value if gpu.health_reason else gpu.health.value}" for gpu in ill]
    return _Finding(kind, "False", reason, _some(each))


def _programmed(view: View) -> _Finding:
    kind = NodeCondition.PROGRAMMED
    if view.troubles:
        each = [f"slot {trouble.slot}: {trouble.message}" for trouble in view.troubles]
        return _Finding(kind, "False", view.troubles[0].reason, _some(each))
    if view.waiting:
        return _Finding(kind, "Unknown", NodeReason.PENDING, _some([f"slot {slot} waits" for slot in view.waiting]))
    return _Finding(kind, "True", NodeReason.PROGRAMMED, "every slot has what the spec names")


def _enforced(view: View) -> _Finding:
    kind = NodeCondition.ENFORCED
    slots = [slot for gpu in view.gpus for slot in gpu.slots]
    if not slots:
        return _Finding(kind, "True", NodeReason.NO_PODS, "no pod has a share of this node's GPUs")
    wrong = [slot for slot in slots if slot.state is SlotState.NOT_ENFORCED]
    if wrong:
        each = [f"slot {slot.slot}: {slot.reason.value if slot.reason else slot.state.value}" for slot in wrong]
        return _Finding(kind, "False", NodeReason.NOT_ENFORCED, _some(each))
    waiting = [slot for slot in slots if slot.state in (SlotState.PENDING, SlotState.UNKNOWN)]
    if waiting:
        each = [f"slot {slot.slot}: {slot.state.value}" for slot in waiting]
        return _Finding(kind, "Unknown", NodeReason.PENDING, _some(each))
    unmasked = sum(slot.state is SlotState.UNMASKED for slot in slots)
    plain = f", {unmasked} share without masks" if unmasked else ""
    return _Finding(kind, "True", NodeReason.ENFORCED, f"{len(slots) - unmasked} slots run with their masks{plain}")


def _ready(parts: Sequence[_Finding]) -> _Finding:
    kind = NodeCondition.READY
    broken = next((part for part in parts if part.status == "False"), None)
    if broken:
        return _Finding(kind, "False", broken.reason, broken.message)
    waiting = next((part for part in parts if part.status == "Unknown"), None)
    if waiting:
        return _Finding(kind, "Unknown", waiting.reason, waiting.message)
    return _Finding(kind, "True", NodeReason.READY, "GPUs are given out, and what was planned is in force")


def _some(each: Sequence[str]) -> str:
    more = f", and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
    return ", ".join(each[:_SHOWN]) + more
