"""Random problems small enough to know the answer."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from eclip.optimize.evaluate import evaluate
from eclip.optimize.problem import Objective, Overlap, Power, Problem, Times, Worker

Build = Callable[..., Problem]


def times(rng: np.random.Generator, kernels: int, sizes: Sequence[int]) -> Times:
    """Kernels that stop gaining from CUs at different sizes, some of them not monotone."""
    solo = rng.lognormal(3.0, 1.0, size=(kernels, 1))
    wanted = rng.uniform(3.0, 80.0, size=(kernels, 1))
    slowed = np.maximum(1.0, wanted / np.asarray(sizes)) / np.maximum(1.0, wanted / sizes[-1])
    return np.asarray(solo * slowed * rng.uniform(1.0, 1.2, size=(kernels, len(sizes))))


@pytest.fixture
def build() -> Build:
    """A random problem by seed; keywords fix what a test is about."""

    def make(seed: int, kernels: Sequence[int], *, loose: bool = False, **fixed: Any) -> Problem:
        rng = np.random.default_rng(seed)
        masked = rng.choice([15, 30, 45], size=int(rng.integers(1, 4)), replace=False)
        sizes = (*sorted(int(size) for size in masked), 60)
        workers = []
        for index, count in enumerate(kernels):
            table = times(rng, count, sizes)
            solo = float(table[:, -1].sum())
            late = solo * float(rng.uniform(1.2, 3.0)) if rng.random() < 0.4 and not loose else None
            budget = [None, 0, 1, 2][int(rng.integers(4))]
            workers.append(Worker(f"w{index}", table, sizes, float(rng.uniform(0.5, 2.0)), solo, late, budget))
        chosen: dict[str, Any] = {
            "hop_micros": float(rng.choice([0.0, 3.0])),
            "stream_micros": float(rng.choice([0.0, 0.5])),
            "max_streams": None if loose else [None, 1, 2, 3][int(rng.integers(4))],
            "overlap": Overlap.PRINTED if rng.random() < 0.3 else Overlap.CORRECTED,
            "objective": Objective.FAIRNESS,
            "power": Power(60.0, 2.0),
        }
        return Problem(tuple(workers), 60, **{**chosen, **fixed})

    return make


@pytest.fixture
def brute() -> Callable[[Problem], float]:
    """The least objective of all choices that keep the constraints; infinite if none does."""

    def best(problem: Problem) -> float:
        every = [itertools.product(range(len(part.sizes)), repeat=part.kernels) for part in problem.workers]
        found = (evaluate(problem, [np.array(choice) for choice in mix]) for mix in itertools.product(*every))
        return min((one.objective for one in found if not one.violations), default=np.inf)

    return best
