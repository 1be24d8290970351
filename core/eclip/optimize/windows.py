"""Closes a narrow node where fronts are swept: every choice near the node's bound is searched for, and all are joined.

A worker's choices that may matter have, for their area A (CUs summed over kernels), a time of at most f(A), which
follows from what the node's bound leaves to the worker, and from its latency objective. The native search takes
straight windows, time + slope A <= limit: the narrowest of some that hold all of these is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np

from eclip.optimize import bounds, fronts, join, mix
from eclip.optimize.bounds import Bound
from eclip.optimize.combinations import Best, Combinations
from eclip.optimize.effort import Effort
from eclip.optimize.evaluate import TOLERANCE
from eclip.optimize.nodes import Node
from eclip.optimize.offers import Offers
from eclip.optimize.paths import Floats
from eclip.optimize.points import Front, Points
from eclip.optimize.problem import Objective, Problem, Worker

CELLS = 8192
"""Of areas, in which a bent f is held under a straight window."""

FIRST_REACH = 2e-4
"""Of the first window above a node's bound, as a part of it."""

SLOPES = np.geomspace(1e-3, 1.25, 40)
"""Tried for a bent f, in units of the slope that the node's price suggests."""


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Choices of time + slope * area <= limits[set of sizes]."""

    slope: float
    limits: Floats


class Windows:
    """Looks through nodes as long as its labels last; adds to the offers what it finds."""

    def __init__(self, problem: Problem, effort: Effort, offers: Offers) -> None:
        self._problem, self._effort, self._offers = problem, effort, offers
        self.bound = any(worker.latency_micros is not None for worker in problem.workers)
        self._labels = effort.latency_labels if self.bound else effort.labels

    def look_through(self, node: Node, incumbent: Best) -> tuple[Best, float]:
        """The incumbent after it, and what was proven about the node."""
        corners = bounds.within(self._problem, self._offers.corners(node), node)
        if not all(len(part) for part in corners):
            return incumbent, node.lower_bound
        apart = bounds.take_apart(self._problem, corners, node)
        # Small windows first: they find better incumbents, which keep the last one small.
        proven, reach = node.lower_bound, 0.06 * (incumbent.target(node.lower_bound) - node.lower_bound)
        reach = min(reach, FIRST_REACH * abs(node.lower_bound))
        while proven < incumbent.target(node.lower_bound):
            objective = min(node.lower_bound + reach, incumbent.target(node.lower_bound))
            found = self._search(node, corners, apart, apart.most(objective))
            if found is None:
                break
            incumbent, complete = self._join(found, objective, node, incumbent, objective)
            if not complete:
                up_to = partial(self._join, found, objective)
                incumbent, partly = join.exhaust(node, incumbent, up_to, patient=True)
                proven = max(proven, self._blurred(node, found, min(partly, incumbent.feasible)))
                break
            proven = max(proven, self._blurred(node, found, min(objective, incumbent.feasible)))
            reach *= 4.0
            if objective >= incumbent.target(node.lower_bound):
                break
        return incumbent, proven

    def _blurred(self, node: Node, found: Sequence[Points], objective: float) -> float:
        """What any choices cost at least if those found cost this: without classes, hops have one price in a node."""
        low, high = (float(mix.slowdown(self._problem, share)) for share in (node.low, node.high))
        more, most = 0.0, 0.0
        for worker, front, points in zip(self._problem.workers, self._offers.fronts, found, strict=True):
            if front.merged and len(points):
                micros = (1.0 - low / high) * self._problem.hop_micros * float(points.hops.max())
                more += worker.factor * micros
                most = max(most, micros / (low * float(points.time.min())))
        return objective - more if self._problem.objective is Objective.FAIRNESS else objective / (1.0 + most)

    def _join(
        self, found: list[Points], complete_to: float, node: Node, incumbent: Best, reach: float
    ) -> tuple[Best, bool]:
        """Joins these points, which are all that there are up to an objective."""
        if reach > complete_to:
            best, _ = self._join(found, complete_to, node, incumbent, complete_to)
            return best, False
        workers = zip(self._problem.workers, self._offers.fronts, found, strict=True)
        parts = [mix.terms(self._problem, worker, front, points) for worker, front, points in workers]
        if not all(len(part) for part in parts):
            return incumbent, True
        effort = self._effort
        best, complete = join.join(
            self._problem,
            parts,
            node,
            incumbent,
            reach=reach,
            stored=effort.stored,
            most=effort.last_combinations,
        )
        if best is incumbent:
            # None is in reach; the best beside it may still be better than what is known.
            cheapest = tuple(int((part.worker.factor * part.time + node.price * part.share).argmin()) for part in parts)
            best = min(incumbent, Combinations(self._problem, parts).descend(Best(inf, inf, cheapest)), key=Best.rank)
        if best is incumbent:
            return incumbent, complete
        known = [0 if front.exact else len(front.points) for front in self._offers.fronts]
        best = replace(best, points=tuple(start + point for start, point in zip(known, best.points, strict=True)))
        self._offers.add(found)
        return Combinations(self._problem, self._offers.points).descend(best), complete

    def _search(self, node: Node, corners: Sequence[mix.Terms], apart: Bound, total: float) -> list[Points] | None:
        """Per worker, every choice that a combination of this total may hold; None if that is too much work."""
        known: dict[object, Points] = {}
        found = []
        # At the node's largest slowdown, so that no choice in it costs less than its like among those found.
        hop = self._problem.hop_micros / float(mix.slowdown(self._problem, node.high))
        for index, (kind, front) in enumerate(zip(self._offers.kinds, self._offers.fronts, strict=True)):
            if front.exact:
                found.append(front.points)
                continue
            left = self._left(index, corners[index], apart, total)
            window = self._window(index, node, corners[index], left, hop)
            key = (kind, window.slope, window.limits.tobytes())
            if key not in known:
                searched = fronts.windowed(
                    self._problem,
                    self._problem.workers[index],
                    front,
                    hop_micros=hop,
                    price=window.slope,
                    limits=window.limits,
                    labels=self._labels,
                )
                if searched is None:
                    self._labels = self._labels * 3 // 4
                    return None
                known[key], spent = searched
                self._labels -= spent
            found.append(known[key])
        return found

    def _left(self, index: int, corners: mix.Terms, apart: Bound, total: float) -> Floats:
        """Per set of sizes of a worker: what a choice may cost at most."""
        front = self._offers.fronts[index]
        by_group = np.full(corners.groups, np.inf)
        np.minimum.at(by_group, corners.group, apart.rest[index])
        return np.asarray(total - by_group[np.minimum(front.masked, corners.groups - 1)])

    def _window(self, index: int, node: Node, corners: mix.Terms, left: Floats, hop_micros: float) -> _Window:
        worker, front = self._problem.workers[index], self._offers.fronts[index]
        slope = float(bounds.steepness(self._problem, worker, node, corners.time.min()[None])[0])
        if self._problem.objective is Objective.FAIRNESS and worker.latency_micros is None:
            rate = float(mix.slowdown(self._problem, node.low))
            return _Window(slope, (left - mix.stream_cost(self._problem) * front.further) / (rate * worker.factor))
        unit = worker.kernels * self._problem.compute_units
        low, high = node.ranges[index]
        areas = np.linspace(low * unit, high * unit, CELLS + 1)
        least = _Hulls.of(front, hop_micros, areas)
        most = _allowed(self._problem, worker, front, node, left=left, areas=areas)
        return min((least.window(slope * factor, most) for factor in SLOPES), key=least.slack)


@dataclass(frozen=True, slots=True, eq=False)
class _Hulls:
    """Per set of sizes, the time (hops included) below which no choice lies, at ascending areas [sets, areas]."""

    areas: Floats
    time: Floats

    @staticmethod
    def of(front: Front, hop_micros: float, areas: Floats) -> "_Hulls":
        corners = front.corners
        time = np.full((len(front.subsets), len(areas)), np.inf)
        runs = corners.subset * front.paths[0].classes + corners.hop_class
        for run in np.unique(runs):
            at = np.flatnonzero(runs == run)
            at = at[np.argsort(corners.area[at], kind="stable")]
            line = np.interp(areas, corners.area[at], corners.time[at] + hop_micros * corners.hops[at])
            subset = int(corners.subset[at[0]])
            time[subset] = np.minimum(time[subset], line)
        return _Hulls(areas, time)

    def window(self, slope: float, most: Floats) -> _Window:
        """The straight window over all choices of time <= most [sets, areas]; both fall with the area."""
        held = self.time[:, 1:] <= most[:, :-1]
        reach = np.where(held, most[:, :-1] + slope * self.areas[1:], -np.inf)
        return _Window(slope, reach.max(axis=1))

    def slack(self, window: _Window) -> float:
        """How far the window reaches above the cheapest choice."""
        cheapest = (self.time + window.slope * self.areas).min()
        return float(window.limits.max() - cheapest)


def _allowed(problem: Problem, worker: Worker, front: Front, node: Node, *, left: Floats, areas: Floats) -> Floats:
    """f(A) per set of sizes, [sets, areas], hops included."""
    low, high = (float(mix.slowdown(problem, share)) for share in (node.low, node.high))
    paid = node.price * areas / (worker.kernels * problem.compute_units)
    streams = problem.stream_micros * worker.kernels * front.further
    if problem.objective is Objective.FAIRNESS:
        own = left - mix.stream_cost(problem) * front.further
        most = (own[:, None] - paid) / (worker.factor * low)
    else:
        rates = paid - left[:, None]
        with np.errstate(divide="ignore"):
            most = np.where(rates > 0, worker.worth / np.maximum(rates, 0.0), np.inf) - streams[:, None] / high
    if worker.latency_micros is None:
        return np.asarray(most)
    latest = (worker.latency_micros * (1 + TOLERANCE) - streams) / low
    return np.asarray(np.minimum(most, latest[:, None]))
