"""The status of a NodeColocation: GPUs, slots, who is in them, and whether their masks are in force."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from eclip import documents
from eclip.api.conditions import Condition
from eclip.api.objects import Allocation, Count, Cus, GpuId, Label, Micros, Name, Part, Rate, SlotName, Time
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet

_T = TypeVar("_T")

MaskText = Annotated[str, Field(max_length=264, pattern=r"^[0-9]+:[0-9a-f]+$")]
"""`computeUnits:mask`: the CU set of one stream as it was read back, bit 0 last, hexadecimal."""


SHOWN, UNCROWDED = 16, 64
"""Groups and masks of a slot that are shown on a node with up to so many occupied slots."""


def shown(occupied: int) -> int:
    """How many groups and masks of a slot are shown on a node with so many occupied slots: on a crowded one few, so
    that the object of a full node stays below half a MiB."""
    return SHOWN if occupied <= UNCROWDED else max(1, SHOWN * UNCROWDED // (2 * occupied))


class SlotState(StrEnum):
    """Whether a slot's plan is in force."""

    PENDING = "Pending"
    """The program has made no HIP call yet."""
    UNMASKED = "Unmasked"
    """No masks are wanted."""
    ENFORCED = "Enforced"
    """The masks were read back."""
    NOT_ENFORCED = "NotEnforced"
    SINGLE_MASK = "SingleMask"
    """The pod chose one CU count for the whole process."""
    UNKNOWN = "Unknown"
    """The agent cannot tell."""


class SlotReason(StrEnum):
    """Why masks are not in force."""

    LIBRARY_NOT_LOADED = "LibraryNotLoaded"
    VERSION_MISMATCH = "VersionMismatch"
    HOOKS_INCOMPLETE = "HooksIncomplete"
    TABLE_REFUSED = "TableRefused"
    USER_DISABLED = "UserDisabled"
    NO_HANDSHAKE = "NoHandshake"
    """It uses the GPU, and our library has never said a word."""
    SLOT_LOST = "SlotLost"
    """A file of the slot is missing, or no longer ours."""
    STATS_TAMPERED = "StatsTampered"


class Health(StrEnum):
    """Whether a GPU can be given to new pods."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"


class HealthReason(StrEnum):
    """Why it cannot."""

    GPU_LOST = "GPULost"
    REPARTITIONED = "Repartitioned"
    HARDWARE_ERRORS = "HardwareErrors"
    DOUBLE_ADVERTISED = "DoubleAdvertised"
    """AMD's own plugin offers it as well."""
    LIBRARY_MISSING = "LibraryMissing"
    """The interposer is not installed on the node."""
    SOURCE_UNREADABLE = "SourceUnreadable"


class PodRef(Part):
    """An occupant's pod."""

    namespace: Label
    name: Name
    uid: Annotated[str, Field(max_length=63)] | None = None


class Topology(Part):
    """The shape of a chip, enough to make masks for it."""

    xccs: Annotated[int, Field(ge=1, le=64)]
    shader_engines: Annotated[int, Field(ge=1, le=64)]
    """Per XCC."""
    arrays_per_engine: Annotated[int, Field(ge=1, le=16)]
    active: Annotated[tuple[Annotated[int, Field(ge=0, le=1024)], ...], Field(min_length=1, max_length=512)]
    """CUs that are not harvested: one number an array, arrays of an engine together, engines of an XCC together."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(self.active) != (wanted := self.xccs * self.shader_engines * self.arrays_per_engine):
            documents.reject(("active",), f"has {len(self.active)} numbers; the chip has {wanted} shader arrays")
        return self

    @classmethod
    def of(cls, gpu: Gpu) -> Self:
        """The shape of this GPU."""
        return cls(
            xccs=gpu.xccs,
            shader_engines=gpu.shader_engines,
            arrays_per_engine=len(gpu.active[0][0]),
            active=tuple(cus for xcc in gpu.active for engine in xcc for cus in engine),
        )

    @property
    def nested(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """As `Gpu.active`, [xcc][se][sa]."""
        return _chunks(_chunks(self.active, self.arrays_per_engine), self.shader_engines)


class DeviceGroups(Part):
    """Numeric groups of the device files, which a pod that is not root needs as supplementalGroups."""

    render: Count | None = None
    kfd: Count | None = None


class Counters(Part):
    """Since the slot's current plan generation began."""

    launches: Count = 0
    requests: Count = 0
    hops: Count = 0
    mismatches: Count = 0
    """Launches that were not the kernel that the profile has next."""


