"""Rates over the last seconds, and the course of a whole run, from totals noted now and then. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from eclip.host.readings import Totals

WINDOW_S = 5.0
MOST_POINTS = 3600
"""Kept of a run's course; a longer run keeps every second point."""


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
    """Totals by worker over time."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, Mapping[str, Totals]]] = deque()
        self._course: list[tuple[float, Mapping[str, Totals]]] = []

    def note(self, now: float, totals: Mapping[str, Totals]) -> None:
        """Another look."""
        self._recent.append((now, totals))
        while len(self._recent) > 2 and now - self._recent[1][0] >= WINDOW_S:
            self._recent.popleft()
        self._course.append((now, totals))
        if len(self._course) > MOST_POINTS:
            del self._course[1::2]

    def rates(self, worker: str) -> Rates:
        """As of the last look; zero before the second one."""
        if len(self._recent) < 2:
            return Rates(0.0, 0.0, None, 0.0, 0)
        (began, first), (now, last) = self._recent[0], self._recent[-1]
        done = last.get(worker, Totals()).minus(first.get(worker, Totals()))
        seconds = max(now - began, 1e-9)
        return Rates(
            requests=done.requests / seconds,
            launches=done.launches / seconds,
            p95_micros=done.request_micros.quantile(0.95),
            hops=done.hops / done.requests if done.requests else 0.0,
            mismatches=done.mismatches,
        )

    def course(self, worker: str) -> list[tuple[float, float]]:
        """Requests per second between two looks, over seconds since the first one."""
        if not self._course:
            return []
        start = self._course[0][0]
        pairs = zip(self._course, self._course[1:], strict=False)
        return [
            (now - start, (last.get(worker, Totals()).requests - first.get(worker, Totals()).requests) / (now - before))
            for (before, first), (now, last) in pairs
            if now > before
        ]
