"""Lower bounds: a price on CUs makes the workers fall apart.

A node is an interval [s0, s1] of the sum of shares s. The slowdown m(s) = 1 + alpha runs from m0 to m1 in it, straight.
With X the sum of weighted times and Q that of the other costs, every combination in the node has

    fairness    m X + Q >= m0 X + Q + p (m - m0) - max(0, p - X0) (m1 - m0)        for any p >= 0 and X0 <= X

since (m - m0)(X - X0) >= 0; the right side is a sum over workers. Where m is constant, p (s - s1) <= 0 takes the place
of the last two terms. Throughput and energy bound the sum of rates with every m at m0. A price reaches only the convex
hull of the workers' points; `join` closes the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eclip.optimize import paths
from eclip.optimize.evaluate import TOLERANCE
from eclip.optimize.mix import Terms, slowdown, stream_cost
from eclip.optimize.paths import Floats
from eclip.optimize.problem import Objective, Problem

T = TypeVar("T")

TWELVE = np.linspace(0.0, 1.0, 12)

PRICES = np.concatenate([[0.0], np.geomspace(0.03, 30.0, 19)])
"""On a whole GPU, in units of the mix's least weighted time (or largest rate)."""


@dataclass(frozen=True, slots=True)
class Node:
    """Combinations whose sum of shares lies in [low, high]."""

    low: float
    high: float
    lower_bound: float = 0.0
    """Of the objective; infinite if the node holds no combination."""
    price: float = 0.0
    """On a share, that gave the bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A node's bound, taken apart: no combination costs less in sum, constant included."""

    costs: list[Floats]
    """Per worker and point, at the price."""
    constant: float
    rest: list[Floats]
    """Per worker and point: what all the others cost at least beside it, within the stream budget."""


def bound(problem: Problem, mix: Sequence[Terms], node: Node, prices: Floats | None = None) -> Node:
    """The node with its lower bound, over a grid of prices and a finer one around the best."""
    kept = _each(mix, lambda part: within(problem, part, node))
    if not all(len(part) for part in kept):
        return replace(node, lower_bound=np.inf)
    grid = price_grid(problem, kept) if prices is None else prices
    base = _each(kept, lambda part: _base(problem, part, node))
    least_time = _least_time(problem, kept, node, grid)
    for _ in range(2):
        counts = _counts(kept, base, grid)
        total = _spread(problem, counts)[-1] + _constant(problem, node, grid, least_time)
        values = objective_above(problem, node, total)
        best = int(values.argmax())
        if values[best] > node.lower_bound:
            node = replace(node, lower_bound=float(values[best]), price=float(grid[best]))
        if not np.isfinite(node.lower_bound):
            return node
        low, high = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
        grid = low + (high - low) * TWELVE
    return node


def price_grid(problem: Problem, mix: Sequence[Terms]) -> Floats:
    """Prices of all orders that can matter: around what one whole GPU more or less would change."""
    if problem.objective is Objective.FAIRNESS:
        scale = sum(part.worker.factor * float(part.time.min()) for part in mix)
    else:
        scale = sum(part.worker.weight * part.worker.base_micros / float(part.time.min()) for part in mix)
    return PRICES * scale


def take_apart(problem: Problem, mix: Sequence[Terms], node: Node) -> Bound:
    """The parts of the node's bound at its price, for points that `within` kept."""
    base = _each(mix, lambda part: _base(problem, part, node))
    prices = np.array([node.price])
    counts = _counts(mix, base, prices)
    costs = [cost + node.price * part.share for cost, part in zip(base, mix, strict=True)]
    rest = []
    for index, part in enumerate(mix):
        reach = _spread(problem, counts[:index] + counts[index + 1 :])
        left = (problem.max_streams or 0) - part.group.astype(np.intp)
        rest.append(np.where(left >= 0, reach[np.clip(left, 0, len(reach) - 1), 0], np.inf))
    least_time = _least_time(problem, mix, node, prices)
    return Bound(costs, float(_constant(problem, node, prices, least_time)[0]), rest)


def total_below(problem: Problem, node: Node, objective: float) -> float:
    """The total of costs and constant that a combination of the node has if its objective is below this one."""
    if problem.objective is Objective.FAIRNESS or not np.isfinite(objective):
        return objective
    return -_numerator(problem, node) / objective


def objective_above(problem: Problem, node: Node, total: Floats) -> Floats:
    """The objective that combinations of the node have at least if their costs and constant total this."""
    if problem.objective is Objective.FAIRNESS:
        return total
    with np.errstate(divide="ignore"):
        return np.asarray(_numerator(problem, node) / np.where(total < 0, -total, 0.0))


def _numerator(problem: Problem, node: Node) -> float:
    """What is divided by the sum of rates: the weights, or the least power in the node."""
    if problem.objective is not Objective.ENERGY:
        return problem.weight
    assert problem.power is not None
    lent = min(1.0, max(0.0, node.low)) * problem.compute_units
    return problem.power.idle_watts + problem.power.cu_watts * lent


