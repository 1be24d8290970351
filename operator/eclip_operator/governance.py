"""Which policy governs which pod. Pure.

A policy reaches only pods of its own namespace. Of several that match a pod the oldest governs it, then the one whose
name comes first; the others are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eclip.api.policy import Workload
from eclip_operator.inputs import GpuReport, Occupant, Policy, Ref


@dataclass(frozen=True, slots=True)
class Governed:
    """The answer for one container with a share."""

    policy: Policy
    workload: Workload
    losers: tuple[Ref, ...] = ()
    """Policies that match the pod, too."""


def govern(
    policies: Sequence[Policy], node: str, gpu: GpuReport, occupant: Occupant, labels: Mapping[str, str]
) -> Governed | None:
    """The policy and workload of a container whose pod has these labels; None if nobody claims it.

    Args:
        policies: of the pod's namespace, the oldest first.
    """
    found = dict(labels)
    claims = [
        (policy, workload)
        for policy in policies
        if policy.spec.gpu_selector.selects(gpu.product, gpu.id, node)
        for workload in policy.spec.workloads
        if workload.container in (None, occupant.container) and workload.pod_selector.selects(found)
    ]
    if not claims:
        return None
    policy, workload = claims[0]
    others = dict.fromkeys(other.ref for other, _ in claims if other.ref != policy.ref)
    return Governed(policy, workload, tuple(others))
