"""Objects of the cluster as the operator's inputs. Pure. InputError for an object that its CRD would not let in."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from eclip.api import names
from eclip.api.conditions import NodeCondition
from eclip.api.node import NodeColocation
from eclip.api.node_status import GpuStatus, SlotStatus, cu_set_of
from eclip.api.policy import ColocationPolicy
from eclip.api.profile import KernelProfile
from eclip_operator.inputs import Figures, GpuReport, KubeNode, NodeReport, Occupant, Pod, Policy, Profile, Ref

Raw = Mapping[str, Any]
AGENT = "agent"
"""The agent's container in a pod of the DaemonSet."""


def policy(raw: Raw) -> Policy:
    """A ColocationPolicy."""
    read = ColocationPolicy.read(raw)
    metadata = raw["metadata"]
    return Policy(
        ref=Ref(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata["generation"],
        created=metadata["creationTimestamp"],
        spec=read.spec,
        status=read.status,
    )


def profile(raw: Raw) -> Profile:
    """A KernelProfile."""
    read = KernelProfile.read(raw)
    text = json.dumps(raw["spec"], sort_keys=True, separators=(",", ":"))
    return Profile(
        ref=Ref(raw["metadata"]["namespace"], raw["metadata"]["name"]),
        product=read.spec.gpu.product,
        compute_units=read.spec.gpu.compute_units,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
    )


def report(raw: Raw) -> NodeReport:
    """A NodeColocation."""
    read = NodeColocation.read(raw)
    return NodeReport(
        name=raw["metadata"]["name"],
        uid=raw["metadata"]["uid"],
        spec=read.spec,
        gpus=tuple(_gpu(gpu) for gpu in read.status.gpus),
        lost=any(one.type == NodeCondition.AGENT_READY and one.status == "False" for one in read.status.conditions),
    )


def node(raw: Raw) -> KubeNode:
    """A Node."""
    metadata = raw["metadata"]
    labels = metadata.get("labels") or {}
    ours = {*names.NODE_LABELS, names.LABEL_NODE_CONFIG}
    return KubeNode(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=tuple(sorted((key, value) for key, value in labels.items() if key in ours)),
        ready=_is_ready(raw.get("status", {}).get("conditions", ())),
    )


def pod(raw: Raw) -> Pod | None:
    """A Pod; None if it has ended, and holds nothing any more."""
    if raw.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return None
    return _pod(raw["metadata"], raw["spec"].get("nodeName", ""))


def relabelled(known: Pod, metadata: Raw) -> Pod:
    """A pod that is known, by its metadata as they are now: on which node it is never changes."""
    return _pod(metadata, known.node)


def _pod(metadata: Raw, node: str) -> Pod:
    labels = metadata.get("labels") or {}
    # Without the label nobody would tell when the annotation goes.
    wish = (metadata.get("annotations") or {}).get(names.ANNOTATION_PROFILE) if names.LABEL_PROFILE in labels else None
    return Pod(uid=metadata["uid"], node=node, labels=tuple(sorted(labels.items())), profiling=wish)


def agent(raw: Raw) -> str | None:
    """The node on which this pod of the DaemonSet has an agent that is ready; None: its agent is not."""
    statuses = raw.get("status", {}).get("containerStatuses") or ()
    ready = any(one["name"] == AGENT and one["ready"] for one in statuses)
    return raw["spec"].get("nodeName") if ready else None


def _gpu(gpu: GpuStatus) -> GpuReport:
    return GpuReport(
        id=gpu.id,
        product=gpu.product,
        gfx=gpu.gfx,
        active=gpu.topology.nested,
        shares=gpu.shares,
        emulated=gpu.emulated,
        occupants=tuple(_occupant(slot) for slot in gpu.slots if slot.pod and slot.container),
    )


def _is_ready(conditions: Sequence[Raw]) -> bool:
    return all(condition["status"] == "True" for condition in conditions if condition["type"] == "Ready")


def _occupant(slot: SlotStatus) -> Occupant:
    assert slot.pod is not None
    assert slot.container is not None
    return Occupant(
        slot=slot.slot,
        allocation=slot.allocation,
        namespace=slot.pod.namespace,
        pod=slot.pod.name,
        container=slot.container,
        uid=slot.pod.uid,
        state=slot.state,
        reason=slot.reason.value if slot.reason else "",
        ceiling=cu_set_of(slot.ceiling) if slot.ceiling else None,
        busy=bool(slot.kernels_per_second),
        figures=Figures(slot.mean_micros, slot.p95_micros, slot.kernels_per_second),
    )
