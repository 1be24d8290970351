"""What a chip's meters show, and what to say about its memory. Pure."""

from dataclasses import dataclass
from typing import Protocol

FULL = 0.95
CLEAR = 0.90


@dataclass(frozen=True, slots=True)
class Reading:
    """Totals of a chip since some beginning. None: this chip cannot tell."""

    micros: float
    """GPU time."""
    joules: float | None
    """Idle power included."""
    busy_cu_micros: float | None
    """CUs that ran something, times how long."""
    vram_used_bytes: int | None
    """Now, by all programs."""

    def minus(self, earlier: "Reading") -> "Reading":
        """What came on top; memory as of now."""
        return Reading(
            self.micros - earlier.micros,
            _difference(self.joules, earlier.joules),
            _difference(self.busy_cu_micros, earlier.busy_cu_micros),
            self.vram_used_bytes,
        )


class Meter(Protocol):
    """Whatever can tell a chip's energy and use."""

    def reading(self) -> Reading:
        """As of now."""


def _difference(later: float | None, earlier: float | None) -> float | None:
    return None if later is None or earlier is None else later - earlier


class MemoryWatch:
    """Says once that a GPU's memory is nearly full, and again only after it was not. Nobody divides it: a program that
    asks for more than is left fails, and no profile tells how much it will ask for."""

    def __init__(self, total_bytes: int) -> None:
        self._total = total_bytes
        self._warned = False

    def note(self, used_bytes: int | None) -> str | None:
        """What to say about this use, if anything."""
        if used_bytes is None or not self._total:
            return None
        share = used_bytes / self._total
        if share < CLEAR:
            self._warned = False
        if share < FULL or self._warned:
            return None
        self._warned = True
        return (
            f"{used_bytes / 2**30:.1f} of {self._total / 2**30:.1f} GiB of its memory are in use: "
            "a program that asks for more fails; run fewer programs, or smaller batches"
        )
