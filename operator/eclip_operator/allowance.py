"""How many Events may be written: a burst at once, then so many a second. Pure."""

from dataclasses import dataclass, field


@dataclass
class Allowance:
    """Fills up with time, up to `burst`; each use takes one."""

    per_second: float
    burst: float
    _left: float = field(init=False)
    _at: float | None = None

    def __post_init__(self) -> None:
        self._left = self.burst

    def take(self, now: float) -> bool:
        """Whether one may be had at this time (seconds of any clock); takes it."""
        self._left = min(self.burst, self._left + (now - (self._at if self._at is not None else now)) * self.per_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
