"""From profiles to a plan: sizes, groups, masks and predicted times, for a mix and for the parts of it that may be
active alone.

`make_plan` is the one way in. Equal mixes are planned once, whatever their workers are called.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

import numpy as np

from eclip import layout
from eclip.contention import predict
from eclip.errors import EclipError, InfeasibleError, InputError
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.optimize import exact
from eclip.optimize.evaluate import WorkerEvaluation
from eclip.optimize.problem import Choice, Objective, Problem
from eclip.optimize.solution import Solution
from eclip.plan import CuSet, Group, MixPlan, Plan, Stream, WorkerPlan
from eclip.planning import ceilings, mixes, strategies, streams
from eclip.planning.mixes import MAX_SWITCHES, Options, Workload
from eclip.planning.streams import Held
from eclip.planning.variants import active_sets

__all__ = ["MAX_SWITCHES", "STRATEGIES", "Options", "Workload", "make_plan"]

STRATEGIES = tuple(strategies.STRATEGIES)


def make_plan(gpu: Gpu, product: Product, workers: Sequence[Workload], options: Options | None = None) -> MixPlan:
    """Plans a mix and the sets of its workers that may be active at one time.

    Raises:
        InputError: profiles, sizes or options do not fit the GPU or each other.
        InfeasibleError: no plan keeps the objectives, limits and budgets; says which, and by how much.
    """
    options = options or Options()
    mixes.check(gpu, workers, options)
    processes = [worker.process or worker.name for worker in workers]
    nameless = tuple(
        replace(worker, name=str(index), process=str(processes.index(processes[index])))
        for index, worker in enumerate(workers)
    )
    names = {str(index): worker.name for index, worker in enumerate(workers)}
    try:
        return _renamed(_cached(gpu, product, nameless, options), names)
    except EclipError:
        # Said again with the user's names.
        return _renamed(_mix_plan(gpu, product, tuple(workers), options), {name: name for name in names.values()})


def _mix_plan(gpu: Gpu, product: Product, workers: tuple[Workload, ...], options: Options) -> MixPlan:
    if options.objective == Objective.LATENCY and all(worker.latency_micros is None for worker in workers):
        raise InputError("objective latency needs a latency objective for at least one worker")
    full, *parts = active_sets([worker.name for worker in workers])
    allowed = dict(zip((worker.name for worker in workers), mixes.sizes(gpu, workers, options), strict=True))
    held = Held({worker.name: worker.process or worker.name for worker in workers})
    variants = {full: _full_plan(gpu, product, workers, options, allowed=allowed, held=held)}
    known = {worker.name: worker.streams for worker in variants[full].workers}
    for part in parts:
        active = tuple(worker for worker in workers if worker.name in part)
        plan = _plan(gpu, product, active, options, allowed=allowed, known=known)
        if held.excess(plan):
            # With what exists already; at worst, each keeps to its part of the full plan.
            fewer = {one.name: _existing(gpu, one, allowed[one.name], known[one.name]) for one in workers}
            plan = _plan(gpu, product, active, options, allowed=fewer, known=known, only_known=True)
        held.add(plan)
        variants[part] = plan
    return MixPlan(tuple(worker.name for worker in workers), variants)


def _full_plan(
    gpu: Gpu,
    product: Product,
    workers: tuple[Workload, ...],
    options: Options,
    *,
    allowed: dict[str, tuple[int, ...]],
    held: Held,
) -> Plan:
    """The plan for all workers, with no more masked streams than every process can hold."""
    plan = _plan(gpu, product, workers, options, allowed=allowed, known={})
    lower_bound = plan.lower_bound
    while excess := held.excess(plan):
        fewer = sum(len(worker.streams) for worker in plan.workers) - excess
        with suppress(InfeasibleError):
            plan = _plan(gpu, product, workers, replace(options, max_streams=fewer), allowed=allowed, known={})
            continue
        break
    held.add(plan)
    # What is best without regard to the processes bounds what is best for them.
    return replace(plan, lower_bound=lower_bound)


def _existing(gpu: Gpu, worker: Workload, allowed: Sequence[int], known: Sequence[Stream]) -> tuple[int, ...]:
    """The sizes for which a worker needs no further masked stream."""
    sizes = {ceilings.own_size(gpu, worker.ceiling), *(stream.compute_units for stream in known)}
    return tuple(size for size in allowed if size in sizes)


_cached = lru_cache(maxsize=64)(_mix_plan)


def _plan(
    gpu: Gpu,
    product: Product,
    workers: tuple[Workload, ...],
    options: Options,
    *,
    allowed: dict[str, tuple[int, ...]],
    known: dict[str, tuple[Stream, ...]],
    only_known: bool = False,
) -> Plan:
    """The plan for these workers active; `known` are the streams of the plan for all."""
    started = time.perf_counter()
    solution, problem = _solved(gpu, product, workers, options, tuple(allowed[worker.name] for worker in workers))
    millis = (time.perf_counter() - started) * 1e3
    asked = list(zip(problem.workers, solution.evaluation.workers, solution.choices, strict=True))
    sizes = [[worker.sizes[size] for size in part.sizes_in_use] for worker, part, _ in asked]
    existing = [known.get(worker.name, ()) for worker in workers]
    placed = streams.choose(gpu, product, sizes, _ceilings(workers), existing, only_known=only_known)
    groups = [_groups(worker.sizes, choice) for worker, _, choice in asked]
    # Parts, unlike the whole, know the streams of the whole.
    if known and not options.forecast_parts:
        predicted = tuple(part.contended_micros for part in solution.evaluation.workers)
    else:
        predicted = _forecast(gpu, product, workers, groups, placed)
    parts = zip(workers, groups, placed, solution.evaluation.workers, predicted, strict=True)
    return Plan(
        product=product.name,
        strategy=options.strategy,
        objective=solution.objective,
        lower_bound=solution.lower_bound,
        alpha=solution.evaluation.alpha,
        solve_millis=millis,
        workers=tuple(_worker_plan(*part) for part in parts),
    )


def _forecast(
    gpu: Gpu,
    product: Product,
    workers: Sequence[Workload],
    groups: Sequence[tuple[Group, ...]],
    placed: Sequence[tuple[Stream, ...]],
) -> tuple[float, ...]:
    parts = zip(workers, groups, placed, strict=True)
    planned = [predict.PlannedWorker(one.profile, mine, masked, ceiling=one.ceiling) for one, mine, masked in parts]
    return predict.predict(gpu, product, planned)


def _solved(
    gpu: Gpu, product: Product, workers: tuple[Workload, ...], options: Options, allowed: tuple[tuple[int, ...], ...]
) -> tuple[Solution, Problem]:
    """As `_nested`, remembered: a part of one mix is often part of another one, under other names."""
    nameless = tuple(replace(worker, name=str(index)) for index, worker in enumerate(workers))
    try:
        return _remembered(gpu, product, nameless, options, allowed)
    except EclipError:
        # Said again with the user's names.
        return _nest(gpu, product, workers, options, allowed)


@lru_cache(maxsize=256)
def _remembered(
    gpu: Gpu, product: Product, workers: tuple[Workload, ...], options: Options, allowed: tuple[tuple[int, ...], ...]
) -> tuple[Solution, Problem]:
    return _nest(gpu, product, workers, options, allowed)


def _nest(
    gpu: Gpu, product: Product, workers: tuple[Workload, ...], options: Options, allowed: tuple[tuple[int, ...], ...]
) -> tuple[Solution, Problem]:
    problem = mixes.problem(gpu, product, workers, options, allowed)
    return _nested(gpu, product, problem, options, _ceilings(workers))


def _ceilings(workers: Sequence[Workload]) -> tuple[CuSet | None, ...]:
    return tuple(worker.ceiling for worker in workers)


def _nested(
    gpu: Gpu, product: Product, problem: Problem, options: Options, limits: tuple[CuSet | None, ...]
) -> tuple[Solution, Problem]:
    """The best plan whose sizes can be nested, and the problem with the sizes that this left to the workers."""
    solution = _solve(problem, options)
    for index, (worker, part) in enumerate(zip(problem.workers, solution.evaluation.workers, strict=True)):
        used = tuple(worker.sizes[size] for size in part.sizes_in_use)
        if layout.nestable(gpu, product, used, limits[index]) == (used,):
            continue
        found = []
        for kept in layout.nestable(gpu, product, worker.sizes, limits[index]):
            with suppress(InfeasibleError):
                found.append(_nested(gpu, product, _restricted(problem, index, kept), options, limits))
        if not found:
            layout.layout(gpu, product, [used], [limits[index]])  # says what is wrong with these sizes
        best, restricted = min(found, key=lambda one: one[0].objective)
        # Every plan that can be nested keeps to one of the sets.
        return replace(best, lower_bound=min(other.lower_bound for other, _ in found)), restricted
    return solution, problem


def _restricted(problem: Problem, index: int, sizes: Sequence[int]) -> Problem:
    """One worker may use only these of its sizes."""
    worker = problem.workers[index]
    columns = [worker.sizes.index(size) for size in sizes]
    fewer = replace(worker, times=worker.times[:, columns], sizes=tuple(sizes))
    return replace(problem, workers=(*problem.workers[:index], fewer, *problem.workers[index + 1 :]))


def _solve(problem: Problem, options: Options) -> Solution:
    alone = len(problem.workers) == 1
    means = strategies.Means(_solver(options), options.tolerance)
    own = not problem.masked(problem.workers[0], len(problem.workers[0].sizes) - 1)
    # Nobody to yield to: an idle neighbour costs nothing.
    strategy = strategies.whole_gpu if alone and own else strategies.STRATEGIES[options.strategy]
    return strategy(problem, means)


def _solver(options: Options) -> Callable[[Problem], Solution]:
    if options.solver == "pulp":
        from eclip.optimize import ilp  # noqa: PLC0415 - PuLP takes as long to import as a plan takes to make

        return lambda problem: ilp.solve(problem, time_limit_s=options.time_limit_s)
    if options.time_limit_s is None:
        return exact.solve
    deadline = time.monotonic() + options.time_limit_s
    return lambda problem: exact.solve(problem, expired=lambda: time.monotonic() > deadline)


def _groups(sizes: Sequence[int], choice: Choice) -> tuple[Group, ...]:
    """Maximal runs of one size."""
    starts = [0, *(np.flatnonzero(choice[1:] != choice[:-1]) + 1).tolist()]
    ends = [*(start - 1 for start in starts[1:]), len(choice) - 1]
    return tuple(Group(first, last, sizes[choice[first]]) for first, last in zip(starts, ends, strict=True))


def _worker_plan(
    worker: Workload,
    groups: tuple[Group, ...],
    streams: tuple[Stream, ...],
    evaluation: WorkerEvaluation,
    predicted: float,
) -> WorkerPlan:
    return WorkerPlan(
        name=worker.name,
        streams=streams,
        groups=groups,
        solo_micros=worker.profile.solo_micros,
        objective_micros=evaluation.contended_micros,
        predicted_micros=predicted,
        average_compute_units=evaluation.average_compute_units,
        switches=evaluation.switches,
        wrap_switch=evaluation.wrap_switch,
        ceiling=worker.ceiling,
    )


def _renamed(plan: MixPlan, names: dict[str, str]) -> MixPlan:
    variants = {
        frozenset(names[name] for name in active): replace(
            variant, workers=tuple(replace(worker, name=names[worker.name]) for worker in variant.workers)
        )
        for active, variant in plan.variants.items()
    }
    return MixPlan(tuple(names[name] for name in plan.workers), variants)
