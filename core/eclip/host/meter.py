"""What a chip's meter shows. Pure."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """What a chip's meter shows, since the chip was made."""

    micros: float
    """GPU time."""
    joules: float
    """Idle power included."""
    busy_cu_micros: float
    """CUs that ran something, times how long."""
    vram_used_bytes: int
    """Now."""

    def minus(self, earlier: "Reading") -> "Reading":
        """What came on top; memory as of now."""
        return Reading(
            self.micros - earlier.micros,
            self.joules - earlier.joules,
            self.busy_cu_micros - earlier.busy_cu_micros,
            self.vram_used_bytes,
        )


class Meter(Protocol):
    """Whatever can tell a chip's energy and use."""

    def reading(self) -> Reading:
        """As of now."""
