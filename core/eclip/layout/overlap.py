"""Nested sets of atoms for several workers: least shared CUs over all pairs of streams, then the smallest largest pair.

The least sum is a matter of balance, for each class of atoms alone. Since streams are nested, the largest pair is
always one of two workers' largest streams (their tops), so the second criterion looks at tops only; it may permute
levels wherever the squares of totals stay. Each criterion is met first by local search, then, unless a bound proves
that nothing is better, by an exact search.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, inf

from eclip.layout import bounds, exchange
from eclip.layout.columns import AtomClass, Levels, largest_pair
from eclip.layout.search import Search


@dataclass(frozen=True, slots=True)
class Overlap:
    """Levels placed on the atoms of every class."""

    rows: tuple[Levels, ...]
    """Per class, per worker: the level of each atom."""
    shared: int
    """CUs shared, summed over all pairs (a stream of one worker, a stream of another), two fixed ones aside."""
    largest_pair: int
    """CUs shared by the pair that shares most, two fixed ones aside."""
    proven: bool
    """False if a node limit ended the search: another placement may be better."""


def least_overlap(classes: Sequence[AtomClass], node_limit: int) -> Overlap:
    """The best placement by both criteria. Deterministic."""
    small = _shrunk(classes)
    if small is not None:
        # Columns in equal numbers of copies: what is best for one copy, repeated, is a placement for all; if it meets
        # the bounds of the whole, nothing is better.
        copies, one = small
        found = least_overlap(one, node_limit)
        rows = tuple(_copied(levels, copies) for levels in found.rows)
        pair = largest_pair(classes, rows)
        if copies * found.shared == shared_bound(classes) and pair == bounds.least_pair(classes):
            return Overlap(rows, copies * found.shared, pair, proven=True)
    balanced = [_balance(group, node_limit) for group in classes]
    rows, apart = _spread(classes, tuple(rows for rows, _ in balanced), node_limit)
    shared = sum(group.shared(group.squares(levels)) for group, levels in zip(classes, rows, strict=True))
    return Overlap(rows, shared, largest_pair(classes, rows), apart and all(proven for _, proven in balanced))


def shared_bound(classes: Sequence[AtomClass]) -> int:
    """No placement shares less."""
    return sum(group.shared(bounds.least_squares(group)) for group in classes)


def _shrunk(classes: Sequence[AtomClass]) -> tuple[int, list[AtomClass]] | None:
    """The same problem with every column once for `copies` of it, if all numbers of columns have a common divisor."""
    alike = (Counter(some) for group in classes for some in (group.kinds, *group.levels))
    copies = gcd(*(count for counts in alike for count in counts.values()))
    if copies == 1:
        return None
    return copies, [
        AtomClass(group.weight, group.kinds[::copies], tuple(row[::copies] for row in group.levels))
        for group in classes
    ]


def _copied(levels: Levels, copies: int) -> Levels:
    """Every column as often as there are copies; columns of one kind stay neighbours."""
    return tuple(tuple(level for level in row for _ in range(copies)) for row in levels)


def _balance(group: AtomClass, node_limit: int) -> tuple[Levels, bool]:
    """Rows of the least sum of squared totals; and whether it is proven that none is smaller."""
    bound = bounds.least_squares(group)
    rows = exchange.even_out(group, exchange.rearranged(group), bound)
    search = Search([group], node_limit)
    while (squares := group.squares(rows)) > bound:
        found = search.below([squares - 1])
        if found is None:
            return rows, not search.exhausted
        rows = found[0]
    return rows, True


def _spread(
    classes: Sequence[AtomClass], start: tuple[Levels, ...], node_limit: int
) -> tuple[tuple[Levels, ...], bool]:
    """Lowers the largest pair while the squares of every class stay; and whether it is proven that none is smaller."""
    bound = bounds.least_pair(classes)
    if largest_pair(classes, start) <= bound:
        return start, True
    squares = [group.squares(rows) for group, rows in zip(classes, start, strict=True)]
    rows = exchange.part_tops(classes, start, bound)
    search, tops = Search(classes, node_limit), Search([_flat(group) for group in classes], node_limit)
    while (pair := largest_pair(classes, rows)) > bound:
        if tops.below([inf] * len(classes), pair) is None and not tops.exhausted:
            return rows, True  # no such tops exist, whatever streams are inside them
        found = search.below(squares, pair)
        if found is None:
            return rows, not search.exhausted
        rows = found
    return rows, True


def _flat(group: AtomClass) -> AtomClass:
    """The tops alone."""
    return AtomClass(group.weight, group.kinds, tuple(tuple(min(level, 1) for level in row) for row in group.levels))
