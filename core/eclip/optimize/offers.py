"""What the workers of a mix can choose from, as far as it is known; it grows while the search looks closer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eclip.optimize import bounds, fronts, mix
from eclip.optimize.effort import Effort
from eclip.optimize.fronts import Prices
from eclip.optimize.nodes import Node
from eclip.optimize.paths import Floats
from eclip.optimize.points import Front, Points
from eclip.optimize.problem import Problem, Worker

PRICES = np.concatenate([[0.0], np.geomspace(0.03, 30.0, 11)])
"""Of a first sweep, in units of a kernel's mean time over the GPU's CUs."""

NEAR = 1e-3
"""Of a node's corners those count as cheapest that cost so little more, as a part of the dearest's."""

FINE_PRICES = np.geomspace(3e-4, 30.0, 50)
"""The same for workers with a latency objective, which may have to pay for time nearly alone."""


class Offers:
    """Fronts and points by worker. Workers with the same choices (`kinds`) share what is found for one of them."""

    def __init__(self, problem: Problem, effort: Effort) -> None:
        self._problem = problem
        self._prices: dict[tuple[int, float], Prices] = {}
        self._closer: dict[int, Floats] = {}
        self._corners: dict[tuple[int, float], mix.Terms] = {}
        identities = [_identity(worker) for worker in problem.workers]
        self.kinds = [identities.index(identity) for identity in identities]
        self.equals = _equals(problem.workers, self.kinds)
        found = {
            kind: fronts.exact_front(problem, problem.workers[kind], effort.front_labels)
            or self._swept(kind, 1.0).swept()
            for kind in dict.fromkeys(self.kinds)
        }
        self.fronts = [found[kind] for kind in self.kinds]
        self.exact = all(front.exact for front in self.fronts)
        self.merged = any(front.merged for front in self.fronts)
        self.points = self._terms(self.fronts)

    def corners(self, node: Node) -> list[mix.Terms]:
        """Points below or on everything that the workers can do in the node."""
        return [
            points if front.exact else self._corner(worker, self._cap(node) if front.merged else 1.0)
            for worker, (front, points) in enumerate(zip(self.fronts, self.points, strict=True))
        ]

    def look_closer(self, nodes: Sequence[Node]) -> None:
        """Sweeps again, at prices near those that matter to these nodes."""
        slopes: dict[int, list[float]] = {kind: [] for kind in self.kinds}
        for node in nodes:
            corners = bounds.within(self._problem, self.corners(node), node)
            costs = bounds.take_apart(self._problem, corners, node).costs
            for worker, kind, part, cost in zip(self._problem.workers, self.kinds, corners, costs, strict=True):
                time = part.time[cost <= cost.min() + NEAR * float(np.ptp(cost))]
                slopes[kind].extend(bounds.steepness(self._problem, worker, node, time))
        for kind, steep in slopes.items():
            self._closer[kind] = np.geomspace(0.85 * min(steep), 1.2 * max(steep), 16)
        self._prices.clear()
        self._corners.clear()
        swept = {
            kind: self._swept(kind, 1.0).swept()
            for kind, front in zip(self.kinds, self.fronts, strict=True)
            if not front.exact
        }
        nothing = self.fronts[0].points.take(np.empty(0, dtype=np.intp))
        found = [swept[kind].points if kind in swept else nothing for kind in self.kinds]
        self.fronts = [
            replace(front, corners=swept[kind].corners) if kind in swept else front
            for kind, front in zip(self.kinds, self.fronts, strict=True)
        ]
        self.add(found)

    def add(self, found: Sequence[Points]) -> None:
        """Adds points of swept fronts, by worker, behind those that are known: their indices keep their meaning."""
        self.fronts = [
            replace(front, points=Points.join([front.points, points])) if len(points) and not front.exact else front
            for front, points in zip(self.fronts, found, strict=True)
        ]
        self.points = self._terms(self.fronts)

    def _terms(self, of: Sequence[Front]) -> list[mix.Terms]:
        """Equal workers share one object: what follows from it is computed once."""
        own = {
            worker: mix.terms(self._problem, self._problem.workers[worker], of[worker], of[worker].points)
            for worker in dict.fromkeys(self.equals)
        }
        return [own[worker] for worker in self.equals]

    def _cap(self, node: Node) -> float:
        """A slowdown not below the node's: of wide nodes a coarser one, so that few sweeps serve many nodes."""
        rate, step = float(mix.slowdown(self._problem, node.high)), 1.004 if node.high - node.low < 0.03 else 1.02
        return float(step ** np.ceil(np.log(rate) / np.log(step) - 1e-9))

    def _corner(self, worker: int, cap: float) -> mix.Terms:
        worker = self.equals[worker]
        if (worker, cap) not in self._corners:
            corners = self._swept(self.kinds[worker], cap).corners()
            self._corners[worker, cap] = mix.terms(
                self._problem, self._problem.workers[worker], self.fronts[worker], corners, real=False
            )
        return self._corners[worker, cap]

    def _swept(self, kind: int, cap: float) -> Prices:
        if (kind, cap) not in self._prices:
            worker = self._problem.workers[kind]
            unit = float(worker.times[:, -1].mean()) / self._problem.compute_units
            first = PRICES if worker.latency_micros is None else np.concatenate([PRICES, FINE_PRICES])
            prices = np.concatenate([first * unit, self._closer.get(kind, np.empty(0))])
            self._prices[kind, cap] = fronts.price_out(self._problem, worker, _apart(prices), cap)
        return self._prices[kind, cap]


def _apart(prices: Floats) -> Floats:
    """Ascending, without those that lie so near to another that the lines of both hardly meet anywhere."""
    ascending = np.sort(prices)
    keep = np.ones(len(ascending), dtype=bool)
    keep[1:] = np.diff(ascending) > 1e-6 * ascending[1:]
    return ascending[keep]


def _identity(worker: Worker) -> object:
    """Equal for workers with the same choices, searched in the same way."""
    bound = worker.latency_micros is not None
    return worker.times.tobytes(), worker.sizes, worker.ceiling, worker.max_switches, bound


def _equals(workers: Sequence[Worker], kinds: Sequence[int]) -> list[int]:
    """Per worker, the first one that differs from it in nothing but the name."""
    keys = [
        (kind, worker.weight, worker.base_micros, worker.latency_micros)
        for kind, worker in zip(kinds, workers, strict=True)
    ]
    return [keys.index(key) for key in keys]
