"""What a simulation came to: throughput, latencies, power. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eclip.simulate.player import Played


@dataclass(frozen=True, slots=True)
class WorkerOutcome:
    """One worker, while all were active."""

    requests: int
    """That ended while all were active."""
    requests_per_second: float
    mean_micros: float
    """Of a request, from its arrival to its end. In a closed loop it arrives when the one before ends."""
    p50_micros: float
    p95_micros: float
    p99_micros: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole mix."""

    workers: tuple[WorkerOutcome, ...]
    micros: float
    """Length of the time looked at."""
    watts: float
    """Mean draw, idle power included."""
    busy_cus: float
    """Mean."""
    events: int
    """Starts and finishes played."""
    sets: int
    """Different sets of kernels that ran together."""

    @property
    def requests_per_second(self) -> float:
        """Over all workers."""
        return sum(worker.requests_per_second for worker in self.workers)

    @property
    def requests_per_joule(self) -> float:
        """Requests per second and watt, idle power included."""
        return self.requests_per_second / self.watts


def outcome(played: Played) -> Outcome:
    """Statistics of what was played."""
    micros = played.end - played.begin
    pairs = zip(played.arrivals, played.ends, strict=True)
    return Outcome(
        workers=tuple(_worker(arrivals, ends, played.begin) for arrivals, ends in pairs),
        micros=micros,
        watts=played.microjoules / micros,
        busy_cus=played.busy_cu_micros / micros,
        events=played.events,
        sets=played.sets,
    )


def _worker(arrivals: Sequence[float], ends: Sequence[float], begin: float) -> WorkerOutcome:
    """From its last end up to `begin` to its last one: whole requests, however few."""
    first = bisect_right(ends, begin)
    latencies = np.subtract(ends[first:], arrivals[first:])
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    return WorkerOutcome(
        requests=len(latencies),
        requests_per_second=len(latencies) / (ends[-1] - ends[first - 1]) * 1e6,
        mean_micros=float(latencies.mean()),
        p50_micros=p50,
        p95_micros=p95,
        p99_micros=p99,
    )