def within(problem: Problem, part: Terms, node: Node) -> Terms:
    """The points that can occur in the node; corners are cut where the lines between them leave it."""
    if part.real:
        return part.take(inside(problem, part, node))
    most = _latest(problem, part, node)
    return part if most is None else _cut(part, most)


def inside(problem: Problem, part: Terms, node: Node) -> npt.NDArray[np.bool_]:
    """Whether a point is small enough for the node, and in time at its least contention."""
    fits = part.share <= node.high * (1 + TOLERANCE)
    most = _latest(problem, part, node)
    return np.asarray(fits if most is None else fits & (part.time <= most))


def _latest(problem: Problem, part: Terms, node: Node) -> Floats | None:
    """Sum of kernel times up to which a point keeps its worker's latency objective. None: there is no objective."""
    if part.worker.latency_micros is None:
        return None
    streams = problem.stream_micros * part.worker.kernels * part.further
    left = part.worker.latency_micros * (1 + TOLERANCE) - part.toll - streams
    return np.asarray(left / float(slowdown(problem, node.low)))


def _cut(part: Terms, most: Floats) -> Terms:
    inside = part.time <= most
    (before,) = np.nonzero(inside[:-1] & ~inside[1:] & (part.run[:-1] == part.run[1:]))
    # Times rise along a run: the line from a corner inside to the next one leaves at `most`.
    rise = part.time[before + 1] - part.time[before]
    where = (most[before] - part.time[before]) / rise
    share = part.share[before] + where * (part.share[before + 1] - part.share[before])
    edge = replace(part.take(before), time=most[before], share=share)
    return part.take(inside).joined(edge)


def _request(problem: Problem, part: Terms, rate: float) -> Floats:
    """A request's time with no more further streams in the mix than the worker's own."""
    return rate * part.time + part.toll + problem.stream_micros * part.worker.kernels * part.further


def _base(problem: Problem, part: Terms, node: Node) -> Floats:
    """A point's part of the bound, its CUs not yet priced."""
    rate = float(slowdown(problem, node.low))
    if problem.objective is Objective.FAIRNESS:
        return part.worker.factor * (rate * part.time + part.toll) + stream_cost(problem) * part.further
    return -part.worker.weight * part.worker.base_micros / _request(problem, part, rate)


def _counts(mix: Sequence[Terms], base: Sequence[Floats], prices: Floats) -> list[Floats]:
    """Per worker, the least base + price * share, [masked streams spent, prices]."""
    known: dict[int, Floats] = {}
    for part, cost in zip(mix, base, strict=True):
        if id(cost) not in known:
            known[id(cost)] = paths.least(cost, part.share, prices, part.group, part.groups)
    return [known[id(cost)] for cost in base]


def _constant(problem: Problem, node: Node, prices: Floats, least_time: float) -> Floats:
    low, high = (float(slowdown(problem, share)) for share in (node.low, node.high))
    if problem.objective is not Objective.FAIRNESS or low == high:
        return -prices * node.high
    # m(s) has slope 1, so that p (m - m0) = p (s - s0).
    return -prices * node.low - np.maximum(0.0, prices - least_time) * (high - low)


def _least_time(problem: Problem, mix: Sequence[Terms], node: Node, prices: Floats) -> float:
    """X0: a lower bound on the weighted times of combinations in the node, where the bound asks for it."""
    if problem.objective is not Objective.FAIRNESS or slowdown(problem, node.low) == slowdown(problem, node.high):
        return 0.0
    sums = -prices * node.high
    for least in _each(mix, lambda part: paths.least(part.worker.factor * part.time, part.share, prices)[0]):
        sums = sums + least
    return max(0.0, float(sums.max()))


def _each(mix: Sequence[Terms], of: Callable[[Terms], T]) -> list[T]:
    """Something of every worker's points, computed once for workers that have the same."""
    known: dict[int, T] = {}
    for part in mix:
        if id(part) not in known:
            known[id(part)] = of(part)
    return [known[id(part)] for part in mix]


def _spread(problem: Problem, counts: Sequence[Floats]) -> Floats:
    """The least sum of one row per worker [streams + 1, prices], rows being masked streams spent, at most."""
    width = counts[0].shape[1] if counts else 1
    if problem.max_streams is None or not counts:
        return np.asarray(sum((count[0] for count in counts), start=np.zeros(width)))[None]
    budget = problem.max_streams
    reach = np.zeros((min(budget, sum(len(count) - 1 for count in counts)) + 1, width))
    for count in counts:
        grown = np.full_like(reach, np.inf)
        for spent, row in enumerate(count[: len(reach)]):
            grown[spent:] = np.minimum(grown[spent:], reach[: len(reach) - spent] + row)
        reach = grown
    return reach
