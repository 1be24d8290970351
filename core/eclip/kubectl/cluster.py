"""What is known of a cluster's GPUs: the nodes' objects side by side, spec beside status. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eclip.api import NodeColocation
from eclip.api.node import GpuSpec, SlotSpec
from eclip.api.node_status import GpuStatus, SlotStatus
from eclip.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """One slot that a pod has."""

    node: str
    gpu: GpuStatus
    plan: GpuSpec | None
    status: SlotStatus
    spec: SlotSpec | None
    """None: the operator has said nothing of this occupant yet."""

    @property
    def pod(self) -> str:
        """`namespace/name`, empty while kubelet does not say."""
        return f"{self.status.pod.namespace}/{self.status.pod.name}" if self.status.pod else ""

    @property
    def policy(self) -> str | None:
        """The policy that it falls under."""
        return self.plan.policy_of(self.spec) if self.plan and self.spec else None

    @property
    def busy(self) -> bool:
        """Whether it launches kernels at present."""
        return bool(self.status.kernels_per_second)


def nodes(items: Iterable[Mapping[str, Any]]) -> tuple[NodeColocation, ...]:
    """All nodes' objects.

    Raises:
        InputError: one cannot be read: the cluster runs another version of us.
    """
    return tuple(NodeColocation.read(item) for item in items)


def places(every: Iterable[NodeColocation]) -> Iterator[Place]:
    """All slots that pods have, by node, GPU and slot."""
    for node in every:
        plans = {gpu.id: gpu for gpu in node.spec.gpus}
        for gpu in node.status.gpus:
            plan = plans.get(gpu.id)
            specs = {slot.allocation: slot for slot in plan.slots} if plan else {}
            for slot in gpu.slots:
                yield Place(node.metadata.name, gpu, plan, slot, specs.get(slot.allocation))


def of_pod(
    every: Iterable[NodeColocation], namespace: str, name: str, container: str | None = None
) -> tuple[Place, ...]:
    """The slots of one pod's containers.

    Raises:
        InputError: it has none.
    """
    found = tuple(
        place
        for place in places(every)
        if place.pod == f"{namespace}/{name}" and container in (None, place.status.container)
    )
    if not found:
        what = f"container {container} of pod {namespace}/{name}" if container else f"pod {namespace}/{name}"
        raise InputError(
            f"{what} has no share of a GPU; its container asks for one by the limit eclip.dev/gpu-share: 1"
        )
    return found


def mates(every: Iterable[NodeColocation], place: Place) -> tuple[Place, ...]:
    """Who else is on that GPU."""
    return tuple(
        other
        for other in places(every)
        if (other.node, other.gpu.id) == (place.node, place.gpu.id) and other.status.slot != place.status.slot
    )
