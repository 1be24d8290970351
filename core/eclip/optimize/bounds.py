"""Lower bounds: a price on CUs makes the workers fall apart.

A node has an interval [s0, s1] of the sum of shares s. The slowdown m(s) = 1 + alpha runs straight from m0 to m1 in it.
With X the sum of weighted times and Q that of the other costs, every combination in the node has

    fairness    m X + Q >= m0 X + Q + p (m - m0) - max(0, p - X0) (m1 - m0)        for any p >= 0 and X0 <= X

since (m - m0)(X - X0) >= 0; the right side is a sum over workers. Where m is constant, p (s - s1) <= 0 takes the place
of the last two terms.

Throughput and energy divide N, the weights or the power, by a sum of rates. With Y the sum of the workers' rates where
m would be 1, their other costs taken as 1 / m1 of what they are, that sum is at most Y / m, and

    throughput, energy    N m / Y >= N m / (V + p s) >= its smaller value at s0 and s1, for any p >= 0

where V is the most of Y - p s, again a sum over workers; as N or m is constant in a node and the other one straight in
s, the quotient only rises or only falls.

A price reaches only the convex hull of the workers' points; `join` closes the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eclip.optimize import paths
from eclip.optimize.evaluate import TOLERANCE
from eclip.optimize.mix import Terms, slowdown, stream_cost
from eclip.optimize.nodes import Node, Range
from eclip.optimize.paths import Floats
from eclip.optimize.points import Ints
from eclip.optimize.problem import Objective, Problem, Worker

T = TypeVar("T")

TWELVE = np.linspace(0.0, 1.0, 12)

PRICES = np.concatenate([[0.0], np.geomspace(0.03, 30.0, 19)])
"""On a whole GPU, in units of the mix's least weighted time (or largest rate)."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A node's bound, taken apart."""

    problem: Problem
    node: Node
    least_time: float
    costs: list[Floats]
    """Per worker and point, at the node's price."""
    rest: list[Floats]
    """Per worker and point: what all the others cost at least beside it, within the stream budget."""

    def most(self, objective: float) -> float:
        """What a combination costs at most if its objective is below this one."""
        if not np.isfinite(objective):
            return objective
        node = self.node
        if self.problem.objective is Objective.FAIRNESS:
            return objective - float(_constant(self.problem, node, np.array([node.price]), self.least_time)[0])
        return max(node.price * share - most / objective for share, most in _ends(self.problem, node))


def bound(problem: Problem, mix: Sequence[Terms], node: Node, prices: Floats | None = None) -> Node:
    """The node with its lower bound, over a grid of prices and a finer one around the best."""
    kept = within(problem, mix, node)
    if not all(len(part) for part in kept):
        return replace(node, lower_bound=np.inf)
    grid = price_grid(problem, kept) if prices is None else prices
    base = _each(kept, lambda part: _base(problem, part, node))
    least_time = _least_time(problem, kept, node, grid)
    for _ in range(2):
        costs = _spread(problem, _counts(kept, base, grid))[-1]
        values = _objective_above(problem, node, grid, costs, least_time)
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
        scale = sum(part.worker.worth / float(part.time.min()) for part in mix)
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
    return Bound(problem, node, _least_time(problem, mix, node, prices), costs, rest)


def _objective_above(problem: Problem, node: Node, prices: Floats, costs: Floats, least_time: float) -> Floats:
    """The objective that combinations of the node have at least if they cost this, per price."""
    if problem.objective is Objective.FAIRNESS:
        return costs + _constant(problem, node, prices, least_time)
    with np.errstate(divide="ignore"):
        ends = [most / np.maximum(0.0, prices * share - costs) for share, most in _ends(problem, node)]
    return np.asarray(np.minimum(*ends))


def _ends(problem: Problem, node: Node) -> list[tuple[float, float]]:
    """The node's ends, and N m there; where both would vary, N is the least."""
    rates = [float(slowdown(problem, share)) for share in (node.low, node.high)]
    shares = (node.low, node.high if rates[0] == rates[1] else node.low)
    return [
        (end, _numerator(problem, share) * rate)
        for end, share, rate in zip((node.low, node.high), shares, rates, strict=True)
    ]


def _numerator(problem: Problem, share: float) -> float:
    """What is divided by the sum of rates: the weights, or the power."""
    if problem.objective is not Objective.ENERGY:
        return problem.weight
    assert problem.power is not None
    lent = min(1.0, max(0.0, share)) * problem.compute_units
    return problem.power.idle_watts + problem.power.cu_watts * lent


