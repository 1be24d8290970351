"""What a run was: for machines as JSON, for people as a table and one HTML page.

Times and rates are in GPU time (wall time over `timeScale`, which is 1 on a real GPU) and of the steady part of the
run: from when every worker was warm to when the run began to end. In virtual time, where wall time is no measure, the
times of requests are those of the chip's trace.
"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table

from eclip.emulated import trace
from eclip.errors import EclipError
from eclip.host import results
from eclip.host.history import Look
from eclip.host.readings import Totals
from eclip.host.run import Run
from eclip.host.shared_gpu import SharedGpu
from eclip.plan import Group, Plan
from eclip.report import html, request_times, shapes, svg
from eclip.report.request_times import Served

QUANTILES = (0.5, 0.95, 0.99)
Times = Mapping[str, float | None]
"""Of a worker's requests in GPU-µs: their mean and QUANTILES, as named in the report."""


def answer(run: Run) -> dict[str, Any]:
    """The whole report."""
    return {
        "file": str(run.file),
        "seconds": run.ended - run.began,
        "gpus": [_gpu(run, gpu) for gpu in run.gpus.values()],
        "events": [{"second": round(second, 3), "what": what} for second, what in run.events],
    }


def table(report: Mapping[str, Any]) -> RenderableType:
    """One row a worker."""
    made = Table(
        "worker", "requests", "req/s", "p50", "p95", "predicted", "hops/req", "mismatches", "starts", "in force"
    )
    for gpu in report["gpus"]:
        for workload in gpu["workloads"]:
            for worker in workload["workers"]:
                made.add_row(
                    worker["name"],
                    str(worker["requests"]),
                    f"{worker['requestsPerSecond']:.1f}",
                    _micros(worker["p50Micros"]),
                    _micros(worker["p95Micros"]),
                    _micros(worker["predictedMicros"]),
                    f"{worker['hopsPerRequest']:.1f}",
                    str(worker["mismatches"]),
                    str(workload["starts"]),
                    workload["why"],
                )
    notes = [note for gpu in report["gpus"] for note in _notes(gpu)]
    return Stack(made, *notes)


def page(run: Run, report: Mapping[str, Any]) -> str:
    """The same as one HTML page, with the course of the run and the groups of the last plan."""
    course = {worker: run.history.course(worker) for worker in run.totals()}
    parts = [
        html.paragraph(f"{report['seconds']:.1f} s of wall time."),
        *(html.paragraph(note) for gpu in report["gpus"] for note in _notes(gpu)),
        html.table(*_html_table(report)),
        svg.lines("requests per second of wall time", "req/s", course),
        *(groups_plot(gpu.last_plan.full, gpu.chip.gpu.compute_units) for gpu in run.gpus.values() if gpu.last_plan),
        html.heading("What happened"),
        html.items(f"{event['second']:.1f} s: {event['what']}" for event in report["events"]),
    ]
    return html.page(f"eclip run {run.file.name}", parts)


def groups_plot(plan: Plan, compute_units: int) -> str:
    """Which kernels of one request run on how many CUs."""
    return svg.strips(
        f"{plan.strategy}: CUs by kernel of one request (darkest: all {compute_units})",
        compute_units,
        {worker.name: [_strip(group) for group in worker.groups] for worker in plan.workers},
    )


def _strip(group: Group) -> svg.Run:
    label = f"kernels {group.first} to {group.last}: {group.compute_units} CUs"
    return svg.Run(group.first, group.last, group.compute_units, label)


def _gpu(run: Run, gpu: SharedGpu) -> dict[str, Any]:
    steady = run.history.steady(gpu.workers, run.stopped or run.ended)
    served = _served(gpu) if gpu.chip.virtual_time else None
    return {
        "gpu": gpu.name,
        "product": gpu.chip.gpu.product,
        "timeScale": gpu.chip.time_scale,
        "virtualTime": gpu.chip.virtual_time,
        "strategy": gpu.last_strategy,
        "steady": _steady(gpu, *steady) if steady else None,
        "trace": str(gpu.chip.trace) if gpu.chip.trace else None,
        "plan": shapes.plan_json(gpu.chip.gpu, gpu.last_plan.full) if gpu.last_plan else None,
        "workloads": [_workload(run, gpu, name, steady, served) for name in gpu.records],
    }


def _steady(gpu: SharedGpu, first: Look, last: Look) -> dict[str, Any]:
    """Length, energy and use of the time in which all workers were warm."""
    if gpu.name not in first.meters or gpu.name not in last.meters:
        return {"gpuSeconds": (last.at - first.at) / gpu.chip.time_scale, "joules": None, "averageBusyCus": None}
    used = last.meters[gpu.name].minus(first.meters[gpu.name])
    return {
        "gpuSeconds": used.micros / 1e6,
        "joules": used.joules,
        "averageBusyCus": used.busy_cu_micros / used.micros
        if used.busy_cu_micros is not None and used.micros
        else None,
    }


