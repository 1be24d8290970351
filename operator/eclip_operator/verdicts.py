"""The conditions of a policy, each with a reason and numbers. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eclip.api.conditions import PolicyCondition, PolicyReason, Status
from eclip.api.node_status import SlotState
from eclip_operator.facts import Fact
from eclip_operator.inputs import Policy, Ref

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition without its times."""

    type: PolicyCondition
    status: Status
    reason: PolicyReason
    message: str


def verdicts(policy: Policy, mine: Sequence[Fact], lost: Sequence[Fact], missing: Sequence[str]) -> tuple[Verdict, ...]:
    """All conditions of a policy.

    Args:
        mine: facts of the containers that it governs.
        lost: facts of containers that match it, and that an older policy governs.
        missing: profiles that it names and that do not exist.
    """
    before = (
        _accepted(mine, lost),
        _profiles(policy, mine, missing),
        _programmed(mine),
        _enforced(mine),
        _objective(policy, mine),
        _conflicted(lost),
        _overridden(policy, mine),
    )
    return (*before, _ready({verdict.type: verdict for verdict in before}))


def _accepted(mine: Sequence[Fact], lost: Sequence[Fact]) -> Verdict:
    if lost and not mine:
        text = f"it governs no pod: {_conflicts(lost)}; delete one of the policies, or narrow its selectors"
        return Verdict(PolicyCondition.ACCEPTED, "False", PolicyReason.CONFLICTED, text)
    return Verdict(PolicyCondition.ACCEPTED, "True", PolicyReason.ACCEPTED, "the policy is obeyed as it is written")


def _profiles(policy: Policy, mine: Sequence[Fact], missing: Sequence[str]) -> Verdict:
    kind = PolicyCondition.PROFILES_RESOLVED
    bad = [fact for fact in mine if fact.unresolved]
    if bad:
        lines = dict.fromkeys(fact.detail for fact in bad)
        worst = PolicyReason(min(fact.unresolved for fact in bad))
        unmasked = f"{len(_pods(bad))} of {len(_pods(mine))} pods share their GPU unmasked"
        return Verdict(kind, "False", worst, f"{unmasked}: {_some(lines, '; ')}")
    if missing:
        text = f"KernelProfile {_some(missing)} does not exist in namespace {policy.ref.namespace}"
        return Verdict(kind, "False", PolicyReason.PROFILE_MISSING, text)
    named = sum(bool(workload.profile_refs) for workload in policy.spec.workloads)
    if not mine:
        return Verdict(kind, "True", PolicyReason.RESOLVED, f"{named} workloads name profiles, and all of them exist")
    text = f"all {len(_pods(mine))} pods have the profiles of their GPU"
    return Verdict(kind, "True", PolicyReason.RESOLVED, text)


def _programmed(mine: Sequence[Fact]) -> Verdict:
    kind, gpus = PolicyCondition.PROGRAMMED, _gpus(mine)
    if not mine:
        return Verdict(kind, "Unknown", PolicyReason.NO_PODS, "no running pod with a GPU share matches a workload")
    planning = _gpus(fact for fact in mine if fact.planning)
    if planning:
        return Verdict(kind, "False", PolicyReason.PLANNING, f"{len(planning)} of {len(gpus)} GPUs are being planned")
    refused = [fact for fact in mine if fact.infeasible]
    if refused:
        causes = dict.fromkeys(fact.infeasible for fact in refused)
        text = f"{len(_gpus(refused))} of {len(gpus)} GPUs have no plan and are shared unmasked: {_some(causes, '; ')}"
        return Verdict(kind, "False", PolicyReason.INFEASIBLE, text)
    masked = [fact for fact in mine if fact.masked]
    if not masked:
        text = f"{len(_pods(mine))} pods share {len(gpus)} GPUs unmasked"
        return Verdict(kind, "True", PolicyReason.UNMASKED, text)
    return Verdict(kind, "True", PolicyReason.PROGRAMMED, f"plans for {len(_pods(masked))} pods on {len(gpus)} GPUs")


def _enforced(mine: Sequence[Fact]) -> Verdict:
    kind = PolicyCondition.ENFORCED
    masked = [fact for fact in mine if fact.masked]
    if not masked:
        return Verdict(kind, "Unknown", *_nothing_to_enforce(mine))
    states = Counter(fact.state for fact in masked)
    good = states[SlotState.ENFORCED]
    count = f"{good} of {len(masked)} slots are enforced"
    bad = [fact for fact in masked if fact.state in (SlotState.NOT_ENFORCED, SlotState.SINGLE_MASK)]
    if bad:
        causes = Counter(fact.why or fact.state.value for fact in bad)
        told = ", ".join(f"{cause} ({number})" for cause, number in sorted(causes.items()))
        text = f"{count}; {told}, first {_some(_pods(bad))}"
        return Verdict(kind, "False", PolicyReason.NOT_ENFORCED, text)
    if good == len(masked):
        return Verdict(kind, "True", PolicyReason.ENFORCED, count)
    if states[SlotState.UNKNOWN]:
        nodes = sorted({fact.node for fact in masked if fact.state == SlotState.UNKNOWN})
        return Verdict(kind, "Unknown", PolicyReason.AGENT_LOST, f"{count}; nothing is heard of {_some(nodes)}")
    waiting = [fact for fact in masked if fact.state != SlotState.ENFORCED]
    text = f"{count}; waiting for the first HIP call of {_some(_pods(waiting))}"
    return Verdict(kind, "Unknown", PolicyReason.PENDING, text)


