"""`kubectl eclip plan`: what a policy would bring, without touching anything. Pure.

For every GPU product of the cluster: one container of each workload on one GPU, all of them beside each other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eclip import planning
from eclip.api import ColocationPolicy, KernelProfile, NodeColocation
from eclip.api.node_status import GpuStatus
from eclip.api.policy import Workload
from eclip.documents import profile
from eclip.errors import InputError
from eclip.gpu import products
from eclip.gpu.topology import Gpu
from eclip.plan import MixPlan


@dataclass(frozen=True, slots=True)
class Trial:
    """A plan for one kind of GPU."""

    gpu: Gpu
    nodes: tuple[str, ...]
    """Nodes that have such a GPU."""
    made: MixPlan | None
    """None: no workload has a profile for it."""
    unmasked: tuple[str, ...]
    """Workloads without a profile for it: they would share it without masks."""


def trials(
    policy: ColocationPolicy, known: Mapping[str, KernelProfile], nodes: Iterable[NodeColocation]
) -> list[Trial]:
    """One for each kind of GPU that the policy may use. `known`: profiles of its namespace by name.

    Raises:
        InputError: the cluster has no such GPU.
        InfeasibleError: no plan keeps the policy's objectives and limits.
    """
    kinds: dict[tuple[str, tuple[int, ...]], list[tuple[str, GpuStatus]]] = {}
    for node in nodes:
        for gpu in node.status.gpus:
            if policy.spec.gpu_selector.selects(gpu.product, gpu.id, node.metadata.name):
                kinds.setdefault((gpu.product, gpu.topology.active), []).append((node.metadata.name, gpu))
    if not kinds:
        raise InputError(f"policy {policy.key}: no node has a GPU that its gpuSelector allows")
    return [
        _trial(policy, known, found[0][1].gpu, tuple(dict.fromkeys(name for name, _ in found)))
        for found in kinds.values()
    ]


def _trial(policy: ColocationPolicy, known: Mapping[str, KernelProfile], gpu: Gpu, nodes: tuple[str, ...]) -> Trial:
    workers: list[planning.Workload] = []
    unmasked = []
    for workload in policy.spec.workloads:
        models = _models(workload, known, gpu)
        if not models:
            unmasked.append(workload.name)
        workers += [_worker(workload, name, kernels, gpu) for name, kernels in models.items()]
    if not workers:
        return Trial(gpu, nodes, None, tuple(unmasked))
    spec = policy.spec
    options = planning.Options(
        strategy=spec.strategy, objective=spec.objective, basis=spec.objective_basis, solver=spec.solver
    )
    made = planning.make_plan(gpu, products.product(gpu.product), workers, options)
    return Trial(gpu, nodes, made, tuple(unmasked))


def _models(workload: Workload, known: Mapping[str, KernelProfile], gpu: Gpu) -> dict[str, profile.KernelProfile]:
    """The profile of each model for this GPU; empty unless all of them have one."""
    chosen: dict[str | None, profile.KernelProfile | None] = {}
    for ref in workload.profile_refs:
        chosen.setdefault(ref.model, None)
        found = known[ref.name].profile if ref.name in known else None
        if found and (found.product, found.compute_units) == (gpu.product, gpu.compute_units):
            chosen[ref.model] = chosen[ref.model] or found
    complete = {model: found for model, found in chosen.items() if found is not None}
    if len(complete) < len(chosen):
        return {}
    return {f"{workload.name}/{model}" if model else workload.name: found for model, found in complete.items()}


def _worker(workload: Workload, name: str, kernels: profile.KernelProfile, gpu: Gpu) -> planning.Workload:
    limits = workload.compute_units
    return planning.Workload(
        name=name,
        profile=kernels,
        weight=workload.weight,
        latency_micros=workload.latency.p95_micros if workload.latency else None,
        limits=(limits.min or 1, limits.max or gpu.compute_units) if limits else None,
        max_switches=workload.max_switches,
        best_effort=workload.class_ == "BestEffort",
    )
