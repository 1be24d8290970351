"""NodeColocation: who shares which GPU of a node. Spec: what the operator wants. Status: what the node's agent sees."""

from typing import Annotated, Literal, Self

from pydantic import Field

from eclip.api.node_status import NodeStatus
from eclip.api.objects import (
    Allocation,
    Count,
    GpuId,
    Label,
    Metadata,
    Micros,
    Name,
    Object,
    OwnerReference,
    Part,
    PolicyRef,
    SlotName,
    StrategyName,
)

Mode = Literal["Enforce", "Profile", "Unmasked"]
MOST_GPUS = 64
MOST_SLOTS = 8
"""Per GPU."""
Why = Literal["NoPolicy", "ProfileMissing", "ProfileMismatch", "ProfileInvalid", "Infeasible", "Planning", "WholeGpu"]
Ratio = Annotated[float, Field(ge=0)]


class SlotWorker(Part):
    """One model of a slot's program: a worker of the mix."""

    bit: Annotated[int, Field(ge=0, le=63)]
    """Of this worker in the active sets."""
    model: Label | None = None
    """None: the program's only one."""
    solo_micros: Micros | None = None
    """One request alone on the whole GPU, from the profile."""
    predicted_slowdown: Ratio | None = None
    """One request beside its mates over one alone, by the contention model."""


class SlotSpec(Part):
    """What one slot is to have."""

    slot: SlotName
    allocation: Allocation
    """The occupant that this is meant for; nobody else gets it."""
    policy: PolicyRef | None = None
    """Which policy the occupant falls under; None of one with a workload: the GPU's. See `GpuSpec.policy_of`."""
    workload: Label | None = None
    mode: Mode = "Unmasked"
    why: Why | None = None
    """Why it is unmasked."""
    table: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Name of a LookupTable."""
    workers: Annotated[tuple[SlotWorker, ...], Field(max_length=8)] = ()
    """In the order of the table's models."""
    groups: Annotated[str, Field(max_length=512)] | None = None
    """`kernels@computeUnits` of the first sixteen groups, see `eclip.api.table.summary`; of fewer on a crowded node."""
    objective_p95_micros: Annotated[Micros | None, Field(alias="objectiveP95Micros")] = None


class PlanSummary(Part):
    """The plan in force on a GPU."""

    strategy: StrategyName
    solved_by: Literal["exact", "pulp", "none"]
    """none: the strategy needs no search."""
    objective: Ratio
    lower_bound: Ratio
    gap: Ratio
    solve_millis: Ratio
    streams: Count
    """Masked streams of all workers."""


class GpuSpec(Part):
    """What one GPU is to have."""

    id: GpuId
    policy: PolicyRef | None = None
    """Whose strategy and objective hold: of the policies with a worker here the oldest."""
    strategy: StrategyName | None = None
    plan: PlanSummary | None = None
    message: Annotated[str, Field(max_length=512)] | None = None
    """Why there is no plan, for people."""
    slots: Annotated[tuple[SlotSpec, ...], Field(max_length=MOST_SLOTS)] = ()

    def policy_of(self, slot: SlotSpec) -> str | None:
        """The policy that a slot's occupant falls under: one with a workload and without a policy, under the GPU's."""
        return slot.policy or (self.policy if slot.workload else None)


class NodeSpec(Part):
    """What the operator wants of a node."""

    config: Label | None = None
    """Name of the node config, from the Node's label; None: the default one."""
    gpus: Annotated[tuple[GpuSpec, ...], Field(max_length=MOST_GPUS)] = ()

    @property
    def tables(self) -> frozenset[str]:
        """Names of all LookupTables that it needs."""
        return frozenset(slot.table for gpu in self.gpus for slot in gpu.slots if slot.table)


class NodeColocation(Object):
    """The kind of a node's object. Cluster-scoped, named as the Node and owned by it."""

    kind: Literal["NodeColocation"] = "NodeColocation"
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()

    @classmethod
    def of(cls, node: Name, uid: str) -> Self:
        """What an agent creates: an empty spec, owned by the Node."""
        owner = OwnerReference(api_version="v1", kind="Node", name=node, uid=uid)
        return cls(metadata=Metadata(name=node, owner_references=(owner,)))