def _nothing_to_enforce(mine: Sequence[Fact]) -> tuple[PolicyReason, str]:
    if not mine:
        return PolicyReason.NO_PODS, "there are no pods"
    if any(fact.planning for fact in mine):
        return PolicyReason.PLANNING, "the first plan is being made"
    return PolicyReason.UNMASKED, "no plan asks for masks"


def _objective(policy: Policy, mine: Sequence[Fact]) -> Verdict:
    kind = PolicyCondition.OBJECTIVE_MET
    if not any(workload.latency for workload in policy.spec.workloads):
        return Verdict(kind, "Unknown", PolicyReason.NO_OBJECTIVE, "no workload has a latency objective")
    measured = [fact for fact in mine if fact.late is not None]
    silent = sorted({fact.node for fact in mine if fact.objective_micros and fact.state == SlotState.UNKNOWN})
    if silent and not measured:
        return Verdict(kind, "Unknown", PolicyReason.AGENT_LOST, f"nothing is heard of {_some(silent)}")
    if not measured and any(fact.objective_micros and fact.emulated for fact in mine):
        text = "its pods' GPUs are emulated: requests there take time of the host, which says nothing about a GPU"
        return Verdict(kind, "Unknown", PolicyReason.EMULATED, text)
    if not measured:
        return Verdict(kind, "Unknown", PolicyReason.NOT_MEASURED, "no pod with an objective is measured yet")
    late = [fact for fact in measured if fact.late]
    if not late:
        return Verdict(kind, "True", PolicyReason.MET, f"all {len(measured)} measured slots keep their objective")
    worst = max(late, key=lambda fact: (fact.p95_micros or 0) / (fact.objective_micros or 1))
    text = (
        f"{len(late)} of {len(measured)} measured slots are late; the worst is {worst.pod} with a p95 of "
        f"{worst.p95_micros:.0f} us, its objective is {worst.objective_micros:.0f} us"
    )
    return Verdict(kind, "False", PolicyReason.MISSED, text)


def _conflicted(lost: Sequence[Fact]) -> Verdict:
    kind = PolicyCondition.CONFLICTED
    if lost:
        return Verdict(kind, "True", PolicyReason.CONFLICTED, _conflicts(lost))
    return Verdict(kind, "False", PolicyReason.NO_CONFLICT, "no pod is claimed by another policy as well")


def _overridden(policy: Policy, mine: Sequence[Fact]) -> Verdict:
    kind = PolicyCondition.STRATEGY_OVERRIDDEN
    foreign = [fact for fact in mine if fact.lead != policy.ref]
    if not foreign:
        return Verdict(kind, "False", PolicyReason.OWN_STRATEGY, "its own strategy and objective hold everywhere")
    by = sorted({f"{fact.lead} ({fact.strategy})" for fact in foreign})
    text = f"on {len(_gpus(foreign))} of {len(_gpus(mine))} GPUs the strategy of an older policy holds: {_some(by)}"
    return Verdict(kind, "True", PolicyReason.OVERRIDDEN, text)


def _ready(of: Mapping[PolicyCondition, Verdict]) -> Verdict:
    kind = PolicyCondition.READY
    for part in (of[PolicyCondition.ACCEPTED], of[PolicyCondition.PROGRAMMED], of[PolicyCondition.ENFORCED]):
        fine = part.status == "True" or part.reason in (PolicyReason.NO_PODS, PolicyReason.UNMASKED)
        if not fine:
            return Verdict(kind, "False", part.reason, part.message)
    programmed = of[PolicyCondition.PROGRAMMED]
    if programmed.reason == PolicyReason.PROGRAMMED:
        return Verdict(kind, "True", PolicyReason.READY, of[PolicyCondition.ENFORCED].message)
    return Verdict(kind, "True", programmed.reason, programmed.message)


def _conflicts(lost: Sequence[Fact]) -> str:
    pods = _pods(lost)
    winners = _some(sorted({str(fact.policy) for fact in lost}))
    return f"{len(pods)} pods that it matches belong to the older {winners}: {_some(pods)}"


def _pods(facts: Iterable[Fact]) -> list[Ref]:
    return sorted({fact.pod for fact in facts})


def _gpus(facts: Iterable[Fact]) -> set[tuple[str, str]]:
    return {(fact.node, fact.gpu) for fact in facts}


def _some(things: Iterable[object], between: str = ", ") -> str:
    """The first three, and how many more there are."""
    listed = [str(thing) for thing in things]
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return between.join(listed[:SHOWN]) + more
