"""The emulated chip, under real programs, the real runtime and the interposer, takes the time that a plan predicts.

Programs run beside each other by a plan, and the chip's trace tells when each of their requests ended. The prediction
knows the profiles and the plan alone. Time is virtual: the chip waits for the programs while they compute, so that no
busy machine can make it idle; what is left of the host is its CPU time / TIME_SCALE.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eclip.contention import predict
from eclip.contention.predict import PlannedWorker
from eclip.documents import profile

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
MIXES = {"mix-2": ("albert-b1", "densenet201-b4"), "mix-7": ("alexnet-b8",) * 3}
STRATEGIES = ("whole-gpu", "static-split", "model-wise", "per-kernel", "kernel-groups")
FEWEST_REQUESTS = 6


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mix", MIXES)
def test_requests_take_the_predicted_time_within_ten_percent(
    mix: str, strategy: str, make_stage: Callable[..., Any]
) -> None:
    stage = make_stage()
    models = [profile.load(PROFILES / f"{name}.yaml") for name in MIXES[mix]]
    plan = stage.plan(models, strategy)
    measured = stage.periods(models, plan, FEWEST_REQUESTS)
    parts = [
        PlannedWorker(model, own.groups, own.streams) for model, own in zip(models, plan.full.workers, strict=True)
    ]
    predicted = predict.predict(stage.gpu.gpu, stage.gpu.row, parts)
    for model, own, took, told in zip(models, plan.full.workers, measured, predicted, strict=True):
        formula = own.objective_micros
        sys.stdout.write(
            f"{model.name}: {took:.0f} us on the chip, {told:.0f} predicted ({told / took - 1:+.1%}), "
            f"{formula:.0f} by the paper's formula ({formula / took - 1:+.1%})\n"
        )
    assert stage.gpu.reading().passed_over == 0
    assert predicted == pytest.approx(measured, rel=0.1)
