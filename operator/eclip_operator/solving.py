"""Answers questions: profiles in, plans and tables out. Pure; runs in the solver's own process (`pool`)."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from eclip import layout, planning
from eclip.api.node import PlanSummary, SlotWorker
from eclip.api.profile import KernelProfile
from eclip.api.table import LookupTable, ModelGroups, TableSpec, TableTopology, encoded, group_texts, summary
from eclip.documents.profile import KernelProfile as Kernels
from eclip.errors import EclipError, InfeasibleError
from eclip.gpu import products
from eclip.gpu.topology import Gpu
from eclip.plan import MixPlan, WorkerPlan
from eclip.planning.variants import active_sets
from eclip.slot import table
from eclip_operator.questions import (
    Answer,
    MixQuestion,
    Outcome,
    ProfilingQuestion,
    Question,
    Refusal,
    Seat,
    SeatAnswer,
)

GROUPS_LENGTH = 512
"""Characters of a slot's groups in a NodeColocation."""


def answer(question: Question, texts: Mapping[str, str], time_limit_s: float) -> Outcome:
    """A plan, or why there is none.

    Args:
        texts: the profiles that the question names, by digest: JSON of their specs.
        time_limit_s: for the plan and all its variants together; the best plan until then counts.
    """
    try:
        if isinstance(question, ProfilingQuestion):
            return _profiling(question)
        return _mix(question, texts, time_limit_s)
    except InfeasibleError as error:
        return Refusal("Infeasible", str(error))
    except EclipError as error:
        return Refusal("Invalid", str(error))


def _profiling(question: ProfilingQuestion) -> Answer:
    gpu = question.chip.gpu
    product = products.product(gpu.product)
    sizes = [size for size in product.default_sizes(gpu) if size < gpu.compute_units]
    streams = layout.layout(gpu, product, [sizes])[0]
    content = _table(gpu, table.encode_profiling(gpu, streams, table.Profiling()), ())
    return Answer((SeatAnswer(content.metadata.name),), {content.metadata.name: _json(content)})


def _mix(question: MixQuestion, texts: Mapping[str, str], time_limit_s: float) -> Answer:
    gpu = question.chip.gpu
    models = _models(question.seats, texts)
    workloads = [
        _workload(name, kernels, seat)
        for seat, mine in zip(question.seats, models, strict=True)
        for name, kernels in mine.items()
    ]
    chosen: dict[str, Any] = dict(question.options)
    limit = time_limit_s / len(active_sets([workload.name for workload in workloads]))
    # Only what all of them together will bring is shown.
    options = planning.Options(**chosen, time_limit_s=limit, forecast_parts=False)
    plan = planning.make_plan(gpu, products.product(gpu.product), workloads, options)
    contents = [_seat_table(gpu, mine, plan) for mine in models]
    seats = zip(question.seats, models, contents, strict=True)
    return Answer(
        seats=tuple(_seat(seat, mine, plan, content) for seat, mine, content in seats),
        tables={content.metadata.name: _json(content) for content in contents},
        plan=_summary(options, plan),
    )


def _json(content: LookupTable) -> str:
    return json.dumps(content.wire(), separators=(",", ":"))


def _models(seats: Sequence[Seat], texts: Mapping[str, str]) -> list[dict[str, Kernels]]:
    """Per seat its workers' names and profiles, `seat/model` where a process has several. Equal seats have numbers."""
    count, seen = Counter(seat.workload for seat in seats), Counter[str]()
    named = []
    for seat in seats:
        seen[seat.workload] += 1
        name = f"{seat.workload}.{seen[seat.workload]}" if count[seat.workload] > 1 else seat.workload
        kernels = [_parsed(texts[worker.digest], worker.profile) for worker in seat.workers]
        if len(kernels) == 1:
            named.append({name: kernels[0]})
        else:
            named.append({f"{name}/{each.name}": each for each in kernels})
    return named


@lru_cache(maxsize=64)
def _parsed(text: str, name: str) -> Kernels:
    return KernelProfile.read({"metadata": {"name": name}, "spec": json.loads(text)}).profile


def _workload(name: str, kernels: Kernels, seat: Seat) -> planning.Workload:
    return planning.Workload(
        name=name,
        profile=kernels,
        weight=seat.weight,
        latency_micros=seat.latency_micros,
        limits=seat.limits,
        max_switches=seat.max_switches,
        best_effort=seat.best_effort,
        process=name.partition("/")[0],
        ceiling=seat.ceiling,
    )


def _seat_table(gpu: Gpu, models: Mapping[str, Kernels], plan: MixPlan) -> LookupTable:
    groups = tuple(ModelGroups(model=name, groups=group_texts(_worker(plan, name).groups)) for name in models)
    return _table(gpu, table.encode(gpu, models, plan), groups)


def _table(gpu: Gpu, data: bytes, groups: tuple[ModelGroups, ...]) -> LookupTable:
    topology = TableTopology(
        product=gpu.product,
        compute_units=gpu.compute_units,
        active=tuple(cus for xcc in gpu.active for engine in xcc for cus in engine),
    )
    return LookupTable.of(TableSpec(format=table.FORMAT, gpu=topology, table=encoded(data), groups=groups))


def _seat(seat: Seat, models: Mapping[str, Kernels], plan: MixPlan, content: LookupTable) -> SeatAnswer:
    parts = [_worker(plan, name) for name in models]
    workers = tuple(
        SlotWorker(
            bit=plan.workers.index(part.name),
            model=asked.model or None,
            solo_micros=round(part.solo_micros, 1),
            predicted_slowdown=round(part.predicted_micros / part.solo_micros, 3),
        )
        for asked, part in zip(seat.workers, parts, strict=True)
    )
    several = len(parts) > 1
    lines = [
        (f"{asked.model or asked.profile}: " if several else "") + summary(group_texts(part.groups))
        for asked, part in zip(seat.workers, parts, strict=True)
    ]
    return SeatAnswer(content.metadata.name, workers, _short("; ".join(lines)))


def _short(text: str) -> str:
    return text if len(text) <= GROUPS_LENGTH else f"{text[: GROUPS_LENGTH - 4]} ..."


def _summary(options: planning.Options, plan: MixPlan) -> PlanSummary:
    full = plan.full
    return PlanSummary(
        strategy=full.strategy,
        solved_by="pulp" if options.solver == "pulp" else "exact",
        objective=full.objective,
        lower_bound=full.lower_bound,
        gap=round(full.gap, 6),
        solve_millis=round(sum(variant.solve_millis for variant in plan.variants.values()), 1),
        streams=sum(len(worker.streams) for worker in full.workers),
    )


def _worker(plan: MixPlan, name: str) -> WorkerPlan:
    return next(worker for worker in plan.full.workers if worker.name == name)
