"""From the reports of runs to what is compared. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eclip.documents.profile import KernelProfile
from eclip.errors import EclipError
from eclip.report.comparison import Outcome, WorkerOutcome


@dataclass(frozen=True, slots=True)
class Alone:
    """One model alone on the whole GPU. Times in GPU-µs."""

    model: str
    request_micros: float
    """Mean time of a request."""
    profile: KernelProfile

    @property
    def kernel_micros(self) -> float:
        """Sum of its kernels' times."""
        return self.profile.solo_micros

    @property
    def host_micros(self) -> float:
        """Time of a request in which none of its kernels runs: host, front end, gaps."""
        return max(0.0, self.request_micros - self.kernel_micros)

    @property
    def host_share(self) -> float:
        """Its part of the request."""
        return self.host_micros / self.request_micros


def alone(model: str, kernels: KernelProfile, report: Mapping[str, Any]) -> Alone:
    """From the report of a run of this model and no other."""
    worker = report["gpus"][0]["workloads"][0]["workers"][0]
    if not worker["meanMicros"]:
        raise EclipError(f"{model}: served no request alone; see {report['gpus'][0]['workloads'][0]['log']}")
    return Alone(model, worker["meanMicros"], kernels)


def outcome(
    strategy: str,
    report: Mapping[str, Any],
    *,
    models: Mapping[str, str],
    solo: Mapping[str, Alone],
    predicted: Mapping[str, float],
    hop_micros: float,
    trace: str,
) -> Outcome:
    """From the report of a run of a mix; `models` names the model of each workload, `predicted` is by workload."""
    gpu = report["gpus"][0]
    if gpu["steady"] is None:
        raise EclipError(f"{strategy}: the run was too short for every model to serve some requests")
    plan = {worker["name"]: worker for worker in gpu["plan"]["workers"]}
    workers = tuple(
        _worker(workload, plan[workload["name"]], solo[models[workload["name"]]], predicted, gpu["timeScale"])
        for workload in gpu["workloads"]
    )
    steady = gpu["steady"]
    return Outcome(
        strategy, workers, steady["averageBusyCus"], steady["joules"], steady["gpuSeconds"], hop_micros, trace
    )


def _worker(
    workload: Mapping[str, Any],
    plan: Mapping[str, Any],
    solo: Alone,
    predicted: Mapping[str, float],
    time_scale: float,
) -> WorkerOutcome:
    measured = workload["workers"][0]
    result = workload["result"] or {}
    if not measured["meanMicros"] or "p95Micros" not in result:
        raise EclipError(f"{workload['name']}: left no result; see {workload['log']}")
    # The program's own clock has every request's time; the interposer's histogram is exact to an eighth of an octave.
    p95 = result["p95Micros"] / time_scale
    wrong = int(result.get("checksumMismatches", 0))
    return WorkerOutcome(
        name=workload["name"],
        requests=measured["requests"],
        rate=1e6 / measured["meanMicros"],
        p95_micros=p95,
        solo_micros=solo.request_micros,
        predicted_micros=predicted[workload["name"]],
        formula_micros=plan["objectiveMicros"],
        switches=measured["hopsPerRequest"],
        average_compute_units=plan["averageComputeUnits"],
        wrong_results=wrong,
        mismatches=measured["mismatches"],
    )
