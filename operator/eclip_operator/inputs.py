"""What the operator believes about the world: the parts of its inputs that decide anything. Pure data.

Two reports of a node that differ in figures only give equal `NodeReport`s, so that nothing is done about them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from eclip.api.node import NodeSpec
from eclip.api.node_status import SlotState
from eclip.api.policy import PolicySpec, PolicyStatus
from eclip.plan import CuSet


class Ref(NamedTuple):
    """Name of a namespaced object; orders as users read it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A ColocationPolicy."""

    ref: Ref
    uid: str
    generation: int
    created: str
    """RFC 3339 in UTC, which sorts as text."""
    spec: PolicySpec
    status: PolicyStatus = field(default=PolicyStatus(), compare=False)
    """As it is in the cluster."""

    @property
    def age(self) -> tuple[str, Ref]:
        """Sorts the oldest first; of equal age, by namespace and name."""
        return self.created, self.ref


@dataclass(frozen=True, slots=True)
class Profile:
    """A KernelProfile."""

    ref: Ref
    product: str
    compute_units: int
    digest: str
    """SHA-256 of its content."""
    text: str = field(repr=False, compare=False)
    """JSON of its spec."""


class PodKey(NamedTuple):
    """A pod as a node report names it."""

    namespace: str
    name: str
    uid: str | None
    """None: the node does not know it."""
    allocation: str
    """Of the share: the same name with a new allocation may be another pod."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The part of a Pod that policies look at."""

    uid: str
    node: str
    labels: tuple[tuple[str, str], ...] = ()
    profiling: str | None = None
    """``exclusive`` or ``shared``: somebody asks for a profile of this pod."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of an occupant."""

    mean_micros: float | None = None
    p95_micros: float | None = None
    kernels_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Occupant:
    """A container that holds a share, as its node reports it."""

    slot: str
    allocation: str
    namespace: str
    pod: str
    container: str
    uid: str | None = None
    state: SlotState = SlotState.PENDING
    reason: str = ""
    ceiling: CuSet | None = None
    """The CUs that it can get at; None: all."""
    busy: bool = False
    """Whether it launches kernels."""
    figures: Figures = field(default=Figures(), compare=False)

    @property
    def key(self) -> PodKey:
        """The pod that it is part of."""
        return PodKey(self.namespace, self.pod, self.uid, self.allocation)


@dataclass(frozen=True, slots=True)
class GpuReport:
    """A GPU as its node reports it."""

    id: str
    product: str
    gfx: str
    active: tuple[tuple[tuple[int, ...], ...], ...]
    """Active CUs, [xcc][se][sa]; see `eclip.gpu.topology.Gpu`."""
    shares: int
    emulated: bool = False
    """Its programs' times are those of a host that emulates, and say nothing about the GPU."""
    occupants: tuple[Occupant, ...] = ()

    @property
    def compute_units(self) -> int:
        """Active CUs of the GPU."""
        return sum(cus for xcc in self.active for engine in xcc for cus in engine)


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A NodeColocation: what its agent reports, and the spec that it has now."""

    name: str
    uid: str
    spec: NodeSpec = field(default_factory=NodeSpec)
    gpus: tuple[GpuReport, ...] = ()
    lost: bool = False
    """Whether it says, by our own word, that its agent is lost."""

    @property
    def pods(self) -> frozenset[PodKey]:
        """All that it names."""
        return frozenset(occupant.key for gpu in self.gpus for occupant in gpu.occupants)


@dataclass(frozen=True, slots=True)
class KubeNode:
    """The part of a Node that matters."""

    name: str
    uid: str
    labels: tuple[tuple[str, str], ...] = ()
    """Only ours."""
    ready: bool = True
    """False: the node is silent, and so is its agent."""


@dataclass(frozen=True, slots=True)
class World:
    """All inputs at one moment."""

    policies: Mapping[Ref, Policy] = field(default_factory=dict)
    profiles: Mapping[Ref, Profile] = field(default_factory=dict)
    reports: Mapping[str, NodeReport] = field(default_factory=dict)
    nodes: Mapping[str, KubeNode] = field(default_factory=dict)
    pods: Mapping[PodKey, Pod | None] = field(default_factory=dict)
    """None: looked for, and not there. Absent: not looked for yet."""

    def policies_of(self, namespace: str) -> Sequence[Policy]:
        """Policies of a namespace, the oldest first."""
        return sorted((p for p in self.policies.values() if p.ref.namespace == namespace), key=lambda p: p.age)
