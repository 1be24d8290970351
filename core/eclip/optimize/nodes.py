"""Parts of the space of combinations: an interval of the sum of shares, and one of each worker's own share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Node:
    """Combinations whose sum of shares lies in [low, high], and each worker's share in its range."""

    low: float
    high: float
    ranges: tuple[Range, ...]
    lower_bound: float = 0.0
    """Of the objective; infinite if the node holds no combination."""
    price: float = 0.0
    """On a share, that gave the bound."""

    def halves(self, at: float, worker: int | None = None) -> list["Node"]:
        """The node below and above a sum of shares, or a share of one worker."""
        if worker is None:
            return [replace(self, high=at), replace(self, low=at)]
        low, high = self.ranges[worker]
        return [self._with(worker, (low, at)), self._with(worker, (at, high))]

    def tightened(self, equals: Sequence[int]) -> "Node":
        """Without what cannot be: the sum limits the ranges, the ranges limit the sum.

        `equals` names for each worker the first that is equal to it: their shares may be taken to ascend.
        """
        ranges = list(self.ranges)
        for worker, first in enumerate(equals):
            for other in range(first, worker):
                if equals[other] == first:
                    ranges[worker] = (max(ranges[worker][0], ranges[other][0]), ranges[worker][1])
                    ranges[other] = (ranges[other][0], min(ranges[other][1], ranges[worker][1]))
        low, high = (sum(span[end] for span in ranges) for end in (0, 1))
        ranges = [
            (max(least, self.low - (high - most)), min(most, self.high - (low - least))) for least, most in ranges
        ]
        return replace(self, low=max(self.low, low), high=min(self.high, high), ranges=tuple(ranges))

    def _with(self, worker: int, span: Range) -> "Node":
        return replace(self, ranges=(*self.ranges[:worker], span, *self.ranges[worker + 1 :]))
