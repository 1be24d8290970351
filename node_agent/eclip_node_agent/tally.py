"""What the programs of one allocation did, added up from counters that they write themselves. Pure.

Kept small whatever a program writes: only the records that are there now are remembered, and what came on top of them
since the last look goes into the sums.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eclip.slot import records
from eclip.slot.clients import ClientRecord, Counters, Histogram

NO_REQUESTS = Histogram((0,) * records.BUCKETS, 0)
_LARGEST = (1 << 53) - 1
"""What a double carries."""

Source = tuple[int, int, int]
"""Place of the record, start of the process, generation: counters of one source only ever grow."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Totals, or what came between two of them."""

    launches: int = 0
    redirected: int = 0
    requests: int = 0
    hops: int = 0
    mismatches: int = 0
    request_micros: Histogram = NO_REQUESTS

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums(
            _capped(self.launches + other.launches),
            _capped(self.redirected + other.redirected),
            _capped(self.requests + other.requests),
            _capped(self.hops + other.hops),
            _capped(self.mismatches + other.mismatches),
            _added(self.request_micros, other.request_micros),
        )

    def minus(self, earlier: "Sums") -> "Sums":
        """What came on top of an earlier reading; nothing is ever negative."""
        return Sums(
            max(0, self.launches - earlier.launches),
            max(0, self.redirected - earlier.redirected),
            max(0, self.requests - earlier.requests),
            max(0, self.hops - earlier.hops),
            max(0, self.mismatches - earlier.mismatches),
            self.request_micros.minus(earlier.request_micros),
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums of one allocation, and where its records stood at the last look."""

    total: Sums = Sums()
    of_generation: Sums = Sums()
    """Under the newest table alone."""
    generation: int = 0
    seen: Mapping[Source, Sums] = field(default_factory=dict)

    def noted(self, clients: Iterable[ClientRecord], generation: int) -> "Tally":
        """After another look, while the table of this generation is the newest."""
        now: dict[Source, Sums] = {}
        total = self.total
        of_generation = self.of_generation if generation == self.generation else Sums()
        for client in clients:
            for counters in filter(None, (client.previous, client.current)):
                source = (client.index, client.started_ns, counters.generation)
                now[source] = sums(counters)
                fresh = now[source].minus(self.seen.get(source, Sums()))
                total = total.plus(fresh)
                if counters.generation == generation:
                    of_generation = of_generation.plus(fresh)
        return Tally(total, of_generation, generation, now)


def sums(counters: Counters) -> Sums:
    """All that one process did under one table."""
    request_micros = NO_REQUESTS
    for model in counters.models:
        request_micros = _added(request_micros, model.request_micros)
    return Sums(
        counters.launches,
        counters.redirected,
        sum(model.requests for model in counters.models),
        sum(model.hops for model in counters.models),
        sum(model.mismatches for model in counters.models),
        request_micros,
    )


def _added(one: Histogram, other: Histogram) -> Histogram:
    if not other.micros_sum and not any(other.counts):
        return one
    pairs = zip(one.counts, other.counts, strict=True)
    return Histogram(tuple(_capped(mine + more) for mine, more in pairs), _capped(one.micros_sum + other.micros_sum))


def _capped(count: int) -> int:
    return min(count, _LARGEST)
