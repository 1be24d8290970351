"""Large mixes of the modelled profiles: the proven gap, whatever the budget of switches.

`make bench` does the same for every mix of four of them.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from eclip.documents import profile
from eclip.documents.profile import KernelProfile
from eclip.gpu import products
from eclip.optimize import exact
from eclip.optimize.problem import Objective, Problem
from eclip.planning import mixes

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
KERNELS = 711


def long_requests(name: str) -> KernelProfile:
    """A model whose kernels are repeated, or cut, to as many as the longest has."""
    loaded = profile.load(next(PROFILES.glob(f"{name}-*.yaml")))
    return replace(loaded, kernels=tuple(loaded.kernels[index % len(loaded.kernels)] for index in range(KERNELS)))


def problem(names: tuple[str, ...], max_switches: int | None) -> Problem:
    gpu, product = products.gpu_for("MI50"), products.product("MI50")
    workloads = [mixes.Workload(f"w{index}", long_requests(name)) for index, name in enumerate(names)]
    options = mixes.Options(max_switches=max_switches)
    return mixes.problem(gpu, product, workloads, options, mixes.sizes(gpu, workloads, options))


@pytest.mark.parametrize("max_switches", [0, 1, 14, None])
@pytest.mark.parametrize(
    "names",
    [
        ("albert", "alexnet", "densenet201", "resnet152"),
        ("resnext101", "shufflenet", "vgg19", "alexnet"),
        ("densenet201",) * 4,
        # The slowest, and the one with the widest gap, of all mixes.
        ("alexnet", "alexnet", "alexnet", "shufflenet"),
        ("alexnet", "densenet201", "resnext101", "shufflenet"),
    ],
    ids="+".join,
)
def test_four_models_of_711_kernels_are_planned_to_a_tenth_of_a_percent(
    names: tuple[str, ...], max_switches: int | None
) -> None:
    posed = problem(names, max_switches)
    assert all(worker.times.shape == (KERNELS, 4) for worker in posed.workers)
    solution = exact.solve(posed)

    assert solution.gap <= 1e-3
    assert solution.evaluation.violations == ()
    assert solution.lower_bound <= solution.objective


@pytest.mark.parametrize("max_switches", [1, 14, None])
@pytest.mark.parametrize("objective", [Objective.THROUGHPUT, Objective.ENERGY])
def test_objectives_that_divide_by_times_are_planned_to_a_tenth_of_a_percent_too(
    objective: Objective, max_switches: int | None
) -> None:
    """Where a worker gains from many CUs or from none: the price that suits both suits nothing in between."""
    names = ("albert", "densenet201", "densenet201", "resnet152")
    solution = exact.solve(replace(problem(names, max_switches), objective=objective))

    assert solution.gap <= 1e-3
    assert solution.lower_bound <= solution.objective


@pytest.mark.parametrize("objective", [Objective.FAIRNESS, Objective.LATENCY])
def test_a_binding_latency_objective_is_planned_to_a_tenth_of_a_percent(objective: Objective) -> None:
    posed = problem(("resnet152", "resnet152", "shufflenet", "shufflenet"), 1)
    first, *others = posed.workers
    first = replace(first, latency_micros=2.2 * float(first.times[:, -1].sum()))
    solution = exact.solve(replace(posed, workers=(first, *others), objective=objective))

    assert solution.evaluation.violations == ()
    assert solution.evaluation.workers[0].request_micros > 2.1 * float(first.times[:, -1].sum())
    assert solution.gap <= 1e-3
