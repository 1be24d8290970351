"""What is to be planned: workloads, options, and the problem that they pose to the optimiser. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eclip.documents.profile import TOLERANCE, KernelProfile
from eclip.errors import InfeasibleError, InputError
from eclip.gpu import budgets, products
from eclip.gpu.budgets import Demand
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.optimize.problem import Objective, Overlap, Power, Problem, Worker
from eclip.plan import CuSet
from eclip.planning import ceilings, strategies

MAX_SWITCHES = 14
"""Per worker and request: the paper's finding on an MI50."""
BEST_EFFORT_WEIGHT = 1e-3
"""Of a best-effort worker beside realtime ones: it gets what they leave, and decides between their equals."""
SOLVERS = ("exact", "pulp")
BASES = ("normalised", "absolute")
SIZES = ("auto", "paper")

Inherit = Literal["inherit"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A model that is to run on the GPU."""

    name: str
    profile: KernelProfile
    weight: float = 1.0
    latency_micros: float | None = None
    """Longest time of a request. Not looked at for best-effort workloads."""
    limits: tuple[int, int] | None = None
    """Fewest and most CUs that any of its kernels may have."""
    max_switches: int | Inherit | None = "inherit"
    """Of one request. None: no budget. ``inherit``: as the options say."""
    best_effort: bool = False
    """Planned with what leaves every realtime objective feasible, and hardly any weight against realtime workers."""
    process: str = ""
    """Workers of one process share its masked streams. Empty: a process of its own."""
    ceiling: CuSet | None = None
    """The CUs that its process can get at (HSA_CU_MASK, read when it starts). None: all."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to plan."""

    strategy: str = "kernel-groups"
    solver: str = "exact"
    objective: str = "fairness"
    basis: str = "normalised"
    """``normalised``: times over the solo time. ``absolute``: the paper's sum of microseconds."""
    overlap: str = "corrected"
    hop_micros: float | None = None
    """None: the product's."""
    stream_micros: float | None = None
    """None: the product's."""
    max_switches: int | None = MAX_SWITCHES
    """Per worker and request. None: no budget."""
    max_streams: int | None = None
    """Masked streams of all workers. None: what the product has. Never more than that."""
    sizes: str | tuple[int, ...] = "auto"
    """``auto``: the profiled sizes; which of them each worker uses is part of the plan. ``paper``: quarters for two
    workers, half and three quarters for three, each with the whole GPU. Else the sizes that every worker may use."""
    tolerance: float = TOLERANCE
    """See `strategies.Means`."""
    time_limit_s: float | None = None
    """Ends the search early; its gap tells how early."""
    forecast_parts: bool = True
    """Whether parts of the mix are played in the contention model, too. Else the plan's formula says their times."""


def check(gpu: Gpu, workloads: Sequence[Workload], options: Options) -> None:
    """Raises InputError for whatever cannot be planned on this GPU."""
    if not workloads:
        raise InputError("a plan needs at least one worker")
    names = [workload.name for workload in workloads]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two workers are called {twice!r}; names must differ")
    for what, value, known in (
        ("strategy", options.strategy, tuple(strategies.STRATEGIES)),
        ("solver", options.solver, SOLVERS),
        ("objective", options.objective, tuple(Objective)),
        ("objective basis", options.basis, BASES),
        ("overlap", options.overlap, tuple(Overlap)),
    ):
        if value not in known:
            raise InputError(f"{what} {value!r} is not known; should be one of {', '.join(known)}")
    if options.max_streams is not None and options.max_streams < 0:
        raise InputError(f"stream budget {options.max_streams} must not be negative")
    for workload in workloads:
        _fits(gpu, workload)


def problem(
    gpu: Gpu, product: Product, workloads: Sequence[Workload], options: Options, sizes: Sequence[Sequence[int]]
) -> Problem:
    """The optimiser's problem, with the sizes that each workload may use."""
    realtime = any(not workload.best_effort for workload in workloads)
    return Problem(
        workers=tuple(
            _worker(gpu, workload, options, mine, BEST_EFFORT_WEIGHT if realtime and workload.best_effort else 1.0)
            for workload, mine in zip(workloads, sizes, strict=True)
        ),
        compute_units=ceilings.reach(gpu, (workload.ceiling for workload in workloads)),
        hop_micros=product.hop_micros if options.hop_micros is None else options.hop_micros,
        stream_micros=product.stream_micros if options.stream_micros is None else options.stream_micros,
        max_streams=stream_budget(product, workloads, options),
        overlap=Overlap(options.overlap),
        objective=_objective(workloads, options),
        power=Power(product.idle_watts, product.cu_watts),
    )


def sizes(gpu: Gpu, workloads: Sequence[Workload], options: Options) -> list[tuple[int, ...]]:
    """The sizes that each workload may use, ascending.

    Raises:
        InputError: sizes that are not in a profile, or a ceiling without a CU of this GPU.
        InfeasibleError: limits or a ceiling leave a workload none.
    """
    wanted = _wanted(gpu, len(workloads), options)
    return [_within(workload, _reachable(gpu, workload, _profiled(workload, wanted))) for workload in workloads]


def stream_budget(product: Product, workloads: Sequence[Workload], options: Options) -> int:
    """Masked streams of the whole mix: what the queue slots leave beside the applications' own streams, at most."""
    own = {workload.name: Demand(0, max(1, len(workload.profile.streams))) for workload in workloads}
    return budgets.masked_limit(product, budgets.application_queues(product, own), options.max_streams)


def _fits(gpu: Gpu, workload: Workload) -> None:
    profile = workload.profile
    if profile.compute_units != gpu.compute_units or profile.sizes[-1] != gpu.compute_units:
        raise InputError(
            f"worker {workload.name}: profile {profile.name} was taken on {profile.product} with "
            f"{profile.compute_units} CUs, the GPU is {gpu.product} with {gpu.compute_units}"
        )
    known = products.PRODUCTS.get(profile.product)
    if known is not None and known.gfx != gpu.gfx:
        raise InputError(
            f"worker {workload.name}: profile {profile.name} was taken on {profile.product} ({known.gfx}), the GPU is "
            f"{gpu.product} ({gpu.gfx})"
        )


def _wanted(gpu: Gpu, workers: int, options: Options) -> tuple[int, ...] | None:
    """None: every profiled size."""
    if options.sizes == "auto":
        return None
    if options.sizes == "paper":
        if workers > 3:
            raise InputError(f"sizes 'paper' are defined for 2 and 3 workers, not {workers}; use auto or a list")
        quarters = products.product(gpu.product).default_sizes(gpu)
        return quarters[1:] if workers == 3 else quarters
    if isinstance(options.sizes, str):
        raise InputError(f"sizes {options.sizes!r} are not known; should be auto, paper or a list of CU counts")
    return tuple(sorted(set(options.sizes)))


def _profiled(workload: Workload, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    profiled = workload.profile.sizes
    missing = [size for size in wanted or () if size not in profiled]
    if missing:
        raise InputError(
            f"worker {workload.name}: size {missing[0]} is not in profile {workload.profile.name}, which has "
            f"{list(profiled)}"
        )
    return profiled if wanted is None else wanted


def _reachable(gpu: Gpu, workload: Workload, wanted: tuple[int, ...]) -> tuple[int, ...]:
    if workload.ceiling is None:
        return wanted
    product = products.product(gpu.product)
    least = workload.limits[0] if workload.limits else 1
    # What is too small for its limits does not make a ceiling large enough.
    asked = tuple(size for size in wanted if size >= least) or wanted
    ceilings.sizes(gpu, product, workload.name, workload.ceiling, asked)
    return ceilings.sizes(gpu, product, workload.name, workload.ceiling, wanted)


def _within(workload: Workload, allowed: tuple[int, ...]) -> tuple[int, ...]:
    if workload.limits is None:
        return allowed
    least, most = workload.limits
    found = tuple(size for size in allowed if least <= size <= most)
    if not found:
        nearest = min(allowed, key=lambda size: max(least - size, size - most))
        raise InfeasibleError(
            f"worker {workload.name}: no size lies within its limit {least}:{most}; sizes are {list(allowed)}, the "
            f"nearest is {nearest}, {max(least - nearest, nearest - most)} CUs off"
        )
    return found


def _worker(gpu: Gpu, workload: Workload, options: Options, allowed: Sequence[int], importance: float) -> Worker:
    profile = workload.profile
    columns = [ceilings.column(profile.sizes, size) for size in allowed]
    budget = options.max_switches if workload.max_switches == "inherit" else workload.max_switches
    return Worker(
        name=workload.name,
        times=profile.micros[:, columns],
        sizes=tuple(allowed),
        weight=workload.weight * importance,
        base_micros=profile.solo_micros if options.basis == "normalised" else 1.0,
        latency_micros=None if workload.best_effort else workload.latency_micros,
        max_switches=budget,
        ceiling=None if workload.ceiling is None else ceilings.own_size(gpu, workload.ceiling),
    )


def _objective(workloads: Sequence[Workload], options: Options) -> Objective:
    """Parts of a mix need not hold a worker with an objective, though the whole does."""
    wanted = Objective(options.objective)
    bound = any(workload.latency_micros is not None and not workload.best_effort for workload in workloads)
    return Objective.THROUGHPUT if wanted is Objective.LATENCY and not bound else wanted
