"""Conditions: what they are called, their reasons, and how a new set takes over from an old one. Pure."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from eclip.api.objects import Count, Part, Time

Status = Literal["True", "False", "Unknown"]


class PolicyCondition(StrEnum):
    """Types of conditions of a ColocationPolicy; the operator writes all of them."""

    ACCEPTED = "Accepted"
    """The policy can be obeyed as it is written."""
    PROFILES_RESOLVED = "ProfilesResolved"
    """Every workload has a profile for every GPU that it runs on."""
    PROGRAMMED = "Programmed"
    """A plan for every GPU with a pod of this policy is in the node's object."""
    ENFORCED = "Enforced"
    """Every pod of this policy runs with the masks of its plan."""
    OBJECTIVE_MET = "ObjectiveMet"
    """Every latency objective is kept, by measurement."""
    CONFLICTED = "Conflicted"
    """Some pods match an older policy as well, which has them."""
    STRATEGY_OVERRIDDEN = "StrategyOverridden"
    """On some GPU the strategy and objective of an older policy hold."""
    READY = "Ready"


class PolicyReason(StrEnum):
    """Reasons of a policy's conditions."""

    ACCEPTED = "Accepted"
    CONFLICTED = "Conflicted"
    NO_CONFLICT = "NoConflict"
    INFEASIBLE = "Infeasible"
    RESOLVED = "Resolved"
    PROFILE_MISSING = "ProfileMissing"
    PROFILE_MISMATCH = "ProfileMismatch"
    PROFILE_INVALID = "ProfileInvalid"
    NO_PODS = "NoPods"
    PLANNING = "Planning"
    PROGRAMMED = "Programmed"
    UNMASKED = "Unmasked"
    ENFORCED = "Enforced"
    PENDING = "Pending"
    NOT_ENFORCED = "NotEnforced"
    AGENT_LOST = "AgentLost"
    NO_OBJECTIVE = "NoObjective"
    NOT_MEASURED = "NotMeasured"
    EMULATED = "Emulated"
    MET = "Met"
    MISSED = "Missed"
    OVERRIDDEN = "Overridden"
    OWN_STRATEGY = "OwnStrategy"
    READY = "Ready"


class NodeCondition(StrEnum):
    """Types of conditions of a NodeColocation; the node's agent writes all of them but `AGENT_READY`."""

    CONFIG_VALID = "ConfigValid"
    """The node config in force is the one that the spec names, and it is valid."""
    PLUGIN_READY = "PluginReady"
    """The device plugin runs and is registered with kubelet."""
    GPUS_HEALTHY = "GPUsHealthy"
    """Every GPU can be given to new pods."""
    PROGRAMMED = "Programmed"
    """Every slot has the table that the spec names."""
    ENFORCED = "Enforced"
    """Every program that should run with masks does."""
    READY = "Ready"
    AGENT_READY = "AgentReady"
    """The node's agent is there, by the operator's word. While it is not, all else in the status is of before."""


class NodeReason(StrEnum):
    """Reasons of a node object's conditions."""

    VALID = "Valid"
    INVALID = "Invalid"
    REGISTERED = "Registered"
    NOT_RUNNING = "NotRunning"
    NOT_REGISTERED = "NotRegistered"
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    DOUBLE_ADVERTISED = "DoubleAdvertised"
    NO_GPUS = "NoGPUs"
    PROGRAMMED = "Programmed"
    TABLE_MISSING = "TableMissing"
    TABLE_INVALID = "TableInvalid"
    WRITE_FAILED = "WriteFailed"
    NO_PODS = "NoPods"
    ENFORCED = "Enforced"
    PENDING = "Pending"
    NOT_ENFORCED = "NotEnforced"
    KUBELET_LOST = "KubeletLost"
    AGENT_LOST = "AgentLost"
    READY = "Ready"


class Condition(Part):
    """One condition, in Kubernetes' standard form."""

    type: Annotated[str, Field(min_length=1, max_length=63)]
    status: Status
    reason: Annotated[str, Field(min_length=1, max_length=63, pattern="^[A-Za-z]+$")]
    message: Annotated[str, Field(max_length=1024)]
    last_transition_time: Time
    observed_generation: Count | None = None


def take_over(old: Iterable[Condition], new: Iterable[Condition]) -> tuple[Condition, ...]:
    """The new conditions by type, each with the time at which its status became what it is."""
    since: dict[tuple[str, str], datetime] = {
        (condition.type, condition.status): condition.last_transition_time for condition in old
    }
    kept = (
        condition.model_copy(
            update={
                "last_transition_time": since.get((condition.type, condition.status), condition.last_transition_time)
            }
        )
        for condition in new
    )
    return tuple(sorted(kept, key=lambda condition: condition.type))
