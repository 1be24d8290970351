"""What is offered to kubelet: shares of GPUs and whole GPUs, with their health, from all that is known. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from eclip.api.node_status import HealthReason
from eclip.node.report import ShareState
from eclip_device_plugin.gpus import Choice, Fault, NodeGpu

WHOLE = "all"


@dataclass(frozen=True, slots=True)
class Share:
    """One share of a GPU."""

    id: str
    """Device id and name of the slot."""
    state: ShareState
    healthy: bool
    allocations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """One GPU with its shares."""

    choice: Choice
    shares: tuple[Share, ...]
    whole: Share | None
    """The GPU as one device; None while it drains."""
    fault: Fault | None

    @property
    def gpu(self) -> NodeGpu:
        """The GPU."""
        return self.choice.gpu

    @property
    def draining(self) -> int:
        """Shares that go when they are free."""
        return sum(share.state is ShareState.DRAINING for share in self.shares)


def share_id(gpu: str, number: int) -> str:
    """Device id of a share, which is the slot's name too."""
    return f"{gpu}-s{number:02d}"


def whole_id(gpu: str) -> str:
    """Device id of a whole GPU."""
    return f"{gpu}-{WHOLE}"


def gpu_of(device: str) -> str:
    """The GPU that a device id belongs to."""
    return device.rpartition("-")[0]


def offers(
    choices: Sequence[Choice],
    known: Sequence[NodeGpu],
    in_use: Mapping[str, tuple[str, ...]],
    doubled: Collection[str],
    common: Fault | None,
) -> tuple[Offer, ...]:
    """All GPUs that are shared, and those that are shared no more but still in use.

    Args:
        choices: by the node config, of the GPUs that are there.
        known: every GPU that was seen, present or lost; a lost one carries its fault.
        in_use: allocations on disk by slot.
        doubled: what AMD's own plugin offers: PCI addresses, and names of partitions' devices.
        common: what keeps all GPUs from new pods.
    """
    chosen = {choice.gpu.id: choice for choice in choices}
    made = []
    for gpu in sorted(known, key=lambda gpu: gpu.index):
        slots = {slot: allocations for slot, allocations in in_use.items() if gpu_of(slot) == gpu.id}
        choice = chosen.get(gpu.id)
        if choice is None and not slots:
            continue
        fault = common or _doubled(gpu, doubled) or gpu.fault
        made.append(_offer(choice or Choice(gpu, 0), slots, fault))
    return tuple(made)


def _doubled(gpu: NodeGpu, doubled: Collection[str]) -> Fault | None:
    names = {gpu.pci, gpu.found.alias} & set(doubled)
    if not names:
        return None
    return Fault(
        HealthReason.DOUBLE_ADVERTISED,
        f"{names.pop()} is offered under amd.com/ as well; leave it out of AMD's plugin or of the node config",
    )


def _offer(choice: Choice, in_use: Mapping[str, tuple[str, ...]], fault: Fault | None) -> Offer:
    gpu = choice.gpu.id
    wanted = [share_id(gpu, number) for number in range(choice.shares)]
    whole = whole_id(gpu)
    whole_used = whole in in_use
    ids = sorted({*wanted, *in_use} - {whole})
    shares = tuple(_share(device, device in wanted, in_use, fault is None and not whole_used) for device in ids)
    others_used = any(share.allocations for share in shares)
    as_one = _share(whole, bool(wanted), in_use, fault is None and not others_used)
    return Offer(choice, shares, as_one if wanted or whole_used else None, fault)


def _share(device: str, wanted: bool, in_use: Mapping[str, tuple[str, ...]], healthy: bool) -> Share:
    allocations = in_use.get(device, ())
    if not wanted:
        return Share(device, ShareState.DRAINING, False, allocations)
    return Share(device, ShareState.IN_USE if allocations else ShareState.FREE, healthy, allocations)
