"""How often something may be done: a bucket of tokens that fills up with time. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens that there are at one time; each use takes some."""

    burst: float
    """The most tokens that it holds."""
    per_second: float
    """Tokens that it gains."""
    tokens: float
    at: float = 0.0
    """Seconds of any clock."""

    @classmethod
    def full(cls, burst: float, per_second: float) -> "Bucket":
        """One that nobody has taken from."""
        return cls(burst, per_second, burst)

    def refilled(self, now: float) -> "Bucket":
        """The bucket at a later time."""
        gained = max(0.0, now - self.at) * self.per_second
        return replace(self, tokens=min(self.burst, self.tokens + gained), at=now)

    def taken(self, tokens: float = 1.0) -> "Bucket":
        """After a use of so many."""
        return replace(self, tokens=self.tokens - tokens)
