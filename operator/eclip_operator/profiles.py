"""Which profiles a workload has for a GPU. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from eclip.api.policy import Workload
from eclip.gpu.products import PRODUCTS
from eclip_operator.inputs import GpuReport, Profile, Ref
from eclip_operator.questions import Worker


@dataclass(frozen=True, slots=True)
class Resolution:
    """The profiles of a workload's models on one GPU, or why there are none."""

    workers: tuple[Worker, ...] = ()
    """One per model, in the policy's order; empty: the container shares the GPU unmasked."""
    reason: str = ""
    """``ProfileMissing`` or ``ProfileMismatch`` where a profile was asked for, and not found or of another GPU."""
    message: str = ""


def resolve(workload: Workload, namespace: str, gpu: GpuReport, known: Mapping[Ref, Profile]) -> Resolution:
    """For every model that the workload names, the profile that was taken on such a GPU."""
    chosen: dict[str | None, Profile | None] = {}
    missing: list[str] = []
    other: list[str] = []
    for ref in workload.profile_refs:
        chosen.setdefault(ref.model, None)
        profile = known.get(Ref(namespace, ref.name))
        if profile is None:
            missing.append(ref.name)
        elif not _fits(profile, gpu):
            other.append(f"{ref.name} ({profile.product}, {profile.compute_units} CUs)")
        elif chosen[ref.model] is None or profile.product == gpu.product:
            chosen[ref.model] = profile
    if not chosen:
        return Resolution(reason="ProfileMissing", message=f"workload {workload.name} names no profile")
    found = tuple(
        Worker(profile.ref.name, profile.digest, model or "")
        for model, profile in chosen.items()
        if profile is not None
    )
    if len(found) == len(chosen):
        return Resolution(found)
    chip = f"{gpu.product} with {gpu.compute_units} CUs"
    # A pod is planned with all of its models, or not at all.
    if missing:
        what = f"KernelProfile {', '.join(missing[:3])} does not exist in namespace {namespace}"
        return Resolution(reason="ProfileMissing", message=f"workload {workload.name} on {chip}: {what}")
    return Resolution(
        reason="ProfileMismatch",
        message=f"workload {workload.name} on {chip}: its profiles are for {', '.join(other[:3])}",
    )


def _fits(profile: Profile, gpu: GpuReport) -> bool:
    """As the planner judges it: the same CU count, on a chip of the same instruction set."""
    row = PRODUCTS.get(profile.product)
    same = profile.product == gpu.product or (row is not None and row.gfx == gpu.gfx)
    return same and profile.compute_units == gpu.compute_units
