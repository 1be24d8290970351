"""In virtual time a chip waits for its programs, and for nothing else."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eclip.documents import profile

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
ALEXNET, ALBERT, DENSENET = (
    profile.load(PROFILES / f"{name}.yaml") for name in ("alexnet-b8", "albert-b1", "densenet201-b4")
)
STEADY = {"static-split": (ALEXNET,) * 3, "kernel-groups": (ALBERT, DENSENET)}
"""Mixes whose times do not depend on which model began first: equal models in step with each other might."""
BUSY_LOOPS = 6


@contextmanager
def busy_host() -> Iterator[None]:
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY_LOOPS)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@pytest.mark.parametrize("strategy", STEADY)
def test_requests_take_the_same_time_on_a_busy_host(strategy: str, make_stage: Callable[..., Any]) -> None:
    calm, pressed = make_stage(), make_stage()
    models = STEADY[strategy]
    plan = calm.plan(models, strategy)
    usual = calm.periods(models, plan, fewest=6)
    with busy_host():
        beside_loops = pressed.periods(models, plan, fewest=6)
    assert pressed.gpu.reading().passed_over == 0
    assert beside_loops == pytest.approx(usual, rel=0.03)


def test_time_passes_at_once_while_a_program_waits(make_stage: Callable[..., Any]) -> None:
    """Were a wait taken for computing, these requests would take hours."""
    stage = make_stage(time_scale=1e5)
    (period,) = stage.periods([ALEXNET], stage.plan([ALEXNET], "whole-gpu"), fewest=8)
    assert period == pytest.approx(sum(kernel.micros[-1] for kernel in ALEXNET.kernels), rel=0.1)
