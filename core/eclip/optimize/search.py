"""Branch and bound over the shares; see `exact` for the outline."""

import heapq
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count, pairwise

import numpy as np

from eclip.errors import InfeasibleError
from eclip.optimize import bounds, fronts, infeasible, join, mix
from eclip.optimize.combinations import Best, Combinations
from eclip.optimize.effort import Effort
from eclip.optimize.nodes import Node
from eclip.optimize.offers import Offers
from eclip.optimize.problem import Objective, Overlap, Problem
from eclip.optimize.windows import Windows

STEPS = (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
"""Slowdowns at which the sum of shares is cut into the first nodes."""

NARROW = 1e-4
"""A node of this width is not split further."""

DETAIL = 4e-3
"""A node of this width is looked through path by path where fronts are swept."""

FEW = 60_000
"""Up to so many combinations of exact fronts are all looked at."""

NEAR = np.geomspace(0.7, 1.4, 12)
"""Prices tried for a part of a node, in units of the node's."""

TOLLS = (0.0, *np.geomspace(1e-3, 10.0, 25))


class Search:
    """One run."""

    def __init__(self, problem: Problem, effort: Effort, expired: Callable[[], bool]) -> None:
        if not fronts.budget_can_bind(problem):
            problem = replace(problem, max_streams=None)
        self._problem, self._effort, self._expired = problem, effort, expired
        self.offers = Offers(problem, effort)
        self._windows = Windows(problem, effort, self.offers)

    def run(self) -> tuple[Best, float]:
        """The best combination of points, and the lower bound."""
        if self.offers.exact and math.prod(map(len, self.offers.points)) <= FEW:
            return self._every()
        roots = self._roots()
        incumbent = self._start(roots)
        if not self.offers.exact:
            roots = self._look_closer(roots, incumbent)
            incumbent = min(incumbent, self._start(roots), key=Best.rank)
        order = count()
        queue = [(node.lower_bound, next(order), node) for node in roots]
        heapq.heapify(queue)
        given_up = np.inf
        for _ in range(self._effort.nodes):
            if not queue or queue[0][0] >= self._enough(incumbent) or self._expired():
                break
            incumbent, children, left_out = self._close(heapq.heappop(queue)[2], incumbent)
            given_up = min(given_up, left_out)
            for child in children:
                heapq.heappush(queue, (child.lower_bound, next(order), child))
        lower_bound = min([given_up, *(bound for bound, _, _ in queue)])
        if incumbent.excess > 0:
            raise self._infeasible(incumbent, lower_bound)
        return incumbent, min(lower_bound, incumbent.objective)

    def _every(self) -> tuple[Best, float]:
        """All combinations looked at, where they are few."""
        best = Combinations(self._problem, self.offers.points).every()
        if best.excess > 0:
            raise self._infeasible(best, np.inf)
        return best, best.objective

    def _infeasible(self, closest: Best, lower_bound: float) -> InfeasibleError:
        return InfeasibleError(
            infeasible.why(self._problem, self.offers.fronts, self.offers.points, closest, lower_bound)
        )

    def _enough(self, incumbent: Best) -> float:
        hard = self._problem.objective is not Objective.FAIRNESS or self._windows.bound or self.offers.merged
        gap = self._effort.large_gap if hard and not self.offers.exact else self._effort.gap
        return incumbent.feasible * (1 - gap)

    def _close(self, node: Node, incumbent: Best) -> tuple[Best, list[Node], float]:
        """The incumbent after this node, nodes to put back, and a lower bound on what was given up."""
        halves = self._halves(node, incumbent)
        if self.offers.exact:
            most = self._effort.combinations if halves else self._effort.last_combinations
            incumbent, proven = join.exhaust(node, incumbent, partial(self._join, most), patient=not halves)
            if proven >= self._enough(incumbent):
                return incumbent, [], proven
        elif not halves or node.high - node.low <= DETAIL:
            incumbent, proven = self._windows.look_through(node, incumbent)
            return incumbent, [], proven
        return (incumbent, halves, np.inf) if halves else (incumbent, [], proven)

    def _join(self, most: int, node: Node, incumbent: Best, reach: float) -> tuple[Best, bool]:
        best, complete = join.join(
            self._problem, self.offers.points, node, incumbent, reach=reach, stored=self._effort.stored, most=most
        )
        if best is incumbent:
            return incumbent, complete
        return Combinations(self._problem, self.offers.points).descend(best), complete

    def _halves(self, node: Node, incumbent: Best) -> list[Node]:
        """Cuts where the bound gains most; none if it would gain nothing.

        Where objectives divide by times, a worker's hull may be far from its points in the middle of its range; else
        what matters is that the slowdown varies in the node.
        """
        worker, share, jump = self._jump(node, incumbent)
        flat = mix.slowdown(self._problem, node.low) == mix.slowdown(self._problem, node.high)
        width = 0.0 if flat and self._problem.objective is not Objective.ENERGY else node.high - node.low
        if jump > max(DETAIL, width):
            halves = node.halves(share, worker)
        elif width < NARROW:
            return []
        else:
            halves = node.halves(0.5 * (node.low + node.high))
        return [self._bounded(half) for half in halves]

    def _jump(self, node: Node, incumbent: Best) -> tuple[int, float, float]:
        """The worker whose nearly cheapest choices lie furthest apart, the share between them, and how far."""
        if self._problem.objective is Objective.FAIRNESS:
            return 0, 0.0, 0.0
        corners = bounds.within(self._problem, self.offers.corners(node), node)
        apart = bounds.take_apart(self._problem, corners, node)
        slack = apart.most(incumbent.target(node.lower_bound)) - sum(float(cost.min()) for cost in apart.costs)
        near = [
            part.share[cost <= cost.min() + max(0.0, 0.5 * slack)]
            for part, cost in zip(corners, apart.costs, strict=True)
        ]
        widths = [float(np.ptp(share)) for share in near]
        widest = int(np.argmax(widths))
        return widest, 0.5 * float(near[widest].min() + near[widest].max()), widths[widest]

    def _bounded(self, node: Node) -> Node:
        prices = None if node.price == 0.0 else node.price * NEAR
        node = node.tightened(self.offers.equals)
        return bounds.bound(self._problem, self.offers.corners(node), node, prices)

    def _roots(self) -> list[Node]:
        whole = self._problem.compute_units
        ranges = tuple((worker.sizes[0] / whole, worker.sizes[-1] / whole) for worker in self._problem.workers)
        low, high = (sum(span[end] for span in ranges) for end in (0, 1))
        start = 0.0 if self._problem.overlap is Overlap.CORRECTED else -1.0
        edges = [low, *(step + start for step in STEPS if low < step + start < high), high]
        return [self._bounded(Node(*edge, ranges)) for edge in (pairwise(edges) if low < high else [(low, high)])]

    def _look_closer(self, roots: list[Node], incumbent: Best) -> list[Node]:
        """The roots after another sweep of prices for those that may hold something better."""
        likely = [node for node in roots if node.lower_bound < incumbent.feasible and node.price > 0]
        if likely:
            self.offers.look_closer(likely)
        enough = self._enough(incumbent)
        return [self._bounded(node) if node.lower_bound < enough else node for node in roots]

    def _start(self, roots: list[Node]) -> Best:
        """From the cheapest choices at likely prices down to where no single worker can be improved."""
        likely = sorted(roots, key=lambda node: node.lower_bound)[:2]
        prices = dict.fromkeys(node.price * factor for node in likely for factor in (0.8, 1.0, 1.25))
        every = Combinations(self._problem, self.offers.points)
        starts = dict.fromkeys(self._cheapest(price) for price in prices)
        best = min((every.descend(Best(np.inf, np.inf, start)) for start in starts), key=Best.rank)
        if best.excess > 0:
            wide = bounds.price_grid(self._problem, self.offers.points)
            starts = dict.fromkeys(self._cheapest(float(price)) for price in wide)
            best = min([best, *(every.descend(Best(np.inf, np.inf, start)) for start in starts)], key=Best.rank)
        return best

    def _cheapest(self, price: float) -> tuple[int, ...]:
        """A point per worker, at this price on CUs and the least on masked streams that keeps their budget."""
        shared = mix.stream_cost(self._problem)
        points = self.offers.points
        costs = [
            part.worker.factor * (part.time + part.toll) + shared * part.further + price * part.share for part in points
        ]
        scale = max(float(np.ptp(cost)) for cost in costs)
        for toll in TOLLS:
            chosen = tuple(
                int((cost + toll * scale * part.group).argmin()) for cost, part in zip(costs, points, strict=True)
            )
            spent = sum(int(part.group[point]) for part, point in zip(points, chosen, strict=True))
            if self._problem.max_streams is None or spent <= self._problem.max_streams:
                break
        return chosen
