"""How long the planner takes: the exact path by itself, and against the ILP where that finishes.

The kernels are those of the modelled profiles in examples/profiles; longer requests repeat a model's kernels.
Times are medians on one core. The ILP takes turns with the exact path; where it is slow, it runs once.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import combinations_with_replacement
from pathlib import Path

from eclip.documents import profile
from eclip.documents.profile import KernelProfile
from eclip.gpu import products
from eclip.optimize import exact, ilp
from eclip.optimize.problem import Problem
from eclip.optimize.solution import Solution
from eclip.planning import mixes

PROFILES = Path(__file__).parent.parent / "examples" / "profiles"
MODELS = ("albert", "alexnet", "densenet201", "resnet152", "resnext101", "shufflenet", "vgg19")
BUDGETS = (0, 1, 14, None)
REPEATS = 5
ILP_LIMIT_S = 90.0
ILP_AGAIN_MS = 5000.0
"""An ILP slower than this is not run again."""
GOAL_LARGE_MS = 300


def main() -> None:
    """Prints one line a case."""
    print("Planner: exact path, medians of", REPEATS, "runs, wall (and processor) milliseconds")
    large: list[tuple[str, ...]] = [("densenet201",) * 4, ("albert", "densenet201", "resnet152", "resnext101")]
    small: list[tuple[str, ...]] = [("alexnet",) * 2, ("alexnet",) * 3, ("alexnet", "vgg19", "alexnet")]
    for names in large:
        for budget in BUDGETS:
            report(f"4 x 711 kernels, {describe(names)}", problem(names, budget, 711), budget, goal=GOAL_LARGE_MS)
    for names in small:
        report(describe(names), problem(names, 14), 14, goal=20)
    survey()
    print(f"\nPlanner: exact path against the ILP (HiGHS, gap 0, at most {ILP_LIMIT_S:.0f} s)")
    finishing: list[tuple[tuple[str, ...], int, int | None]] = [
        (("alexnet",) * 2, 0, None),
        (("alexnet", "vgg19"), 0, None),
        (("alexnet",) * 2, 14, 10),
        (("alexnet",) * 2, 1, None),
    ]
    for names, budget, kernels in finishing:
        compare(f"{describe(names)}, {kernels or 'all'} kernels", problem(names, budget, kernels), budget)


def survey() -> None:
    """Every mix of four of the seven models, once: how certain and how fast, and the worst of them."""
    every = list(combinations_with_replacement(MODELS, 4))
    print(f"\nPlanner: 4 x 711 kernels, all {len(every)} mixes of {len(MODELS)} models, processor milliseconds")
    print("  budget widest gap <= 0.1 % median   most  above the goal  slowest")
    for budget in BUDGETS:
        runs = [(names, *timed(partial(exact.solve, problem(names, budget, 711)))) for names in every]
        slowest = max(runs, key=lambda run: run[3])
        certain = sum(run[1].gap <= 1e-3 for run in runs) / len(runs)
        late = sum(run[3] > GOAL_LARGE_MS for run in runs)
        print(
            f"  {budget!s:>6} {max(run[1].gap for run in runs):>10.1e} {certain:>8.0%} "
            f"{statistics.median(run[3] for run in runs):>6.0f} {slowest[3]:>6.0f} {late:>15}  {describe(slowest[0])}",
            flush=True,
        )


def describe(names: tuple[str, ...]) -> str:
    """The mix in words."""
    return " + ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))


@cache
def model(name: str) -> KernelProfile:
    """The model's profile; reading one of 711 kernels takes longer than planning it."""
    return profile.load(next(PROFILES.glob(f"{name}-*.yaml")))


def problem(names: tuple[str, ...], budget: int | None, kernels: int | None = None) -> Problem:
    """A mix on an MI50 with the product's costs; requests cut or repeated to so many kernels."""
    gpu, product = products.gpu_for("MI50"), products.product("MI50")
    workloads = []
    for index, name in enumerate(names):
        loaded = model(name)
        count = kernels or len(loaded.kernels)
        calls = tuple(loaded.kernels[position % len(loaded.kernels)] for position in range(count))
        workloads.append(mixes.Workload(f"{name}-{index}", replace(loaded, kernels=calls)))
    options = mixes.Options(max_switches=budget)
    return mixes.problem(gpu, product, workloads, options, mixes.sizes(gpu, workloads, options))


def report(case: str, posed: Problem, budget: int | None, goal: float) -> None:
    """Time and gap of the exact path."""
    runs = [timed(lambda: exact.solve(posed)) for _ in range(REPEATS)]
    wall, processor = statistics.median(run[1] for run in runs), statistics.median(run[2] for run in runs)
    gap = runs[0][0].gap
    print(f"  {case}, budget {budget}: {wall:.0f} ({processor:.0f}) ms, goal {goal:.0f} ms, gap {gap:.1e}", flush=True)


def compare(case: str, posed: Problem, budget: int | None) -> None:
    """Exact path and ILP in turn, in processor time: a round is the median of some runs of one, and one of the ILP."""
    fast_rounds, slow_rounds = [], []
    while len(slow_rounds) < REPEATS and (not slow_rounds or slow_rounds[-1] < ILP_AGAIN_MS):
        runs = [timed(lambda: exact.solve(posed)) for _ in range(REPEATS)]
        fast_rounds.append(statistics.median(run[2] for run in runs))
        reference, _, millis = timed(lambda: ilp.solve(posed, ILP_LIMIT_S))
        slow_rounds.append(millis)
    fast, slow = statistics.median(fast_rounds), statistics.median(slow_rounds)
    difference = runs[0][0].objective / reference.objective - 1.0
    finished = "finished" if reference.gap == 0.0 else f"stopped at gap {reference.gap:.1e}"
    print(
        f"  {case}, budget {budget}: {fast:.2f} ms against {slow:.0f} ms, ratio {slow / fast:.0f}, goal 50; "
        f"{len(slow_rounds)} in turn, ILP {finished}, objectives differ by {difference:.1e}",
        flush=True,
    )


def timed(work: Callable[[], Solution]) -> tuple[Solution, float, float]:
    """The result, and wall and processor milliseconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall) * 1e3, (time.process_time() - processor) * 1e3


if __name__ == "__main__":
    main()
