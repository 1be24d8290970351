"""The problem of a layout as numbers: atoms are columns, workers are rows.

Atoms of one weight form a class. A worker's row in a class has given values (how many of its nested streams hold an
atom: its level) in an order that is to be found. Two workers share the sum of weight * a * b over the columns, so the
least sum over all pairs of workers is the least sum of squared column totals: squares of the rows themselves do not
depend on the order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

Row = tuple[int, ...]
Levels = tuple[Row, ...]
"""One row per worker, one level per column."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells atoms of one weight apart: who may have them, and which streams are there whatever the layout does."""

    barred: int
    """Bit set of the workers that may not have the atom: it is not whole within their ceiling."""
    fixed: tuple[int | None, ...]
    """By worker, the CUs of the atom in its fixed stream. None: it has no such stream."""

    @property
    def base(self) -> int:
        """CUs of all fixed streams."""
        return sum(cus or 0 for cus in self.fixed)


@dataclass(frozen=True)
class AtomClass:
    """Atoms of one weight, and how many of each worker's streams hold how many of them."""

    weight: int
    """CUs of one atom."""
    kinds: tuple[Kind, ...]
    """Of every column; equal ones are neighbours."""
    levels: Levels
    """Per worker one level per column, descending: their order is free."""

    @property
    def columns(self) -> int:
        """Atoms of the class."""
        return len(self.kinds)

    @cached_property
    def base(self) -> Row:
        """CUs of fixed streams, by column."""
        return tuple(kind.base for kind in self.kinds)

    def bars(self, worker: int) -> list[bool]:
        """By column, whether the worker may not have it."""
        return [bool(kind.barred >> worker & 1) for kind in self.kinds]

    def totals(self, rows: Levels) -> list[int]:
        """CUs of all streams, by column."""
        sums = map(sum, zip(*rows, strict=True))
        return [base + self.weight * total for base, total in zip(self.base, sums, strict=True)]

    def squares(self, rows: Levels) -> int:
        """Sum of the squared totals: what a layout makes least."""
        return sum(total * total for total in self.totals(rows))

    def shared(self, squares: int) -> int:
        """CUs shared over all pairs of streams, two fixed ones aside, from the sum of squared totals."""
        own = self.weight * sum(level * level for row in self.levels for level in row)
        both = (squares - sum(base * base for base in self.base)) // self.weight
        return (both - own) // 2 - sum(self._within_own(worker) for worker in range(len(self.levels)))

    def _within_own(self, worker: int) -> int:
        """A worker's streams lie within its own fixed one; they are nobody's overlap."""
        fixed = any(kind.fixed[worker] for kind in self.kinds)
        return self.weight * sum(self.levels[worker]) if fixed else 0


class Tops:
    """The largest stream of every worker, in one class. Since streams are nested, the largest pair is one of these."""

    def __init__(self, group: AtomClass, rows: Levels) -> None:
        self._weight = group.weight
        self.held = [top_of(row) for row in rows]
        """By worker, as bits."""
        self._fixed = [_parts(group, worker) for worker in range(len(rows))]
        self._any_fixed = any(parts is not None for parts in self._fixed)

    def shared(self, one: int, other: int) -> int:
        """CUs that two workers' largest streams share; none for two fixed ones, which no layout changes."""
        if not self._any_fixed:
            return self._weight * (self.held[one] & self.held[other]).bit_count()
        parts, other_parts = self._fixed[one], self._fixed[other]
        if parts is None and other_parts is None:
            return self._weight * (self.held[one] & self.held[other]).bit_count()
        if parts is not None and other_parts is not None:
            return 0
        held = self.held[one if parts is None else other]
        return sum(cus * (columns & held).bit_count() for cus, columns in (parts or other_parts or ()))


def _parts(group: AtomClass, worker: int) -> list[tuple[int, int]] | None:
    """A fixed stream as (CUs of a column, bit set of the columns with so many)."""
    cus = [kind.fixed[worker] for kind in group.kinds]
    if None in cus:
        return None
    return [(value, sum(1 << column for column, c in enumerate(cus) if c == value)) for value in {*cus} if value]


def top_of(row: Sequence[int]) -> int:
    """The columns that a worker's largest stream holds, as bits."""
    return sum(1 << column for column, level in enumerate(row) if level)


def largest_pair(classes: Sequence[AtomClass], rows: Sequence[Levels]) -> int:
    """CUs shared by the two workers' largest streams that share most; 0 for one worker."""
    tops = [Tops(group, levels) for group, levels in zip(classes, rows, strict=True)]
    pairs = combinations(range(len(rows[0])), 2)
    return max((sum(top.shared(a, b) for top in tops) for a, b in pairs), default=0)
