"""When the status may be written: a bucket of tokens for changes, a slow beat for figures. Pure.

Changes of states, occupants and generations are written at once while there are tokens, else merged until there is one.
Figures ride along; alone they are written every 30 s, if one has moved by more than a tenth.
"""

from collections.abc import Mapping

from eclip.bucket import Bucket

BURST = 5
REFILL_S = 2.0
"""Seconds for one token."""
FIGURES_S = 30.0
MOVED = 0.1


def bucket() -> Bucket:
    """As it is before the first write."""
    return Bucket.full(BURST, 1.0 / REFILL_S)


def due(bucket: Bucket, *, changed: bool, moved: bool, since_write: float) -> bool:
    """Whether to write now. `bucket` as refilled until now; `since_write`: seconds since the last write."""
    return bucket.tokens >= 1 and (changed or (moved and since_write >= FIGURES_S))


def moved(before: Mapping[str, float], now: Mapping[str, float]) -> bool:
    """Whether a figure came, went, or changed by more than a tenth of what it was."""
    if before.keys() != now.keys():
        return True
    return any(abs(value - before[name]) > MOVED * abs(before[name]) for name, value in now.items())
