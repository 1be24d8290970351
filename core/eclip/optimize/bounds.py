"""Lower bounds: a price on CUs makes the workers fall apart.

A node is an interval of the sum of shares s. The slowdown m(s) = 1 + alpha is linear in it, between m0 and m1. Every
combination in the node has, with X the sum of weighted times and Q that of the other costs,

    fairness    m X + Q >= m0 X + Q + p (m - m0) - max(0, p - X0) (m1 - m0)        for any p >= 0 and X0 <= X

since (m - m0)(X - X0) >= 0; the right side is a sum over workers. Where m is constant, p (s - s1) <= 0 takes the place
of the last two terms. Throughput and energy bound the sum of rates with every m at m0. The price reaches only the
convex hull of the workers' points; `join` closes the rest.
"""

from dataclasses import dataclass, replace

import numpy as np

from eclip.optimize.evaluate import TOLERANCE
from eclip.optimize.mix import Terms, slowdown, stream_cost
from eclip.optimize.paths import Floats
from eclip.optimize.problem import Objective, Problem


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
    """A node's bound, taken apart: value = sum over workers of the least cost + constant."""

    costs: list[Floats]
    """Per worker and point, at the price."""
    constant: float
    rest: list[Floats]
    """Per worker and point: what all the others cost at least beside it, within the stream budget."""


def bound(problem: Problem, mix: list[Terms], node: Node) -> Node:
    """The node with its lower bound, over a grid of prices and a finer one around the best."""
    kept = [part.take(allowed(problem, part, node)) for part in mix]
    if not all(len(part) for part in kept):
        return replace(node, lower_bound=np.inf)
    scale = _scale(problem, kept)
    grid = np.concatenate([[0.0], np.geomspace(0.02, 50.0, 23) * scale])
    for _ in range(2):
        values = _values(problem, kept, node, grid)
        best = int(values.argmax())
        node = replace(node, lower_bound=max(node.lower_bound, float(values[best])), price=float(grid[best]))
        if not np.isfinite(node.lower_bound):
            return node
        around = grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)]
        grid = np.linspace(*around, 16)
    return node


def take_apart(problem: Problem, mix: list[Terms], node: Node) -> Bound:
    """The parts of the node's bound at its price. Points that cannot occur in the node cost infinitely much."""
    price = np.array([node.price])
    parts, constant = _surrogate(problem, mix, node, price)
    costs = [np.where(allowed(problem, part, node), cost[:, 0], np.inf) for part, cost in zip(mix, parts, strict=True)]
    counts = [_by_masked(problem, part, cost[:, None]) for part, cost in zip(mix, costs, strict=True)]
    rest = []
    for index, part in enumerate(mix):
        others = counts[:index] + counts[index + 1 :]
        reach = _spread(others, _budget(problem, mix))
        left = len(reach) - 1 - part.masked if len(reach) > 1 else np.zeros(len(part), dtype=np.intp)
        rest.append(np.where(part.masked <= _budget(problem, mix), reach[np.maximum(left, 0), 0], np.inf))
    return Bound(costs, float(constant[0]), rest)