def _scale(gpu: SharedGpu, first: Look, last: Look) -> float:
    """Wall time over GPU time between two looks, by the chip's own clock if it has one."""
    if gpu.name not in first.meters or gpu.name not in last.meters:
        return gpu.chip.time_scale
    micros = last.meters[gpu.name].minus(first.meters[gpu.name]).micros
    return (last.at - first.at) * 1e6 / micros if micros > 0 else gpu.chip.time_scale


def _served(gpu: SharedGpu) -> Mapping[str, Served]:
    """By worker, from the chip's trace; none where it cannot be told which kernels make a request of whom."""
    if not gpu.chip.trace or not gpu.last_plan:
        return {}
    programs = {program.pid: program for program in trace.read(gpu.chip.trace)}
    kernels = {worker.name: worker.groups[-1].last + 1 for worker in gpu.last_plan.full.workers}
    alone = {record.workers[0]: record.pid for record in gpu.records.values() if len(record.workers) == 1}
    traced = {name: programs[pid] for name, pid in alone.items() if pid in programs and name in kernels}
    try:
        return request_times.served(traced, kernels) if traced else {}
    except EclipError:
        return {}


def _workload(
    run: Run, gpu: SharedGpu, name: str, steady: tuple[Look, Look] | None, served: Mapping[str, Served] | None
) -> dict[str, Any]:
    record = gpu.records[name]
    return {
        "name": name,
        "starts": record.life.starts,
        "exitCode": record.life.exit_code,
        "pid": record.pid,
        "inForce": record.proof.in_force,
        "why": record.proof.why,
        "log": str(gpu.processes.log(name)),
        "result": results.of_log(gpu.processes.log(name)),
        "workers": [_worker(run, gpu, worker, steady, served) for worker in record.workers],
    }


def _worker(
    run: Run, gpu: SharedGpu, worker: str, steady: tuple[Look, Look] | None, served: Mapping[str, Served] | None
) -> dict[str, Any]:
    totals = run.totals().get(worker, Totals())
    done = steady[1].done_since(steady[0], worker) if steady else totals
    seconds = steady[1].at - steady[0].at if steady else run.ended - run.began
    scale = _scale(gpu, *steady) if steady else gpu.chip.time_scale
    times = _wall_times(done, scale) if served is None else _traced_times(served.get(worker))
    part = next((p for p in gpu.last_plan.full.workers if p.name == worker), None) if gpu.last_plan else None
    return {
        "name": worker,
        "requestsInAll": totals.requests,
        "requests": done.requests,
        "requestsPerSecond": done.requests * scale / max(seconds, 1e-9),
        **times,
        "launches": totals.launches,
        "hopsPerRequest": done.hops / done.requests if done.requests else 0.0,
        "mismatches": totals.mismatches,
        "soloMicros": part.solo_micros if part else None,
        "predictedMicros": part.predicted_micros if part else None,
        "objectiveMicros": part.objective_micros if part else None,
    }


def _wall_times(done: Totals, scale: float) -> Times:
    times = done.request_micros
    measured = {"meanMicros": times.mean_micros, **{_quantile(share): times.quantile(share) for share in QUANTILES}}
    return {key: value / scale if value else None for key, value in measured.items()}


def _traced_times(served: Served | None) -> Times:
    if served is None:
        return dict.fromkeys(("meanMicros", *map(_quantile, QUANTILES)))
    return {"meanMicros": served.mean_micros, **{_quantile(share): served.quantile(share) for share in QUANTILES}}


def _quantile(share: float) -> str:
    return f"p{round(100 * share)}Micros"


def _notes(gpu: Mapping[str, Any]) -> list[str]:
    how = f"strategy {gpu['strategy']}" if gpu["plan"] else "never planned"
    notes = [f"GPU {gpu['gpu']} ({gpu['product']}), {how}."]
    if gpu["virtualTime"]:
        notes.append("Emulated, in virtual time: times and rates above are the chip's own.")
    elif gpu["timeScale"] != 1:
        notes.append(f"Emulated: 1 µs of GPU time took {gpu['timeScale']:g} µs; times and rates above are in GPU time.")
    steady = gpu["steady"]
    if steady is None:
        notes.append("The run was never steady: rates and latencies cover all of it, starts included.")
    elif steady["joules"] is not None:
        busy = steady["averageBusyCus"]
        notes.append(
            f"Steady for {steady['gpuSeconds']:.2f} s of GPU time: {steady['joules']:.1f} J, idle power included"
            + ("." if busy is None else f", and {busy:.1f} CUs busy on average.")
        )
    return notes


def _html_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    columns = ["worker", "requests", "req/s", "p50", "p95", "p99", "predicted", "hops/req", "in force"]
    rows = [
        [
            worker["name"],
            str(worker["requests"]),
            f"{worker['requestsPerSecond']:.1f}",
            *(_micros(worker[key]) for key in ("p50Micros", "p95Micros", "p99Micros", "predictedMicros")),
            f"{worker['hopsPerRequest']:.1f}",
            workload["why"],
        ]
        for gpu in report["gpus"]
        for workload in gpu["workloads"]
        for worker in workload["workers"]
    ]
    return columns, rows


def _micros(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} µs"
