"""When a LookupTable that nobody names any more is deleted. Pure."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

KEPT_S = 600.0
"""After nobody names it. A restart of the operator counts from anew: rather late than too early."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Since when (seconds of any clock) each table that nobody names has been seen so."""

    since: Mapping[str, float]

    def look(self, present: Iterable[str], named: Set[str], now: float) -> "Retention":
        """With what is there, and what is named, now."""
        return Retention({table: self.since.get(table, now) for table in present if table not in named})

    def due(self, now: float, kept_s: float = KEPT_S) -> tuple[str, ...]:
        """Tables to delete."""
        return tuple(sorted(table for table, since in self.since.items() if now - since >= kept_s))
