"""When requests come: in a closed loop, at a fixed rate, at random, in bursts, or as recorded. Pure.

Times are GPU microseconds from the start. Random arrivals depend on nothing but the generator that the caller seeds.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from eclip.errors import InputError


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How the requests of one worker arrive."""

    kind: str = "closed"
    """``closed``: the next request is sent when the last one is done. Else ``fixed``, ``poisson``, ``bursty`` or
    ``recorded``."""
    per_second: float = 0.0
    """Mean rate, of the open kinds but ``recorded``."""
    burst: int = 8
    """Requests that come together, of ``bursty``; the bursts come at random."""
    micros: tuple[float, ...] = ()
    """Times of ``recorded``, ascending. They are repeated, a mean interval behind the last, as long as anybody asks."""

    @property
    def closed(self) -> bool:
        """Whether requests wait for each other."""
        return self.kind == "closed"

    def times(self, random: Random) -> Iterator[float]:
        """Endless arrivals, ascending. Not for ``closed``."""
        if self.kind == "recorded":
            return _recorded(self.micros)
        mean = 1e6 / self.per_second
        if self.kind == "fixed":
            first = random.uniform(0, mean)
            return (first + number * mean for number in count())
        return _bursts(random, mean * self.burst, self.burst) if self.kind == "bursty" else _bursts(random, mean, 1)


def parse(text: str) -> Arrivals:
    """Arrivals as flags name them, ``recorded`` left out. InputError says what would be right."""
    kind, *numbers = text.split(":")
    try:
        if kind == "closed" and not numbers:
            return Arrivals()
        if kind in ("fixed", "poisson") and len(numbers) == 1:
            return Arrivals(kind, _rate(numbers[0]))
        if kind == "bursty" and len(numbers) in (1, 2):
            return Arrivals(kind, _rate(numbers[0]), _size(numbers[1]) if numbers[1:] else Arrivals().burst)
    except ValueError:
        pass
    raise InputError(
        f"arrivals {text!r}: give closed, fixed:RATE, poisson:RATE or bursty:RATE[:SIZE], RATE in requests/s"
    )


def recorded(micros: Sequence[float], where: str) -> Arrivals:
    """Arrivals at these times. InputError names `where` they come from."""
    if len(micros) < 2 or any(not math.isfinite(time) or time < 0 for time in micros):
        raise InputError(f"{where}: recorded arrivals are two times or more, in microseconds from 0")
    if list(micros) != sorted(micros) or micros[0] == micros[-1]:
        raise InputError(f"{where}: recorded arrivals should ascend")
    return Arrivals("recorded", micros=tuple(micros))


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate < math.inf:
        raise ValueError(text)
    return rate


def _size(text: str) -> int:
    size = int(text)
    if size < 1:
        raise ValueError(text)
    return size


def _bursts(random: Random, mean_micros: float, size: int) -> Iterator[float]:
    at = 0.0
    while True:
        at += random.expovariate(1 / mean_micros)
        yield from (at for _ in range(size))


def _recorded(micros: Sequence[float]) -> Iterator[float]:
    interval = (micros[-1] - micros[0]) / (len(micros) - 1)
    period = micros[-1] - micros[0] + interval
    for turn in count():
        yield from (turn * period + time for time in micros)
