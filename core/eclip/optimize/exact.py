"""The fast path: prices on CUs for a lower bound, then everything that could still be better, looked at.

1. A front per distinct worker: its choices as points (time, CUs, hops, sizes in use).
2. The sum of shares is cut into nodes; a price on CUs bounds each (`bounds`).
3. Descent from the points that the prices like gives an incumbent.
4. Nodes in order of their bounds: those below the incumbent are joined (`join`), or split where that is too much.

The lower bound is the least over all nodes that are left, so it is valid whenever the search ends.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from eclip.errors import InfeasibleError
from eclip.optimize import bounds, fronts, infeasible, join, mix
from eclip.optimize.bounds import Node
from eclip.optimize.evaluate import evaluate
from eclip.optimize.fronts import Front
from eclip.optimize.join import Best
from eclip.optimize.problem import Objective, Overlap, Problem, Worker
from eclip.optimize.solution import Solution

Expired = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a search may be. Counted, not timed: the same problem gives the same plan on any machine."""

    gap: float = 1e-9
    """Good enough: relative difference of objective and lower bound."""
    combinations: int = 3_000_000
    """Looked at in one node."""
    nodes: int = 400
    labels: int = 30_000_000
    """Partial paths for closing what prices leave open."""


def solve(problem: Problem, effort: Effort = Effort(), expired: Expired = lambda: False) -> Solution:
    """Least objective within the constraints.

    Raises InfeasibleError, naming what is impossible and by how much.
    """
    search = _Search(problem, effort, expired)
    best, lower_bound = search.run()
    choices = tuple(front.choice(point) for front, point in zip(search.fronts, best.points, strict=True))
    evaluation = evaluate(problem, choices)
    return Solution(choices, evaluation, min(lower_bound, evaluation.objective))


STEPS = (1.0, 1.1, 1.25, 1.5, 1.8, 2.2, 2.7, 3.3, 4.0)
"""Slowdowns at which the sum of shares is cut into the first nodes."""


class _Search:
    def __init__(self, problem: Problem, effort: Effort, expired: Expired) -> None:
        self._problem, self._effort, self._expired = problem, effort, expired
        self._swept: dict[tuple[object, float], Front] = {}
        known: dict[object, Front] = {}
        for worker in problem.workers:
            key = _identity(worker)
            if key not in known:
                known[key] = fronts.exact_front(problem, worker) or self._sweep(worker, 1.0)
        self.fronts = [known[_identity(worker)] for worker in problem.workers]
        self._points = [
            mix.terms(problem, worker, front, front.points)
            for worker, front in zip(problem.workers, self.fronts, strict=True)
        ]

    def run(self) -> tuple[Best, float]:
        """The best combination of points, and the lower bound."""
        incumbent = self._start()
        queue = [(node.lower_bound, order, node) for order, node in enumerate(self._roots())]
        heapq.heapify(queue)
        proven, left = np.inf, self._effort.nodes
        while queue and left > 0 and not self._expired():
            bound, order, node = heapq.heappop(queue)
            if bound >= self._enough(incumbent):
                heapq.heappush(queue, (bound, order, node))
                break
            left -= 1
            incumbent, open_nodes, rest = self._close(node, incumbent)
            proven = min(proven, rest)
            for child in open_nodes:
                heapq.heappush(queue, (child.lower_bound, order + left * 1000 + len(queue), child))
        lower_bound = min([proven, *(bound for bound, _, _ in queue)])
        if incumbent.excess > 0:
            raise InfeasibleError(infeasible.why(self._problem, self.fronts, self._points, incumbent))
        return incumbent, min(lower_bound, incumbent.objective)

    def _enough(self, incumbent: Best) -> float:
        return incumbent.objective * (1 - self._effort.gap) if incumbent.excess == 0 else np.inf

    def _close(self, node: Node, incumbent: Best) -> tuple[Best, list[Node], float]:
        """The incumbent after this node, nodes to put back, and a lower bound on what was given up."""
        problem, corners = self._problem, self._corners(node)
        best = incumbent.objective if incumbent.excess == 0 else np.inf
        apart = bounds.take_apart(problem, corners, node)
        if all(front.exact for front in self.fronts):
            limit = self._limit(node, best)
            incumbent, complete = join.join(problem, corners, node, apart, limit, incumbent, self._effort.combinations)
            if complete:
                return incumbent, [], np.inf
        halves = self._split(node)
        return (incumbent, halves, np.inf) if halves else (incumbent, [], node.lower_bound)

    def _limit(self, node: Node, best: float) -> float:
        """Total cost up to which combinations of this node can beat the incumbent."""
        if self._problem.objective is Objective.FAIRNESS or not np.isfinite(best):
            return best
        return -bounds.numerator(self._problem, node) / best

    def _split(self, node: Node) -> list[Node]:
        if node.high - node.low < 1e-4:
            return []
        middle = 0.5 * (node.low + node.high)
        halves = [replace(node, high=middle), replace(node, low=middle)]
        return [self._bounded(half) for half in halves]

    def _bounded(self, node: Node) -> Node:
        return bounds.bound(self._problem, self._corners(node), node)

    def _roots(self) -> list[Node]:
        shares = [part.share for part in self._points]
        low, high = (float(sum(limit(share) for share in shares)) for limit in (np.min, np.max))
        corrected = self._problem.overlap is Overlap.CORRECTED
        cuts = [step if corrected else step - 1 for step in STEPS]
        edges = [low, *(cut for cut in cuts if low < cut < high), high]
        return [self._bounded(Node(start, end)) for start, end in zip(edges[:-1], edges[1:], strict=True)] or [
            self._bounded(Node(low, high))
        ]

    def _start(self) -> Best:
        """From the cheapest choices at many prices down to where no single worker can be improved."""
        problem = self._problem
        scale = sum(worker.factor * float(part.time.min()) for worker, part in zip(problem.workers, self._points))
        best = Best(np.inf, np.inf, tuple(0 for _ in problem.workers))
        for price in np.concatenate([[0.0], np.geomspace(0.05, 20.0, 12) * scale]):
            costs = [
                part.worker.factor * (part.time + part.toll)
                + price * part.share
                + mix.stream_cost(problem) * part.further
                for part in self._points
            ]
            start = Best(np.inf, np.inf, tuple(int(cost.argmin()) for cost in costs))
            found = join.descend(problem, self._points, start)
            best = found if found.beats(best) else best
        return best

    def _corners(self, node: Node) -> list[mix.Terms]:
        """Points below or on everything that the workers can do in the node."""
        rate = float(mix.slowdown(self._problem, node.high))
        found = []
        for worker, front, points in zip(self._problem.workers, self.fronts, self._points, strict=True):
            if front.exact:
                found.append(points)
                continue
            chosen = (
                self._sweep(worker, min((s for s in STEPS if s >= rate - 1e-12), default=rate))
                if front.merged
                else front
            )
            found.append(mix.terms(self._problem, worker, chosen, chosen.corners))
        return found

    def _sweep(self, worker: Worker, slowdown: float) -> Front:
        key = (_identity(worker), slowdown)
        if key not in self._swept:
            scale = float(worker.times[:, -1].sum()) / (worker.kernels * self._problem.compute_units)
            prices = np.concatenate([[0.0], np.geomspace(0.02, 50.0, 19) * scale])
            self._swept[key] = fronts.swept_front(self._problem, worker, prices, slowdown)
        return self._swept[key]


def _identity(worker: Worker) -> object:
    """Equal for workers with the same choices."""
    return worker.times.tobytes(), worker.sizes, worker.max_switches
