"""Branch and bound over the sum of shares; see `exact` for the outline."""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count, pairwise

import numpy as np

from eclip.errors import InfeasibleError
from eclip.optimize import bounds, fronts, infeasible, join, mix
from eclip.optimize.bounds import Node
from eclip.optimize.fronts import Prices
from eclip.optimize.join import Best
from eclip.optimize.paths import Floats
from eclip.optimize.points import Front, Points
from eclip.optimize.problem import Objective, Overlap, Problem, Worker

STEPS = (1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
"""Slowdowns at which the sum of shares is cut into the first nodes."""

PRICES = np.concatenate([[0.0], np.geomspace(0.03, 30.0, 11)])
"""Of a first sweep, in units of a kernel's mean time over the GPU's CUs."""

FINE_PRICES = np.geomspace(3e-4, 30.0, 50)
"""The same for workers with a latency objective, which may have to pay for time nearly alone."""

NARROW = 1e-4
"""A node of this width is not split further."""

DETAIL = 4e-3
"""A node of this width is looked through path by path where fronts are swept."""

FEW = 60_000
"""Up to so many combinations of exact fronts are all looked at."""

JoinUpTo = Callable[[Node, Best, float], tuple[Best, bool]]
"""Joins up to an objective: the incumbent after it, and whether all was looked at."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a search may be. Counted, not timed: the same problem gives the same plan on any machine."""

    gap: float = 1e-9
    """Good enough: relative difference of objective and lower bound."""
    merged_gap: float = 2e-4
    """The same where hops have no classes: their price differs within a node, which leaves a little open anyway."""
    front_labels: int = 3_000_000
    """Partial paths that an exact front may cost, per set of sizes; about 2 ns each. Else prices are swept."""
    nodes: int = 200
    combinations: int = 1_000_000
    """Looked at in one node."""
    labels: int = 20_000_000
    """Partial paths for closing what a sweep of prices leaves open."""
    latency_labels: int = 100_000_000
    """The same where there are latency objectives, near which prices leave more open."""


class Search:
    """One run. `fronts` grows while it looks closer."""

    def __init__(self, problem: Problem, effort: Effort, expired: Callable[[], bool]) -> None:
        if not fronts.budget_can_bind(problem):
            problem = replace(problem, max_streams=None)
        self._problem, self._effort, self._expired = problem, effort, expired
        bound = any(worker.latency_micros is not None for worker in problem.workers)
        self._labels = effort.latency_labels if bound else effort.labels
        self._prices: dict[tuple[object, float], Prices] = {}
        self._closer: dict[object, Floats] = {}
        self._corner_terms: dict[tuple[int, float], mix.Terms] = {}
        known: dict[object, Front] = {}
        for worker in problem.workers:
            key = _identity(worker)
            if key not in known:
                known[key] = (
                    fronts.exact_front(problem, worker, effort.front_labels) or self._swept(worker, 1.0).swept()
                )
        self.fronts = [known[_identity(worker)] for worker in problem.workers]
        self._points = self._terms()

    def run(self) -> tuple[Best, float]:
        """The best combination of points, and the lower bound."""
        if all(front.exact for front in self.fronts) and math.prod(map(len, self._points)) <= FEW:
            return self._every()
        roots = self._roots()
        incumbent = self._start(roots)
        if not all(front.exact for front in self.fronts):
            self._look_closer(roots, incumbent)
            enough = self._enough(incumbent)
            roots = [self._bounded(node) if node.lower_bound < enough else node for node in roots]
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
            raise InfeasibleError(infeasible.why(self._problem, self.fronts, self._points, incumbent, lower_bound))
        return incumbent, min(lower_bound, incumbent.objective)

    def _every(self) -> tuple[Best, float]:
        """All combinations looked at, where they are few."""
        grids = np.meshgrid(*(np.arange(len(part)) for part in self._points), indexing="ij")
        best = join.least(self._problem, self._points, [grid.ravel() for grid in grids])
        if best.excess > 0:
            raise InfeasibleError(infeasible.why(self._problem, self.fronts, self._points, best, np.inf))
        return best, best.objective

    def _terms(self) -> list[mix.Terms]:
        return [
            mix.terms(self._problem, worker, front, front.points)
            for worker, front in zip(self._problem.workers, self.fronts, strict=True)
        ]

    def _enough(self, incumbent: Best) -> float:
        merged = any(front.merged for front in self.fronts)
        return _feasible(incumbent) * (1 - (self._effort.merged_gap if merged else self._effort.gap))

    def _close(self, node: Node, incumbent: Best) -> tuple[Best, list[Node], float]:
        """The incumbent after this node, nodes to put back, and a lower bound on what was given up."""
        halves = self._halves(node)
        if all(front.exact for front in self.fronts):
            incumbent, proven = self._exhaust(node, incumbent, self._join, patient=not halves)
            if proven >= self._enough(incumbent):
                return incumbent, [], proven
        elif not halves or node.high - node.low <= DETAIL:
            incumbent, proven = self._look_through(node, incumbent)
            return incumbent, [], proven
        return (incumbent, halves, np.inf) if halves else (incumbent, [], proven)

    def _exhaust(self, node: Node, incumbent: Best, join_up_to: "JoinUpTo", *, patient: bool) -> tuple[Best, float]:
        """Joins up to the incumbent, or as far as the effort allows; also what that proves about the node."""
        proven, part = node.lower_bound, 1.0
        if incumbent.excess > 0:
            incumbent, complete = join_up_to(node, incumbent, np.inf)
            if complete:
                return incumbent, np.inf
        while part > (1e-4 if patient else 0.5):
            target = _target(incumbent, proven)
            if proven >= target:
                return incumbent, np.inf
            reach = proven + part * (target - proven)
            best, complete = join_up_to(node, incumbent, reach)
            improved = best.rank() < incumbent.rank()
            incumbent = best
            if complete and part == 1.0 and np.isfinite(_feasible(incumbent)):
                return incumbent, np.inf
            if complete:
                proven = reach
                if not improved:
                    return incumbent, proven
            part = 1.0 if improved else part * 0.3
        return incumbent, proven

    def _join(self, node: Node, incumbent: Best, reach: float) -> tuple[Best, bool]:
        limit = bounds.total_below(self._problem, node, reach)
        best, complete = join.join(
            self._problem, self._points, node, incumbent, limit=limit, most=self._effort.combinations
        )
        return (best if best is incumbent else join.descend(self._problem, self._points, best)), complete

    def _halves(self, node: Node) -> list[Node]:
        flat = mix.slowdown(self._problem, node.low) == mix.slowdown(self._problem, node.high)
        if node.high - node.low < NARROW or (flat and self._problem.objective is Objective.FAIRNESS):
            return []
        middle = 0.5 * (node.low + node.high)
        return [self._bounded(replace(node, high=middle)), self._bounded(replace(node, low=middle))]

    def _bounded(self, node: Node) -> Node:
        corners = self._corners(node)
        if node.price == 0.0:
            return bounds.bound(self._problem, corners, node)
        return bounds.bound(self._problem, corners, node, node.price * np.geomspace(0.7, 1.4, 12))

    def _roots(self) -> list[Node]:
        shares = [part.share for part in self._points]
        low, high = (float(sum(extreme(share) for share in shares)) for extreme in (np.min, np.max))
        start = 0.0 if self._problem.overlap is Overlap.CORRECTED else -1.0
        edges = [low, *(step + start for step in STEPS if low < step + start < high), high]
        return (
            [self._bounded(Node(*edge)) for edge in pairwise(edges)] if low < high else [self._bounded(Node(low, high))]
        )

    def _start(self, roots: list[Node]) -> Best:
        """From the cheapest choices at likely prices down to where no single worker can be improved."""
        likely = sorted(roots, key=lambda node: node.lower_bound)[:2]
        prices = [node.price * factor for node in likely for factor in (0.8, 1.0, 1.25)]
        best = min((self._descend(price) for price in dict.fromkeys(prices)), key=Best.rank)
        if best.excess > 0:
            wide = bounds.price_grid(self._problem, self._points)
            best = min([best, *(self._descend(float(price)) for price in wide)], key=Best.rank)
        return best

    def _descend(self, price: float) -> Best:
        shared = mix.stream_cost(self._problem)
        costs = [
            part.worker.factor * (part.time + part.toll) + shared * part.further + price * part.share
            for part in self._points
        ]
        # A price on masked streams as well, raised until their budget holds.
        scale = max(float(np.ptp(cost)) for cost in costs)
        for toll in (0.0, *np.geomspace(1e-3, 10.0, 25) * scale):
            chosen = tuple(
                int((cost + toll * part.group).argmin()) for cost, part in zip(costs, self._points, strict=True)
            )
            spent = sum(int(part.group[point]) for part, point in zip(self._points, chosen, strict=True))
            if self._problem.max_streams is None or spent <= self._problem.max_streams:
                break
        return join.descend(self._problem, self._points, Best(np.inf, np.inf, chosen))

    def _look_through(self, node: Node, incumbent: Best) -> tuple[Best, float]:
        """All choices near the node's bound, joined: the incumbent, and what was proven about the rest."""
        corners = [bounds.within(self._problem, part, node) for part in self._corners(node)]
        if self._problem.objective is not Objective.FAIRNESS or not all(len(part) for part in corners):
            return incumbent, node.lower_bound
        apart = bounds.take_apart(self._problem, corners, node)
        # Small windows first: they find better incumbents, which keep the last one small.
        proven, reach = node.lower_bound, 0.06 * (_target(incumbent, node.lower_bound) - node.lower_bound)
        while proven < _target(incumbent, node.lower_bound):
            total = min(node.lower_bound + reach, _target(incumbent, node.lower_bound))
            found = self._windows(node, corners, apart, total)
            if found is None:
                break
            blur = self._blur(node, found)
            incumbent, complete = self._join_found(found, total, node, incumbent, total)
            if not complete:
                join_up_to = partial(self._join_found, found, total)
                incumbent, partly = self._exhaust(node, incumbent, join_up_to, patient=True)
                proven = max(proven, min(partly, _feasible(incumbent)) - blur)
                break
            proven, reach = max(proven, min(total, _feasible(incumbent)) - blur), 4.0 * reach
            if total >= _target(incumbent, node.lower_bound):
                break
        return incumbent, proven

    def _blur(self, node: Node, found: list[Points]) -> float:
        """How much less a choice may cost than one found of the same area: without classes, hops have one price."""
        low, high = (float(mix.slowdown(self._problem, share)) for share in (node.low, node.high))
        hops = sum(
            worker.factor * self._problem.hop_micros * float(points.hops.max(initial=0.0))
            for worker, front, points in zip(self._problem.workers, self.fronts, found, strict=True)
            if front.merged
        )
        return (1.0 - low / high) * hops

    def _join_found(
        self, found: list[Points], total: float, node: Node, incumbent: Best, reach: float
    ) -> tuple[Best, bool]:
        """Joins these points, all that there are up to `total`, and adds them to the fronts if that is better."""
        if reach > total:
            best, _ = self._join_found(found, total, node, incumbent, total)
            return best, False
        workers = zip(self._problem.workers, self.fronts, found, strict=True)
        parts = [mix.terms(self._problem, worker, front, points) for worker, front, points in workers]
        if not all(len(part) for part in parts):
            return incumbent, True
        best, complete = join.join(self._problem, parts, node, incumbent, limit=reach, most=self._effort.combinations)
        if best is incumbent:
            return incumbent, complete
        sizes = [len(front.points) for front in self.fronts]
        best = replace(best, points=tuple(start + point for start, point in zip(sizes, best.points, strict=True)))
        self.fronts = [
            replace(front, points=Points.join([front.points, points]))
            for front, points in zip(self.fronts, found, strict=True)
        ]
        self._points = self._terms()
        return join.descend(self._problem, self._points, best), complete

    def _windows(self, node: Node, corners: list[mix.Terms], apart: bounds.Bound, total: float) -> list[Points] | None:
        """Per worker, every choice that a combination of this total may hold; None if that is too much work."""
        rate = float(mix.slowdown(self._problem, node.low))
        known: dict[object, Points] = {}
        found = []
        for index, (worker, front) in enumerate(zip(self._problem.workers, self.fronts, strict=True)):
            limits = self._limits(index, node, corners[index], apart, total)
            price = node.price / (rate * worker.factor * worker.kernels * self._problem.compute_units)
            if worker.latency_micros is not None:
                price, limits = self._steeper(node, front, worker, price, limits)
            key = (_identity(worker), worker.factor, price, limits.tobytes())
            if key not in known:
                # At the node's largest slowdown, so that no choice in it costs less than its like among those found.
                hop = self._problem.hop_micros / float(mix.slowdown(self._problem, node.high))
                searched = fronts.windowed(
                    self._problem, worker, front, hop_micros=hop, price=price, limits=limits, labels=self._labels
                )
                if searched is None:
                    self._labels = self._labels * 3 // 4
                    return None
                known[key], spent = searched
                self._labels -= spent
            found.append(known[key])
        return found

    def _steeper(self, node: Node, front: Front, worker: Worker, price: float, limits: Floats) -> tuple[float, Floats]:
        """Price and limits of a window that counts on the worker's latency objective, with the fewest choices in it.

        Choices of time T and area A up to a latest time have T + price A <= limit only if, for any factor <= 1,
        T + factor price A <= factor limit + (1 - factor) latest.
        """
        assert worker.latency_micros is not None
        latest = worker.latency_micros / float(mix.slowdown(self._problem, node.low))
        factors = np.geomspace(1e-3, 1.0, 40)
        corners = front.corners
        hops = corners.hops * self._problem.hop_micros / float(mix.slowdown(self._problem, node.high))
        cost = (corners.time + hops)[:, None] + factors * price * corners.area[:, None]
        slack = factors * float(limits.max()) + (1.0 - factors) * latest - cost.min(axis=0)
        best = float(factors[slack.argmin()])
        return best * price, np.where(limits < 0, limits, best * limits + (1.0 - best) * latest)

    def _limits(self, index: int, node: Node, corners: mix.Terms, apart: bounds.Bound, total: float) -> Floats:
        """Per set of sizes of a worker: what a choice may cost at most, in the worker's microseconds."""
        worker, front = self._problem.workers[index], self.fronts[index]
        by_group = np.full(corners.groups, np.inf)
        np.minimum.at(by_group, corners.group, apart.rest[index])
        rest = by_group[np.minimum(front.masked, corners.groups - 1)]
        left = total - apart.constant - rest - mix.stream_cost(self._problem) * front.further
        return np.asarray(left / (worker.factor * float(mix.slowdown(self._problem, node.low))))

    def _look_closer(self, roots: list[Node], incumbent: Best) -> None:
        """Sweeps again, at prices near those that matter to the nodes that may hold something better."""
        likely = [node for node in roots if node.lower_bound < _feasible(incumbent) and node.price > 0]
        if not likely:
            return
        paid = [node.price / float(mix.slowdown(self._problem, node.low)) for node in likely]
        for worker in self._problem.workers:
            unit = worker.factor * worker.kernels * self._problem.compute_units
            self._closer[_identity(worker)] = np.geomspace(0.85 * min(paid) / unit, 1.2 * max(paid) / unit, 16)
        self._prices.clear()
        self._corner_terms.clear()
        for index, (worker, front) in enumerate(zip(self._problem.workers, self.fronts, strict=True)):
            if not front.exact:
                closer = self._swept(worker, 1.0).swept()
                # The old points stay in front: the incumbent's indices keep their meaning.
                self.fronts[index] = replace(closer, points=Points.join([front.points, closer.points]))
        self._points = self._terms()

    def _corners(self, node: Node) -> list[mix.Terms]:
        """Points below or on everything that the workers can do in the node."""
        return [
            points if front.exact else self._corner(index, self._cap(node) if front.merged else 1.0)
            for index, (front, points) in enumerate(zip(self.fronts, self._points, strict=True))
        ]

    def _cap(self, node: Node) -> float:
        """A slowdown not below the node's: of wide nodes a coarse one, so that few sweeps serve many nodes."""
        rate = float(mix.slowdown(self._problem, node.high))
        if node.high - node.low < 0.03:
            return float(1.004 ** np.ceil(np.log(rate) / np.log(1.004) - 1e-9))
        return min((step for step in STEPS if step >= rate - 1e-9), default=rate)

    def _corner(self, index: int, cap: float) -> mix.Terms:
        if (index, cap) not in self._corner_terms:
            worker, front = self._problem.workers[index], self.fronts[index]
            corners = self._swept(worker, cap).corners()
            self._corner_terms[index, cap] = mix.terms(self._problem, worker, front, corners, real=False)
        return self._corner_terms[index, cap]

    def _swept(self, worker: Worker, cap: float) -> Prices:
        key = (_identity(worker), cap)
        if key not in self._prices:
            unit = float(worker.times[:, -1].mean()) / self._problem.compute_units
            first = PRICES if worker.latency_micros is None else np.concatenate([PRICES, FINE_PRICES])
            prices = np.concatenate([first * unit, self._closer.get(key[0], np.empty(0))])
            self._prices[key] = fronts.price_out(self._problem, worker, np.unique(prices), cap)
        return self._prices[key]


def _target(best: Best, lower_bound: float) -> float:
    """What a better combination costs at most; a little above the bound where none is known that holds."""
    return min(_feasible(best), lower_bound + 0.1 * abs(lower_bound)) if best.excess else best.objective


def _feasible(best: Best) -> float:
    """The objective to beat; infinite if constraints are missed."""
    return best.objective if best.excess == 0 else np.inf


def _identity(worker: Worker) -> object:
    """Equal for workers with the same choices, searched in the same way."""
    return worker.times.tobytes(), worker.sizes, worker.max_switches, worker.latency_micros is not None
