"""From a colocation file to the planner's question: workers, profiles, options. Pure, but for reading profiles."""

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from eclip import planning
from eclip.documents import colocation, profile
from eclip.documents.profile import KernelProfile
from eclip.errors import InputError
from eclip.gpu import hsa_cu_mask
from eclip.plan import CuSet

Models = Mapping[str, KernelProfile]
"""The models of one slot: name of the worker -> its profile, in the table's order."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What the command line says on top of a file, by worker."""

    weights: Mapping[str, float]
    latencies_ms: Mapping[str, float]
    limits: Mapping[str, tuple[int, int]]
    options: Mapping[str, Any]
    """By field of `planning.Options`; None is not said."""


@dataclass(frozen=True, slots=True)
class Mix:
    """All workers of one GPU, and how to plan for them."""

    workloads: tuple[planning.Workload, ...]
    options: planning.Options
    slots: Mapping[str, Models]
    """By workload of the colocation file; a workload with several profiles is several workers."""

    def without(self, done: frozenset[str]) -> "Mix":
        """The mix of those that are left."""
        slots = {name: models for name, models in self.slots.items() if name not in done}
        workers = {worker for models in slots.values() for worker in models}
        return replace(self, slots=slots, workloads=tuple(part for part in self.workloads if part.name in workers))

    def changed(self, changes: Changes) -> "Mix":
        """With the flags of the command line on top.

        Raises:
            InputError: a flag names a worker that is not there.
        """
        weights, latencies, limits = changes.weights, changes.latencies_ms, changes.limits
        for flag, given in (("--weight", weights), ("--latency", latencies), ("--limit", limits)):
            unknown = next((name for name in given if name not in {part.name for part in self.workloads}), None)
            if unknown:
                known = ", ".join(part.name for part in self.workloads)
                raise InputError(f"{flag} {unknown}=...: there is no worker of this name; there are {known}")
        chosen = {name: value for name, value in changes.options.items() if value is not None}
        workloads = [
            replace(
                part,
                max_switches="inherit" if "max_switches" in chosen else part.max_switches,
                weight=weights.get(part.name, part.weight),
                latency_micros=latencies[part.name] * 1000 if part.name in latencies else part.latency_micros,
                limits=limits.get(part.name, part.limits),
            )
            for part in self.workloads
        ]
        return replace(self, workloads=tuple(workloads), options=replace(self.options, **chosen))


def of(spec: colocation.Colocation, gpu: int | str) -> Mix:
    """The mix of one of the GPUs that a colocation file names.

    Raises:
        InputError: a profile cannot be read.
    """
    slots = {workload.name: _models(workload) for workload in spec.on(gpu)}
    workloads = tuple(
        planning.Workload(
            name=worker,
            profile=kernels,
            weight=workload.weight,
            latency_micros=workload.latency_micros,
            limits=_limits(workload, kernels),
            max_switches=workload.max_switches,
            best_effort=workload.best_effort,
            process=workload.name,
            ceiling=_ceiling(workload),
        )
        for workload in spec.on(gpu)
        for worker, kernels in slots[workload.name].items()
    )
    return Mix(workloads, _options(spec), slots)


def of_profiles(profiles: Models) -> Mix:
    """A mix of one worker a profile, everything else as by default."""
    options = planning.Options()
    workloads = tuple(planning.Workload(name=name, profile=kernels) for name, kernels in profiles.items())
    return Mix(workloads, options, {name: {name: kernels} for name, kernels in profiles.items()})


def identity(mix: Mix, workload: str) -> Hashable:
    """What a plan depends on for one workload: a change of it makes a new plan, and restarts nothing."""
    parts = tuple(part for part in mix.workloads if part.name in mix.slots[workload])
    plain = tuple(getattr(part, field.name) for part in parts for field in fields(part) if field.name != "profile")
    kernels = tuple(profile.dump(part.profile) for part in parts)
    return (plain, kernels, repr(mix.options))


def _models(workload: colocation.Workload) -> Models:
    loaded = [profile.load(path) for path in workload.profiles]
    if len(loaded) == 1:
        return {workload.name: loaded[0]}
    names = [f"{workload.name}/{kernels.name}" for kernels in loaded]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise InputError(f"workload {workload.name}: two of its profiles have the name {twice.partition('/')[2]}")
    return dict(zip(names, loaded, strict=True))


def _limits(workload: colocation.Workload, kernels: KernelProfile) -> tuple[int, int] | None:
    if workload.min_compute_units is None and workload.max_compute_units is None:
        return None
    return workload.min_compute_units or 1, workload.max_compute_units or kernels.compute_units


def _ceiling(workload: colocation.Workload) -> CuSet | None:
    """What HSA_CU_MASK leaves the program, by the file or, if we start it, by our own environment."""
    inherited = os.environ.get("HSA_CU_MASK", "") if workload.command else ""
    return hsa_cu_mask.parse_hsa_cu_mask(workload.env.get("HSA_CU_MASK", inherited)).sets.get(0)


def _options(spec: colocation.Colocation) -> planning.Options:
    return planning.Options(
        strategy=spec.strategy,
        solver=spec.solver,
        objective=spec.objective,
        basis=spec.objective_basis,
        overlap=spec.overlap,
        hop_micros=spec.hop_micros,
        stream_micros=spec.stream_micros,
        max_switches=spec.max_switches,
        max_streams=spec.max_streams,
        sizes=spec.sizes,
    )