def allowed(problem: Problem, part: Terms, node: Node) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Points that keep the worker's latency objective at the node's least contention, and fit in the node."""
    fits = part.share <= node.high * (1 + TOLERANCE)
    if part.worker.latency_micros is None:
        return np.asarray(fits)
    least = _request(problem, part, float(slowdown(problem, node.low)))
    return np.asarray(fits & (least <= part.worker.latency_micros * (1 + TOLERANCE)))


def _request(problem: Problem, part: Terms, rate: float) -> Floats:
    """A request's time with no more streams in the mix than the worker's own."""
    return rate * part.time + part.toll + problem.stream_micros * part.worker.kernels * part.further


def _scale(problem: Problem, mix: list[Terms]) -> float:
    """A price of the right order: what one whole GPU more or less would change."""
    if problem.objective is Objective.FAIRNESS:
        return sum(part.worker.factor * float(part.time.min()) for part in mix)
    return sum(part.worker.weight * part.worker.base_micros / float(part.time.min()) for part in mix)


def _values(problem: Problem, mix: list[Terms], node: Node, prices: Floats) -> Floats:
    costs, constant = _surrogate(problem, mix, node, prices)
    counts = [_by_masked(problem, part, cost) for part, cost in zip(mix, costs, strict=True)]
    total = _spread(counts, _budget(problem, mix))[-1] + constant
    return _to_objective(problem, total, node)


def _surrogate(problem: Problem, mix: list[Terms], node: Node, prices: Floats) -> tuple[list[Floats], Floats]:
    """Costs [points, prices] per worker and a constant [prices], whose sum bounds what `_to_objective` takes."""
    low, high = (float(slowdown(problem, share)) for share in (node.low, node.high))
    if problem.objective is not Objective.FAIRNESS:
        return _rates(problem, mix, node, prices, low)
    shared = stream_cost(problem)
    costs = [
        part.worker.factor * (low * part.time + part.toll)[:, None]
        + shared * part.further[:, None]
        + prices * part.share[:, None]
        for part in mix
    ]
    if low == high:
        return costs, -prices * node.high
    # m(s) = s + offset, so that p (m - m0) = p (s - low).
    least = _least_time(mix, node, prices)
    return costs, -prices * node.low - np.maximum(0.0, prices - least) * (high - low)


def _least_time(mix: list[Terms], node: Node, prices: Floats) -> float:
    """A lower bound on the weighted times of combinations within the node."""
    sums = sum((part.worker.factor * part.time[:, None] + prices * part.share[:, None]).min(axis=0) for part in mix)
    return max(0.0, float(np.max(np.asarray(sums) - prices * node.high)))


def _rates(problem: Problem, mix: list[Terms], node: Node, prices: Floats, rate: float) -> tuple[list[Floats], Floats]:
    done = [part.worker.weight * part.worker.base_micros / _request(problem, part, rate) for part in mix]
    costs = [-one[:, None] + prices * part.share[:, None] for one, part in zip(done, mix, strict=True)]
    return costs, -prices * node.high


def _to_objective(problem: Problem, total: Floats, node: Node) -> Floats:
    if problem.objective is Objective.FAIRNESS:
        return total
    with np.errstate(divide="ignore"):
        return np.asarray(numerator(problem, node) / np.where(total < 0, -total, 0.0))


def numerator(problem: Problem, node: Node) -> float:
    """What is divided by the sum of rates: the weights, or the least power in the node."""
    if problem.objective is not Objective.ENERGY:
        return problem.weight
    assert problem.power is not None
    lent = min(1.0, max(0.0, node.low)) * problem.compute_units
    return problem.power.idle_watts + problem.power.cu_watts * lent


def _budget(problem: Problem, mix: list[Terms]) -> int:
    most = sum(int(part.masked.max(initial=0)) for part in mix)
    return most if problem.max_streams is None else min(most, problem.max_streams)


def _by_masked(problem: Problem, part: Terms, cost: Floats) -> Floats:
    """Least cost [masked streams, prices] with at most so many masked streams; one row where no budget is set."""
    if problem.max_streams is None:
        return np.asarray(cost.min(axis=0, keepdims=True))
    least = np.full((int(part.masked.max(initial=0)) + 1, cost.shape[1]), np.inf)
    for count in range(len(least)):
        rows = part.masked == count
        if rows.any():
            least[count] = cost[rows].min(axis=0)
    return np.asarray(np.minimum.accumulate(least, axis=0))


def _spread(counts: list[Floats], budget: int) -> Floats:
    """Least sum of one row per worker, by streams spent: [budget + 1, prices]; [1, prices] where no budget is set."""
    if all(len(count) == 1 for count in counts):
        return np.asarray(sum((count[0] for count in counts), start=np.zeros(1)))[None]
    width = counts[0].shape[1]
    reach = np.zeros((budget + 1, width))
    for count in counts:
        grown = np.full_like(reach, np.inf)
        for spent in range(min(len(count), budget + 1)):
            grown[spent:] = np.minimum(grown[spent:], reach[: budget + 1 - spent] + count[spent])
        reach = grown
    return reach
