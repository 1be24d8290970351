"""Simulated mixes as JSON, field by field as the reference page lists them, and as a table."""

from typing import Any

from rich.console import RenderableType
from rich.table import Table

from eclip.gpu.topology import Gpu
from eclip.plan import Plan, WorkerPlan
from eclip.simulate import Outcome
from eclip.simulate.outcome import WorkerOutcome


def head(gpu: Gpu, requests: int, seed: int) -> dict[str, Any]:
    """What was played."""
    return {"product": gpu.product, "requests": requests, "seed": seed}


def strategy(name: str, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """One strategy. `requestsPerJoule` counts idle power in."""
    return {
        "strategy": name,
        "requestsPerSecond": outcome.requests_per_second,
        "requestsPerJoule": outcome.requests_per_joule,
        "watts": outcome.watts,
        "busyComputeUnits": outcome.busy_cus,
        "simulatedMicros": outcome.micros,
        "events": outcome.events,
        "workers": [_worker(own, found) for own, found in zip(plan.workers, outcome.workers, strict=True)],
    }


def table(answer: dict[str, Any]) -> RenderableType:
    """One row a strategy; workers in the order of the plan, with commas between them."""
    title = f"{answer['product']}, {answer['requests']} requests of the slowest, seed {answer['seed']}"
    made = Table("strategy", "requests/s", "of each", "p95 ms", "W", "requests/J", "switches", title=title)
    for row in answer["strategies"]:
        if "infeasible" in row:
            made.add_row(row["strategy"], f"infeasible: {row['infeasible']}")
            continue
        workers = row["workers"]
        made.add_row(
            row["strategy"],
            f"{row['requestsPerSecond']:.1f}",
            ", ".join(f"{worker['requestsPerSecond']:.1f}" for worker in workers),
            ", ".join(f"{worker['p95Micros'] / 1e3:.2f}" for worker in workers),
            f"{row['watts']:.0f}",
            f"{row['requestsPerJoule']:.2f}",
            ", ".join(str(worker["switches"]) for worker in workers),
        )
    return made


def _worker(own: WorkerPlan, found: WorkerOutcome) -> dict[str, Any]:
    return {
        "name": own.name,
        "requests": found.requests,
        "requestsPerSecond": found.requests_per_second,
        "meanMicros": found.mean_micros,
        "p50Micros": found.p50_micros,
        "p95Micros": found.p95_micros,
        "p99Micros": found.p99_micros,
        "predictedMicros": own.predicted_micros,
        "soloMicros": own.solo_micros,
        "switches": own.switches,
    }
