"""What the plugin tells the node's agent, in `plugin.json`: the agent puts it into the node's status."""

from enum import StrEnum
from typing import ClassVar

from eclip.api.node_status import Health, HealthReason
from eclip.api.objects import Allocation, Count, Cus, GpuId, Part, SlotName, Time
from eclip.node.files import NodeFile


class Source(StrEnum):
    """Where GPUs come from."""

    KFD = "kfd"
    EMULATED = "emulated"


class ShareState(StrEnum):
    """What has become of one share."""

    FREE = "Free"
    IN_USE = "InUse"
    DRAINING = "Draining"
    """In use, and offered no more once it is free."""


class ConfigReport(Part):
    """The node config that was asked for, and whether it could be followed."""

    name: str
    """As asked for."""
    in_force: str
    """The one that is followed: the same, or the last good one; empty: none has been good yet."""
    valid: bool
    message: str = ""
    """What is wrong, and where."""


class ShareReport(Part):
    """One share of a GPU."""

    slot: SlotName
    state: ShareState
    allocations: tuple[Allocation, ...] = ()
    """On disk; more than one while an old one waits for the agent to delete it."""


class GpuReport(Part):
    """One GPU of the node that is offered, or still in use."""

    id: GpuId
    node: Count
    """Number of the KFD node."""
    product: str
    compute_units: Cus
    pci_address: str
    render_minor: Count
    shares: Count
    """Offered."""
    draining: Count = 0
    health: Health
    health_reason: HealthReason | None = None
    message: str = ""
    ceiling_compute_units: Cus | None = None
    """The most CUs that a new container may use; None: no ceiling."""
    slots: tuple[ShareReport, ...] = ()


class Report(NodeFile):
    """All that the plugin has to say."""

    called: ClassVar[str] = "report of the device plugin"

    plugin_version: str
    library: str
    """Folder under `lib` that new allocations mount the interposer from; keep it even if no allocation names it."""
    source: Source
    resource: str
    registered: bool
    """Kubelet listens to us."""
    config: ConfigReport
    gpus: tuple[GpuReport, ...] = ()
    changed_at: Time
