"""Rates over the last seconds, the course of a whole run, and its steady part, from looks taken now and then. Pure."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eclip.host.meter import Reading
from eclip.host.readings import Totals

WINDOW_S = 5.0
MOST_LOOKS = 3600
"""Kept of a run's course; a longer run keeps every second one."""
WARM_REQUESTS = 2
"""Of every worker, before a run counts as steady."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that was read at one time."""

    at: float
    """Wall time in seconds."""
    totals: Mapping[str, Totals]
    """By worker."""
    meters: Mapping[int | str, Reading] = field(default_factory=dict)
    """By GPU; those without a meter are left out."""

    def done_since(self, earlier: "Look", worker: str) -> Totals:
        """What a worker did between two looks."""
        return self.totals.get(worker, Totals()).minus(earlier.totals.get(worker, Totals()))


@dataclass(frozen=True, slots=True)
class Rates:
    """One worker over the last seconds, in wall time."""

    requests: float
    """Per second."""
    launches: float
    """Per second."""
    p95_micros: float | None
    hops: float
    """Per request."""
    mismatches: int


class History:
    """Looks over time."""

    def __init__(self) -> None:
        self._recent: deque[Look] = deque()
        self._course: list[Look] = []

    def note(self, look: Look) -> None:
        """Another look."""
        self._recent.append(look)
        while len(self._recent) > 2 and look.at - self._recent[1].at >= WINDOW_S:
            self._recent.popleft()
        self._course.append(look)
        if len(self._course) > MOST_LOOKS:
            del self._course[1:-1:2]

    def rates(self, worker: str) -> Rates:
        """As of the last look; zero before the second one."""
        if len(self._recent) < 2:
            return Rates(0.0, 0.0, None, 0.0, 0)
        first, last = self._recent[0], self._recent[-1]
        done = last.done_since(first, worker)
        seconds = max(last.at - first.at, 1e-9)
        return Rates(
            requests=done.requests / seconds,
            launches=done.launches / seconds,
            p95_micros=done.request_micros.quantile(0.95),
            hops=done.hops / done.requests if done.requests else 0.0,
            mismatches=done.mismatches,
        )

    def course(self, worker: str) -> list[tuple[float, float]]:
        """Requests per second between two looks, over seconds since the first one."""
        pairs = zip(self._course, self._course[1:], strict=False)
        return [
            (last.at - self._course[0].at, last.done_since(first, worker).requests / (last.at - first.at))
            for first, last in pairs
            if last.at > first.at
        ]

    def steady(self, workers: Iterable[str], until: float) -> tuple[Look, Look] | None:
        """The first look at which all these workers were warm, and the last one before `until`; None if there is no
        time between them."""
        needed = tuple(workers)
        if not needed:
            return None
        warm = [look for look in self._course if look.at <= until and _warm(look, needed)]
        return (warm[0], warm[-1]) if len(warm) > 1 else None


def _warm(look: Look, workers: tuple[str, ...]) -> bool:
    return all(look.totals.get(worker, Totals()).requests >= WARM_REQUESTS for worker in workers)
