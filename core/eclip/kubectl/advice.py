"""What a state or a reason means, and what to do about it. Pure."""

from collections.abc import Mapping

STATES: Mapping[str, str] = {
    "Pending": "it has made no HIP call yet; masks come with the first one",
    "Unmasked": "it shares the GPU without masks",
    "Enforced": "its masks were read back and are those of the plan",
    "SingleMask": "it chose one number of CUs for the whole process",
    "Unknown": "the agent of its node cannot tell; look at the agent's pod",
}
REASONS: Mapping[str, str] = {
    "LibraryNotLoaded": "its node config injects no library; set injection: preload for the node",
    "VersionMismatch": "its library is of another version than the node's agent; restart the pod",
    "HooksIncomplete": "its HIP runtime lacks calls that masks need; HIP 5.2 and later has them",
    "TableRefused": "its library or its runtime refused the plan; see the node's Programmed condition and pod's log",
    "UserDisabled": "the pod sets ECLIP_MODE to off or observe; remove that to enforce the plan",
    "NoHandshake": "a program uses the GPU and never loaded our library: a static binary, or its own LD_PRELOAD",
    "SlotLost": "files of its slot are missing on the node; restart the pod",
    "StatsTampered": "something in the pod meddled with the slot's files; its figures cannot be trusted",
    "NoPolicy": "no ColocationPolicy of its namespace selects it",
    "ProfileMissing": "its workload has no KernelProfile for this GPU; take one by 'kubectl eclip profile'",
    "ProfileMismatch": "the KernelProfiles of its workload are of other GPUs; take one by 'kubectl eclip profile'",
    "ProfileInvalid": "its KernelProfile cannot be used; see the policy's conditions",
    "Infeasible": "no plan keeps every objective and limit; see the policy's conditions",
    "Planning": "its plan is being made",
    "WholeGpu": "the strategy gives it the whole GPU",
}


def meaning(state: str, reason: str | None, why: str | None) -> str:
    """In one sentence. `why`: the operator's reason for a slot without masks."""
    if reason:
        return REASONS.get(reason, reason)
    said = STATES.get(state, state)
    return f"{said}: {REASONS[why]}" if state == "Unmasked" and why and why in REASONS else said
