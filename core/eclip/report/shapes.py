"""Plans and layouts as JSON, field by field as the reference page lists them, and as tables."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table

from eclip import plan
from eclip.gpu import masks
from eclip.gpu.topology import Gpu

DRIVER_ORDER = (5, 2)
"""Masks are printed with one bit a CU, in the kernel driver's order: what HIP takes, but for RDNA since ROCm 5.7."""


def mask(cu_set: plan.CuSet, gpu: Gpu) -> str:
    """A CU set in the printed form, highest word first."""
    return masks.text(masks.hip_words(cu_set, gpu, DRIVER_ORDER))


def layout_json(gpu: Gpu, workers: Sequence[Sequence[plan.Stream]]) -> dict[str, Any]:
    """`workers[{streams[{computeUnits, mask}]}]`."""
    return {"workers": [{"streams": [_stream(stream, gpu) for stream in streams]} for streams in workers]}


def plan_json(gpu: Gpu, made: plan.Plan) -> dict[str, Any]:
    """One plan, for one set of active workers."""
    return {
        "objective": made.objective,
        "lowerBound": made.lower_bound,
        "gap": made.gap,
        "alpha": made.alpha,
        "solveMillis": made.solve_millis,
        "workers": [_worker(worker, gpu) for worker in made.workers],
    }


def layout_table(answer: dict[str, Any]) -> RenderableType:
    """One row a stream."""
    table = Table("worker", "CUs", "mask", title="layout")
    for number, worker in enumerate(answer["workers"], start=1):
        for stream in worker["streams"]:
            table.add_row(str(number), str(stream["computeUnits"]), stream["mask"])
    return table


def plan_table(answer: dict[str, Any]) -> RenderableType:
    """The workers, then what the search says of itself."""
    table = Table("worker", "predicted", "paper's formula", "average CUs", "switches", "kernels on how many CUs")
    for worker in answer["workers"]:
        table.add_row(
            worker["name"],
            f"{worker['predictedMicros']:.0f} µs",
            f"{worker['objectiveMicros']:.0f} µs",
            f"{worker['averageComputeUnits']:.1f}",
            f"{worker['switches']}{' + wrap' if worker['wrapSwitch'] else ''}",
            _groups(worker["groups"]),
        )
    proof = (
        f"objective {answer['objective']:.6g}, at most {100 * answer['gap']:.3g} % from the optimum, "
        f"alpha {answer['alpha']:.3f}, solved in {answer['solveMillis']:.1f} ms"
    )
    return Stack(table, proof)


def _stream(stream: plan.Stream, gpu: Gpu) -> dict[str, Any]:
    return {"computeUnits": stream.compute_units, "mask": mask(stream.cu_set, gpu)}


def _worker(worker: plan.WorkerPlan, gpu: Gpu) -> dict[str, Any]:
    return {
        "name": worker.name,
        "objectiveMicros": worker.objective_micros,
        "predictedMicros": worker.predicted_micros,
        "averageComputeUnits": worker.average_compute_units,
        "switches": worker.switches,
        "wrapSwitch": worker.wrap_switch,
        "groups": [
            {"first": group.first, "last": group.last, "computeUnits": group.compute_units} for group in worker.groups
        ],
        "streams": [_stream(stream, gpu) for stream in worker.streams],
    }


def _groups(groups: Sequence[dict[str, int]], most: int = 6) -> str:
    shown = [f"{group['first']}-{group['last']}: {group['computeUnits']}" for group in groups[:most]]
    return ", ".join(shown) + (f", and {len(groups) - most} more" if len(groups) > most else "")
