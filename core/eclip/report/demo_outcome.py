"""From the reports of runs to what is compared. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eclip.documents.profile import KernelProfile
from eclip.errors import EclipError
from eclip.report.comparison import Outcome, WorkerOutcome
from eclip.report.request_times import Served


@dataclass(frozen=True, slots=True)
class Alone:
    """One model alone on the whole GPU. Times in GPU-µs."""

    model: str
    request_micros: float
    """Mean time of a request."""
    host_micros: float
    """Of it, between two requests: the host's time, copies included."""
    requests: int
    profile: KernelProfile

    @property
    def host_share(self) -> float:
        """Part of a request that is the host's."""
        return self.host_micros / self.request_micros


def alone(model: str, kernels: KernelProfile, served: Served, launch_micros: float) -> Alone:
    """From a run of this model and no other; `launch_micros` is the front end's time for the first kernel."""
    host_micros = max(0.0, served.lead_micros - launch_micros)
    return Alone(model, served.mean_micros, host_micros, len(served.requests), kernels)


def outcome(
    strategy: str,
    report: Mapping[str, Any],
    *,
    models: Mapping[str, str],
    solo: Mapping[str, Alone],
    predicted: Mapping[str, float],
    served: Mapping[str, Served],
    hop_micros: float,
    trace: str,
) -> Outcome:
    """From the report of a run of a mix and its trace; `models` names the model of each workload, `predicted`
    and `served` are by workload."""
    gpu = report["gpus"][0]
    if gpu["steady"] is None:
        raise EclipError(f"{strategy}: the run was too short for every model to serve some requests")
    plan = {worker["name"]: worker for worker in gpu["plan"]["workers"]}
    workers = tuple(
        _worker(workload, plan[name], solo[models[name]], predicted[name], served[name])
        for name, workload in ((workload["name"], workload) for workload in gpu["workloads"])
    )
    steady = gpu["steady"]
    return Outcome(
        strategy, workers, steady["averageBusyCus"], steady["joules"], steady["gpuSeconds"], hop_micros, trace
    )


def _worker(
    workload: Mapping[str, Any],
    plan: Mapping[str, Any],
    solo: Alone,
    predicted: float,
    served: Served,
) -> WorkerOutcome:
    measured = workload["workers"][0]
    result = workload["result"] or {}
    if "checksumMismatches" not in result:
        raise EclipError(f"{workload['name']}: left no result; see {workload['log']}")
    return WorkerOutcome(
        name=workload["name"],
        requests=len(served.requests),
        rate=1e6 / served.mean_micros,
        p95_micros=served.p95_micros,
        solo_micros=solo.request_micros,
        predicted_micros=predicted,
        formula_micros=plan["objectiveMicros"],
        switches=measured["hopsPerRequest"],
        average_compute_units=plan["averageComputeUnits"],
        gap_share=served.gap_share,
        wrong_results=int(result["checksumMismatches"]),
        mismatches=measured["mismatches"],
    )
