"""The status of a policy, from the facts of all nodes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from eclip.api.conditions import Condition, take_over
from eclip.api.node_status import SlotState
from eclip.api.policy import GpuPlan, PolicyStatus, PolicySummary, Workload, WorkloadStatus
from eclip_operator.facts import Fact
from eclip_operator.inputs import Policy, Profile, Ref
from eclip_operator.verdicts import verdicts

GPUS_SHOWN = 16
MESSAGE_LENGTH = 1024


def status(policy: Policy, facts: Iterable[Fact], profiles: Mapping[Ref, Profile], now: datetime) -> PolicyStatus:
    """What a policy's status should be.

    Args:
        facts: of all containers that the policy governs, or matches in vain.
        now: for conditions that change; others keep the time that they have in `policy.status`.
    """
    everything = tuple(facts)
    mine = sorted((fact for fact in everything if fact.policy == policy.ref), key=lambda f: (f.node, f.gpu, f.pod))
    lost = [fact for fact in everything if policy.ref in fact.losers]
    conditions = tuple(
        Condition(
            type=verdict.type.value,
            status=verdict.status,
            reason=verdict.reason.value,
            message=verdict.message[:MESSAGE_LENGTH],
            last_transition_time=now,
            observed_generation=policy.generation,
        )
        for verdict in verdicts(policy, mine, lost, _missing(policy, profiles))
    )
    plans = _plans(mine)
    return PolicyStatus(
        observed_generation=policy.generation,
        summary=PolicySummary(
            workloads=len(policy.spec.workloads),
            pods=len({fact.pod for fact in mine}),
            gpus=len(plans),
            enforced=_enforced(mine),
        ),
        workloads=tuple(_workload(workload, mine) for workload in policy.spec.workloads),
        gpus=tuple(plans[:GPUS_SHOWN]),
        more_gpus=max(0, len(plans) - GPUS_SHOWN),
        conditions=take_over(policy.status.conditions, conditions),
    )


def _missing(policy: Policy, profiles: Mapping[Ref, Profile]) -> list[str]:
    named = dict.fromkeys(ref.name for workload in policy.spec.workloads for ref in workload.profile_refs)
    return [name for name in named if Ref(policy.ref.namespace, name) not in profiles]


def _enforced(facts: Sequence[Fact]) -> int:
    """Pods whose every share is enforced."""
    pods = {fact.pod for fact in facts}
    return len(pods - {fact.pod for fact in facts if not fact.masked or fact.state != SlotState.ENFORCED})


def _workload(workload: Workload, facts: Sequence[Fact]) -> WorkloadStatus:
    mine = [fact for fact in facts if fact.workload == workload.name]
    measured = [fact.p95_micros for fact in mine if fact.p95_micros is not None]
    lines = dict.fromkeys(
        f"{fact.product}, {fact.compute_units} CUs: {fact.unresolved or fact.detail}" for fact in mine
    )
    return WorkloadStatus(
        name=workload.name,
        pods=len({fact.pod for fact in mine}),
        enforced=_enforced(mine),
        objective_micros=workload.latency.p95_micros if workload.latency else None,
        p95_micros=max(measured, default=None),
        objective_met=_met(mine) if workload.latency else None,
        profiles=tuple(lines)[:64],
    )


def _met(facts: Sequence[Fact]) -> Literal["True", "False", "Unknown"]:
    known = [fact.late for fact in facts if fact.late is not None]
    if not known:
        return "Unknown"
    return "False" if any(known) else "True"


def _plans(facts: Sequence[Fact]) -> list[GpuPlan]:
    by_gpu: dict[tuple[str, str], list[Fact]] = {}
    for fact in facts:
        by_gpu.setdefault((fact.node, fact.gpu), []).append(fact)
    return [_plan(mine) for mine in by_gpu.values()]


def _plan(mine: Sequence[Fact]) -> GpuPlan:
    first = mine[0]
    return GpuPlan(
        node=first.node,
        gpu=first.gpu,
        product=first.product,
        strategy=first.strategy,
        governed_by=str(first.lead),
        workers=first.workers,
        gap=first.gap,
        predicted_slowdown=max((f.predicted_slowdown for f in mine if f.predicted_slowdown is not None), default=None),
        measured_slowdown=max((round(f.slowdown, 3) for f in mine if f.slowdown is not None), default=None),
    )
