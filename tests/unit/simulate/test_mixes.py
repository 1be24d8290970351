"""A planned mix, simulated, takes the time that its plan predicts."""

from pathlib import Path

import pytest

from eclip import planning, simulate
from eclip.contention.predict import PlannedWorker
from eclip.documents import profile
from eclip.gpu import products

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
GPU, ROW = products.gpu_for("MI50"), products.product("MI50")
MODELS = [profile.load(PROFILES / f"{name}.yaml") for name in ("albert-b1", "densenet201-b4")]


@pytest.mark.parametrize("strategy", planning.STRATEGIES)
def test_a_closed_loop_takes_the_predicted_time(strategy: str) -> None:
    workloads = [planning.Workload(model.name, model) for model in MODELS]
    plan = planning.make_plan(GPU, ROW, workloads, planning.Options(strategy=strategy)).full
    workers = [PlannedWorker(model, own.groups, own.streams) for model, own in zip(MODELS, plan.workers, strict=True)]
    found = simulate.simulate(GPU, ROW, workers, [simulate.Arrivals()] * 2, requests=20)
    predicted = [worker.predicted_micros for worker in plan.workers]
    assert [worker.mean_micros for worker in found.workers] == pytest.approx(predicted, rel=0.02)
