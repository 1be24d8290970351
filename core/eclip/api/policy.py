"""ColocationPolicy: which pods of a namespace may share a GPU, and how. Fields as in a colocation file."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from eclip import documents
from eclip.api.conditions import Condition
from eclip.api.objects import Count, Cus, GpuId, Label, Micros, Name, Object, Part, PolicyRef, StrategyName
from eclip.documents.colocation import MAX_SWITCHES, Basis, Objective, Solver

Strategy = Literal["whole-gpu", "static-split", "model-wise", "per-kernel", "kernel-groups"]
"""Of a colocation file's strategies those that can be entered and left while pods run."""
Class = Literal["Realtime", "BestEffort"]
Switches = Annotated[int, Field(ge=0, le=4096)]
LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class Operator(StrEnum):
    """How a label requirement compares."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class LabelRequirement(Part):
    """One requirement of a label selector."""

    key: LabelKey
    operator: Operator
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32)] = ()

    def holds(self, labels: dict[str, str]) -> bool:
        """Whether an object with these labels meets it. An absent label is not in any list of values."""
        there = self.key in labels
        match self.operator:
            case Operator.IN:
                return there and labels[self.key] in self.values
            case Operator.NOT_IN:
                return not there or labels[self.key] not in self.values
            case Operator.EXISTS:
                return there
            case Operator.DOES_NOT_EXIST:
                return not there


class LabelSelector(Part):
    """Kubernetes' label selector: all of its parts must hold; an empty one selects everything."""

    match_labels: dict[LabelKey, LabelValue] = Field(default_factory=dict, max_length=32)
    match_expressions: Annotated[tuple[LabelRequirement, ...], Field(max_length=32)] = ()

    def selects(self, labels: dict[str, str]) -> bool:
        """Whether an object with these labels is meant."""
        equal = all(labels.get(key) == value for key, value in self.match_labels.items())
        return equal and all(requirement.holds(labels) for requirement in self.match_expressions)


class ProfileRef(Part):
    """A KernelProfile of the policy's namespace: one per GPU product and CU count, and per model of the pod."""

    name: Name
    model: Label | None = None
    """Which of the models that the pod serves; None: its only one."""


class Latency(Part):
    """What a Realtime workload promises."""

    p95_micros: Annotated[float, Field(gt=0, alias="p95Micros")]
    """Longest p95 of a request."""


class Limits(Part):
    """How many CUs the kernels of a workload may use."""

    min: Cus | None = None
    max: Cus | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Limits":
        if self.min and self.max and self.min > self.max:
            documents.reject(("min",), f"is {self.min}, above max ({self.max}); swap them")
        return self


class Workload(Part):
    """Which pods, which profiles, which objective."""

    name: Label
    pod_selector: LabelSelector
    container: Label | None = None
    """Which container of the pod; None: every one that has a share, each a worker of its own."""
    profile_refs: Annotated[tuple[ProfileRef, ...], Field(max_length=64)] = ()
    """Empty: its pods share the GPU unmasked."""
    weight: Annotated[int, Field(ge=1, le=100)] = 1
    class_: Annotated[Class, Field(alias="class")] = "Realtime"
    latency: Latency | None = None
    compute_units: Limits | None = None
    max_switches: Switches = MAX_SWITCHES


class GpuSelector(Part):
    """GPUs on which the policy holds: each list that is not empty must have the GPU."""

    products: Annotated[tuple[Label, ...], Field(max_length=32)] = ()
    ids: Annotated[tuple[GpuId, ...], Field(max_length=64)] = ()
    nodes: Annotated[tuple[Name, ...], Field(max_length=64)] = ()

    def selects(self, product: str, gpu: str, node: str) -> bool:
        """Whether the policy holds on this GPU."""
        pairs = ((self.products, product), (self.ids, gpu), (self.nodes, node))
        return all(not wanted or found in wanted for wanted, found in pairs)


class PolicySpec(Part):
    """What the user wants."""

    workloads: Annotated[tuple[Workload, ...], Field(min_length=1, max_length=64)]
    strategy: Strategy = "kernel-groups"
    objective: Objective = "fairness"
    objective_basis: Basis = "normalised"
    solver: Solver = "exact"
    gpu_selector: GpuSelector = GpuSelector()


class PolicySummary(Part):
    """Counts for `kubectl get`."""

    workloads: Count = 0
    pods: Count = 0
    gpus: Count = 0
    enforced: Count = 0
    """Pods of this policy whose every share is Enforced."""


class WorkloadStatus(Part):
    """How one workload fares, over all its pods."""

    name: Label
    pods: Count = 0
    enforced: Count = 0
    objective_micros: Micros | None = None
    p95_micros: Annotated[Micros | None, Field(alias="p95Micros")] = None
    """Of the slowest pod."""
    objective_met: Literal["True", "False", "Unknown"] | None = None
    profiles: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=64)] = ()
    """Profiles in use, and products that lack one, one line each."""


class GpuPlan(Part):
    """What was decided for one GPU with pods of this policy, and how it compares."""

    node: Name
    gpu: GpuId
    product: Label
    strategy: StrategyName
    governed_by: PolicyRef
    """Whose strategy and objective hold."""
    workers: Count
    gap: Annotated[float | None, Field(ge=0)] = None
    predicted_slowdown: Annotated[float | None, Field(ge=0)] = None
    """Of the slowest worker: a request beside its mates over one alone."""
    measured_slowdown: Annotated[float | None, Field(ge=0)] = None
    """The same of mean times over the last half minute. None on emulated GPUs, too."""


class PolicyStatus(Part):
    """What became of it; written by the operator."""

    observed_generation: Count | None = None
    summary: PolicySummary = PolicySummary()
    workloads: Annotated[tuple[WorkloadStatus, ...], Field(max_length=64)] = ()
    gpus: Annotated[tuple[GpuPlan, ...], Field(max_length=16)] = ()
    """The first sixteen."""
    more_gpus: Count = 0
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()


class ColocationPolicy(Object):
    """The kind of a policy. Namespaced."""

    kind: Literal["ColocationPolicy"] = "ColocationPolicy"
    spec: PolicySpec
    status: PolicyStatus = PolicyStatus()
