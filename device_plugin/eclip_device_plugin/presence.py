"""GPUs that come, go and change under us: what is known of a node after another look at it. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from eclip.api.node_status import HealthReason
from eclip_device_plugin.gpus import Fault, NodeGpu


def remember(known: Sequence[NodeGpu], found: Sequence[NodeGpu], in_use: Collection[str]) -> tuple[NodeGpu, ...]:
    """What is there, and what was: a GPU that is gone, or not what it was while somebody uses it, carries the reason.

    Args:
        in_use: ids of GPUs with an allocation.
    """
    now = {gpu.id: gpu for gpu in found}
    chips = {gpu.pci for gpu in found}
    before = [kept for gpu in known if (kept := _kept(gpu, now.get(gpu.id), chips, gpu.id in in_use))]
    ids = {gpu.id for gpu in before}
    return (*before, *(gpu for gpu in found if gpu.id not in ids))


def _kept(gpu: NodeGpu, now: NodeGpu | None, chips: Collection[str], used: bool) -> NodeGpu | None:
    if now is None:
        if gpu.pci not in chips:
            return replace(gpu, fault=Fault(HealthReason.GPU_LOST, f"{gpu.pci} is gone from the driver's topology"))
        # Other partitions are at its place.
        return _repartitioned(gpu, "is no partition of it any more") if used else None
    if (now.gpu.active, now.gpu.gfx) != (gpu.gpu.active, gpu.gpu.gfx) and used:
        return _repartitioned(
            gpu, f"has {now.gpu.compute_units} CUs now, {gpu.gpu.compute_units} when it was given out"
        )
    return now


def _repartitioned(gpu: NodeGpu, what: str) -> NodeGpu:
    message = f"{gpu.pci} was repartitioned: {gpu.id} {what}; end its pods to offer it anew"
    return replace(gpu, fault=Fault(HealthReason.REPARTITIONED, message))