class SlotStatus(Part):
    """One occupied slot."""

    slot: SlotName
    allocation: Allocation
    pod: PodRef | None = None
    """None: kubelet does not say yet."""
    container: Label | None = None
    state: SlotState
    reason: SlotReason | None = None
    ceiling: MaskText | None = None
    """The CUs that the container can get at, by the HSA_CU_MASK that it was given; None: all."""
    generation: Count = 0
    """Of the table that every client has acknowledged; 0: none."""
    masks: Annotated[tuple[MaskText, ...], Field(max_length=16)] | None = None
    """Of its masked streams, as they were read back. None: there are none."""
    counters: Counters = Counters()
    mean_micros: Micros | None = None
    """Of a request, over the last half minute."""
    p95_micros: Annotated[Micros | None, Field(alias="p95Micros")] = None
    kernels_per_second: Rate | None = None
    hops_per_second: Rate | None = None

    @property
    def occupant(self) -> tuple[str, str, str, str] | None:
        """(namespace, pod, container, allocation): the same pod with a new allocation is somebody else."""
        if self.pod is None or self.container is None:
            return None
        return self.pod.namespace, self.pod.name, self.container, self.allocation


class GpuStatus(Part):
    """One GPU of the node, and its occupied slots."""

    id: GpuId
    product: Label
    gfx: Annotated[str, Field(pattern="^gfx[0-9a-f]{3,5}$")]
    compute_units: Cus
    topology: Topology
    index: Annotated[int, Field(ge=0, le=1023)]
    """Number of the KFD node."""
    render_minor: Count
    numa_node: Count | None = None
    vram_bytes: Count
    shared_memory: bool = False
    shares: Annotated[int, Field(ge=0, le=8)]
    """Offered to pods."""
    draining: Annotated[int, Field(ge=0, le=8)] = 0
    """In use, and offered no more once they are free."""
    health: Health
    health_reason: HealthReason | None = None
    emulated: bool = False
    ceiling_compute_units: Cus | None = None
    """The most CUs that a new container may use; None: no ceiling."""
    device_groups: DeviceGroups = DeviceGroups()
    slots: Annotated[tuple[SlotStatus, ...], Field(max_length=8)] = ()

    @property
    def gpu(self) -> Gpu:
        """The GPU that plans are made for."""
        return Gpu(
            node=self.index,
            product=self.product,
            gfx=self.gfx,
            active=self.topology.nested,
            unique_id=int(self.id, 16),
            render_minor=self.render_minor,
            numa_node=self.numa_node,
            vram_bytes=self.vram_bytes,
            shared_memory=self.shared_memory,
        )

    @classmethod
    def of(cls, gpu: Gpu, *, shares: int, health: Health) -> Self:
        """The status of an empty GPU; the rest by `model_copy`."""
        return cls(
            id=f"{gpu.unique_id:x}",
            product=gpu.product,
            gfx=gpu.gfx,
            compute_units=gpu.compute_units,
            topology=Topology.of(gpu),
            index=gpu.node,
            render_minor=gpu.render_minor,
            numa_node=gpu.numa_node,
            vram_bytes=gpu.vram_bytes,
            shared_memory=gpu.shared_memory,
            shares=shares,
            health=health,
        )


class NodeSummary(Part):
    """Counts for `kubectl get`."""

    gpus: Count = 0
    shares: Count = 0
    used: Count = 0
    enforced: Annotated[str, Field(pattern="^[0-9]+/[0-9]+$")] = "0/0"
    """Slots in force, of those that should be."""


class NodeStatus(Part):
    """What the agent sees; nobody else writes it."""

    observed_generation: Count | None = None
    agent_version: Annotated[str, Field(max_length=63)] | None = None
    plugin_version: Annotated[str, Field(max_length=63)] | None = None
    config: Label | None = None
    """Name of the node config in force."""
    memory_isolation: Literal["None"] = "None"
    """Pods on one GPU share its memory without limits."""
    summary: NodeSummary = NodeSummary()
    read_at: Time | None = None
    """When counters and rates were read."""
    gpus: Annotated[tuple[GpuStatus, ...], Field(max_length=64)] = ()
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()


def mask_text(cu_set: CuSet) -> str:
    """A CU set as `SlotStatus.masks` has it."""
    return f"{cu_set.bit_count()}:{cu_set:x}"


def cu_set_of(text: str) -> CuSet:
    """The inverse of `mask_text`."""
    return int(text.partition(":")[2], 16)


def summary(gpus: Iterable[GpuStatus]) -> NodeSummary:
    """The counts of these GPUs. A slot that wants no masks counts as used, not among those that should be in force."""
    seen = tuple(gpus)
    slots = [slot for gpu in seen for slot in gpu.slots]
    wanted = [slot for slot in slots if slot.state != SlotState.UNMASKED]
    enforced = sum(slot.state == SlotState.ENFORCED for slot in wanted)
    return NodeSummary(
        gpus=len(seen),
        shares=sum(gpu.shares for gpu in seen),
        used=len(slots),
        enforced=f"{enforced}/{len(wanted)}",
    )


def _chunks(items: tuple[_T, ...], width: int) -> tuple[tuple[_T, ...], ...]:
    return tuple(items[first : first + width] for first in range(0, len(items), width))
