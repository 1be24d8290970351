"""Which workers of a GPU are busy, over all its slots. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eclip.slot import activity
from eclip.slot.activity import Activity

UNKNOWN_MICROS = 1e6
"""Of a request nobody has measured or predicted: then the longest silence that is usual makes a worker idle."""

LONGEST_UNMARKED_MICROS = 0.6e6
"""What makes a worker idle after the longest silence that is usual."""

Worker = tuple[str, int]
"""Allocation, and place of the model in its table."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One model of one slot at a look."""

    worker: Worker
    bit: int
    launches: int
    request_micros: float | None
    """Wall time of a request, measured or predicted."""


def request_micros(measured: float | None, marked: bool, predicted: float | None) -> float | None:
    """Wall time of a request, as well as it is known. Times of a program that does not mark its requests go from one
    start to the next, pauses included: beyond the longest silence that is usual they say nothing of its requests."""
    if measured is None or marked:
        return measured or predicted
    return min(measured, max(predicted or 0.0, LONGEST_UNMARKED_MICROS))


def observed(seen: Mapping[Worker, Activity], pulses: Iterable[Pulse], now: float) -> dict[Worker, Activity]:
    """All workers after another look, at `now` in seconds."""
    return {
        pulse.worker: activity.observe(
            seen.get(pulse.worker, Activity()),
            pulse.launches,
            now,
            activity.idle_after(pulse.request_micros or UNKNOWN_MICROS, 1.0),
        )
        for pulse in pulses
    }


def active_set(seen: Mapping[Worker, Activity], pulses: Iterable[Pulse]) -> int:
    """The bits for the control pages of one GPU's slots."""
    by_bit: dict[int, Activity] = {}
    for pulse in pulses:
        state = seen[pulse.worker]
        if pulse.bit not in by_bit or state.busy:
            by_bit[pulse.bit] = state
    every = [by_bit.get(bit, Activity()) for bit in range(max(by_bit, default=-1) + 1)]
    return activity.active_set(every)
