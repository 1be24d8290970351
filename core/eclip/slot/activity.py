"""Which workers are busy, told from their launch counters alone. Pure.

A worker that has launched nothing for `idle_after` leaves the active set, and comes back with its next launch: late to
leave, at once to return. So a worker between two requests is not taken for idle as long as `idle_after` is longer
than one request (a program that waits for its result launches nothing meanwhile), and an idle neighbour costs its
mates at most that long.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

SHORTEST_IDLE_S = 0.25
LONGEST_IDLE_S = 0.75
REQUESTS_OF_SILENCE = 2.0


@dataclass(frozen=True, slots=True)
class Activity:
    """One worker as it was last seen. A worker that never launched anything is idle."""

    launches: int = 0
    changed: float = float("-inf")
    """When the counter was last seen to have moved, in seconds."""
    busy: bool = False


def idle_after(request_micros: float, time_scale: float) -> float:
    """Seconds without a launch that make a worker idle: two of its requests, within a quarter and three quarters of a
    second, unless one request alone takes longer than that."""
    request_s = request_micros * time_scale / 1e6
    return max(request_s * 1.25, min(LONGEST_IDLE_S, max(SHORTEST_IDLE_S, REQUESTS_OF_SILENCE * request_s)))


def observe(seen: Activity, launches: int, now: float, silence_s: float) -> Activity:
    """The worker after another look at its counter (which falls when a program is restarted: that is a change too)."""
    if launches != seen.launches:
        return Activity(launches, now, busy=launches > 0)
    return replace(seen, busy=seen.busy and now - seen.changed < silence_s)


def active_set(workers: Iterable[Activity]) -> int:
    """Bit i is set if worker i is busy. With nobody busy, everybody counts as busy: the plan for the full mix waits."""
    busy = [activity.busy for activity in workers]
    if not any(busy):
        return (1 << len(busy)) - 1
    return sum(1 << index for index, is_busy in enumerate(busy) if is_busy)