def within(problem: Problem, mix: Sequence[Terms], node: Node) -> list[Terms]:
    """The points that can occur in the node; corners are cut where the lines between them leave it."""
    known: dict[tuple[int, Range], Terms] = {}
    for part, span in zip(mix, node.ranges, strict=True):
        if (id(part), span) not in known:
            known[id(part), span] = _within(problem, part, node, span)
    return [known[id(part), span] for part, span in zip(mix, node.ranges, strict=True)]


def _within(problem: Problem, part: Terms, node: Node, span: Range) -> Terms:
    if part.real:
        return part.take(inside(problem, part, node, span))
    part = _clip(part, *span)
    most = _latest(problem, part, node)
    return part if most is None else _cut(part, most)


def inside(problem: Problem, part: Terms, node: Node, span: Range) -> npt.NDArray[np.bool_]:
    """Whether a point is in its worker's range, and in time at the node's least contention."""
    fits = (part.share >= span[0]) & (part.share <= span[1] * (1 + TOLERANCE))
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
    """Along a run times rise: the line from a corner inside to the next one leaves at `most`."""
    inside = part.time <= most
    (before,) = np.nonzero(inside[:-1] & ~inside[1:] & (part.run[:-1] == part.run[1:]))
    rise = part.time[before + 1] - part.time[before]
    return part.take(inside).joined(_between(part, before, (most[before] - part.time[before]) / rise))


def _clip(part: Terms, low: float, high: float) -> Terms:
    """Along a run shares fall; right of its first corner a run is flat."""
    first = np.concatenate([[True], part.run[1:] != part.run[:-1]])
    part = replace(part, share=np.where(first, np.maximum(part.share, low), part.share))
    inside = (part.share >= low) & (part.share <= high)
    if inside.all():
        return part
    together = part.run[:-1] == part.run[1:]
    edges = []
    for edge in (low, high):
        (before,) = np.nonzero(together & (part.share[:-1] > edge) & (part.share[1:] < edge))
        fall = part.share[before] - part.share[before + 1]
        edges.append(_between(part, before, (part.share[before] - edge) / fall))
    clipped = part.take(inside).joined(edges[0]).joined(edges[1])
    return clipped.take(np.lexsort((clipped.time, clipped.run)))


def _between(part: Terms, before: Ints, where: Floats) -> Terms:
    """Points on the lines from these corners to the next ones."""
    time = part.time[before] + where * (part.time[before + 1] - part.time[before])
    share = part.share[before] + where * (part.share[before + 1] - part.share[before])
    return replace(part.take(before), time=time, share=share)


def steepness(problem: Problem, worker: Worker, node: Node, time: Floats) -> Floats:
    """Microseconds that a CU less for one kernel may cost choices of these times, at the node's price."""
    paid = node.price / (worker.kernels * problem.compute_units)
    if problem.objective is Objective.FAIRNESS:
        return np.full_like(time, paid / (worker.factor * float(slowdown(problem, node.low))))
    return paid * time**2 / worker.worth


def _base(problem: Problem, part: Terms, node: Node) -> Floats:
    """A point's part of the bound, its CUs not yet priced."""
    low, high = (float(slowdown(problem, share)) for share in (node.low, node.high))
    if problem.objective is Objective.FAIRNESS:
        return part.worker.factor * (low * part.time + part.toll) + stream_cost(problem) * part.further
    # Further streams in the mix are at least the worker's own.
    streams = problem.stream_micros * part.worker.kernels * part.further
    return -part.worker.worth / (part.time + (part.toll + streams) / high)


def _counts(mix: Sequence[Terms], base: Sequence[Floats], prices: Floats) -> list[Floats]:
    """Per worker, the least base + price * share, [masked streams spent, prices]."""
    known: dict[int, Floats] = {}
    for part, cost in zip(mix, base, strict=True):
        if id(cost) not in known:
            known[id(cost)] = paths.least(cost, part.share, prices, part.group, part.groups)
    return [known[id(cost)] for cost in base]


def _constant(problem: Problem, node: Node, prices: Floats, least_time: float) -> Floats:
    """What fairness's bound adds to the workers' costs."""
    low, high = (float(slowdown(problem, share)) for share in (node.low, node.high))
    if low == high:
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
