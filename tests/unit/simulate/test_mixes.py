"""A planned mix, simulated, takes the time that its plan predicts."""

from pathlib import Path

import pytest

from eclip import planning, simulate
from eclip.documents import profile
from eclip.gpu import products
from eclip.plan import Plan
from eclip.simulate import strategies

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
GPU, ROW = products.gpu_for("MI50"), products.product("MI50")
MODELS = [profile.load(PROFILES / f"{name}.yaml") for name in ("albert-b1", "densenet201-b4")]


WORKLOADS = [planning.Workload(model.name, model) for model in MODELS]


def simulated(strategy: str) -> tuple[Plan, simulate.Outcome]:
    options = planning.Options(strategy=strategy)
    return strategies.simulate(GPU, ROW, WORKLOADS, options, [simulate.Arrivals()] * 2, requests=20, seed=0)


@pytest.mark.parametrize("strategy", planning.STRATEGIES)
def test_a_closed_loop_takes_the_predicted_time(strategy: str) -> None:
    plan, found = simulated(strategy)
    predicted = [worker.predicted_micros for worker in plan.workers]
    assert [worker.mean_micros for worker in found.workers] == pytest.approx(predicted, rel=0.02)


def test_a_mask_call_before_every_kernel_is_what_the_paper_says_it_is() -> None:
    """Each call stops the chip for the product's median, so that a request takes that long for every kernel of it."""
    _, found = simulated("per-kernel-ioctl")
    for worker, model in zip(found.workers, MODELS, strict=True):
        assert worker.mean_micros > len(model.kernels) * ROW.mask_ioctl_median_micros
