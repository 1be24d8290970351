"""The status of the node's object, from what was seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from eclip.api import conditions as api_conditions
from eclip.api.conditions import Condition
from eclip.api.node_status import (
    Counters,
    DeviceGroups,
    GpuStatus,
    Health,
    NodeStatus,
    PodRef,
    SlotStatus,
    mask_text,
    shown,
    summary,
)
from eclip.gpu.masks import whole
from eclip.gpu.topology import Gpu
from eclip.node.report import GpuReport, Report, Source
from eclip.plan import CuSet
from eclip.slot.clients import ClientRecord
from eclip_node_agent.figures import Figures
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.state import Verdict
from eclip_node_agent.tally import Sums

DIGITS = 4
"""Of a figure: more would only be noise to compare."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One occupied slot."""

    slot: str
    allocation: str
    gpu: str
    occupant: Occupant | None
    pod_uid: str | None
    verdict: Verdict
    ceiling: CuSet | None = None
    """The CUs that it can get at; None: all."""
    acknowledged: int = 0
    clients: Sequence[ClientRecord] = ()
    sums: Sums = field(default_factory=Sums)
    """Since the newest table."""
    total: Sums = field(default_factory=Sums)
    """Since the pod began."""
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class Scene:
    """All that was seen of a node."""

    report: Report | None
    gpus: Mapping[str, Gpu]
    """By id."""
    seen: Sequence[Seen]
    groups: Mapping[str, DeviceGroups] = field(default_factory=dict)
    """By GPU: numeric groups of its device files."""


def gpu_statuses(scene: Scene) -> tuple[GpuStatus, ...]:
    """Every GPU that the plugin names and that has a shape, with its occupied slots."""
    reported = scene.report.gpus if scene.report else ()
    return tuple(_gpu(scene, gpu, scene.gpus[gpu.id]) for gpu in reported if gpu.id in scene.gpus)


def status(
    scene: Scene,
    gpus: tuple[GpuStatus, ...],
    found: Iterable[Condition],
    before: NodeStatus,
    *,
    version: str,
    generation: int | None,
    now: datetime,
) -> NodeStatus:
    """The whole status. `found`: the conditions of now, `before`: the status that was written last."""
    return NodeStatus(
        observed_generation=generation,
        agent_version=version,
        plugin_version=scene.report.plugin_version if scene.report else None,
        config=(scene.report.config.in_force or None) if scene.report else None,
        summary=summary(gpus),
        read_at=now,
        gpus=gpus,
        conditions=api_conditions.take_over(before.conditions, found),
    )


def without_figures(full: NodeStatus) -> NodeStatus:
    """What has to be told at once when it changes."""
    gpus = tuple(gpu.model_copy(update={"slots": tuple(_plain(slot) for slot in gpu.slots)}) for gpu in full.gpus)
    return full.model_copy(update={"gpus": gpus, "read_at": None})


def figures_of(full: NodeStatus) -> dict[str, float]:
    """What may wait, by name."""
    found: dict[str, float | None] = {}
    for slot in (slot for gpu in full.gpus for slot in gpu.slots):
        found[f"{slot.allocation} mean"] = slot.mean_micros
        found[f"{slot.allocation} p95"] = slot.p95_micros
        found[f"{slot.allocation} kernels"] = slot.kernels_per_second
        found[f"{slot.allocation} hops"] = slot.hops_per_second
    return {name: value for name, value in found.items() if value is not None}


def _plain(slot: SlotStatus) -> SlotStatus:
    figures = {
        "counters": Counters(),
        "mean_micros": None,
        "p95_micros": None,
        "kernels_per_second": None,
        "hops_per_second": None,
    }
    return slot.model_copy(update=figures)


def _gpu(scene: Scene, reported: GpuReport, gpu: Gpu) -> GpuStatus:
    assert scene.report
    plain = GpuStatus.of(gpu, shares=reported.shares, health=Health(reported.health))
    most = shown(len(scene.seen))
    slots = tuple(slot_status(seen, gpu, most) for seen in scene.seen if seen.gpu == reported.id)
    return plain.model_copy(
        update={
            "draining": reported.draining,
            "health_reason": reported.health_reason,
            "emulated": scene.report.source is Source.EMULATED,
            "ceiling_compute_units": reported.ceiling_compute_units,
            "device_groups": scene.groups.get(reported.id, DeviceGroups()),
            "slots": tuple(sorted(slots, key=lambda slot: slot.slot))[:8],
        }
    )


def slot_status(seen: Seen, gpu: Gpu, most_masks: int) -> SlotStatus:
    """One occupied slot of this GPU. Nothing that a program wrote is in it as text, and no number without a bound."""
    ceiling = (seen.ceiling or 0) & whole(gpu)
    pod = PodRef(namespace=seen.occupant.namespace, name=seen.occupant.pod, uid=seen.pod_uid) if seen.occupant else None
    return SlotStatus(
        slot=seen.slot,
        allocation=seen.allocation,
        pod=pod,
        container=seen.occupant.container if seen.occupant else None,
        state=seen.verdict.state,
        reason=seen.verdict.reason,
        ceiling=mask_text(ceiling) if ceiling else None,
        generation=seen.acknowledged,
        # The ceiling is one of them.
        masks=masks(seen.clients, gpu)[: most_masks - bool(ceiling)] or None,
        counters=Counters(
            launches=seen.sums.launches,
            requests=seen.sums.requests,
            hops=seen.sums.hops,
            mismatches=seen.sums.mismatches,
        ),
        mean_micros=_rounded(seen.figures.mean_micros),
        p95_micros=_rounded(seen.figures.p95_micros),
        kernels_per_second=_rounded(seen.figures.kernels_per_second),
        hops_per_second=_rounded(seen.figures.hops_per_second),
    )


def masks(clients: Iterable[ClientRecord], gpu: Gpu) -> tuple[str, ...]:
    """What living programs read back, smallest first; sets beyond the chip's CUs are none of its masks."""
    found = {
        stream.read_back
        for client in clients
        if client.alive
        for stream in client.streams
        if stream.in_force and stream.read_back >> gpu.compute_units == 0
    }
    return tuple(mask_text(cu_set) for cu_set in sorted(found, key=lambda cu_set: (cu_set.bit_count(), cu_set))[:16])


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")
