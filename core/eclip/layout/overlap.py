"""Nested sets of atoms for several workers: least shared CUs over all pairs of streams, then the smallest largest pair.

Atoms of one weight form a class. Within a class the least sum is a matter of balance (`balance`), for each class alone.
Since streams are nested, the largest pair is always one of two workers' largest streams (their tops), so the second
criterion looks at tops only; it may permute levels wherever column sums stay the same multiset.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import gcd

from eclip.layout import balance, exchange, tops
from eclip.layout.exchange import Levels
from eclip.layout.tops import AtomClass

__all__ = ["AtomClass", "Overlap", "largest_pair", "least_overlap", "shared_bound", "shared_of"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Levels placed on the atoms of every class."""

    rows: tuple[Levels, ...]
    """Per class, per worker: the level of each atom."""
    shared: int
    """CUs shared, summed over all pairs (a stream of one worker, a stream of another)."""
    largest_pair: int
    """CUs shared by the pair that shares most."""
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
        rows = tuple(tuple(row * copies for row in levels) for levels in found.rows)
        if copies * found.shared == shared_bound(classes) and largest_pair(classes, rows) == tops.pair_bound(classes):
            return Overlap(rows, copies * found.shared, largest_pair(classes, rows), proven=True)
    balanced = [balance.balance(group.levels, node_limit) for group in classes]
    squares = [result.squares for result in balanced]
    start = tuple(result.rows for result in balanced)
    exact = all(result.proven for result in balanced)
    rows, spread_proven = _spread_tops(classes, start, squares, node_limit)
    return Overlap(rows, shared_of(classes, squares), largest_pair(classes, rows), exact and spread_proven)


def _shrunk(classes: Sequence[AtomClass]) -> tuple[int, list[AtomClass]] | None:
    """The same problem with every column once for `copies` of it, if all numbers of columns have a common divisor."""
    copies = gcd(*(count for group in classes for row in group.levels for count in Counter(row).values()))
    if copies == 1:
        return None
    return copies, [AtomClass(group.weight, tuple(row[::copies] for row in group.levels)) for group in classes]


def shared_of(classes: Sequence[AtomClass], squares: Sequence[int]) -> int:
    """Shared CUs over all pairs of streams, from the squared column sums of every class."""
    own = (sum(level * level for row in group.levels for level in row) for group in classes)
    return sum(group.weight * (total - mine) // 2 for group, total, mine in zip(classes, squares, own, strict=True))


def shared_bound(classes: Sequence[AtomClass]) -> int:
    """No placement shares less."""
    return shared_of(classes, [balance.lower_bound(group.levels) for group in classes])


def largest_pair(classes: Sequence[AtomClass], rows: Sequence[Levels]) -> int:
    """CUs shared by the two workers' largest streams that share most; 0 for one worker."""
    held = [[sum(1 << column for column, level in enumerate(row) if level) for row in levels] for levels in rows]
    return max(
        (
            sum(group.weight * (top[a] & top[b]).bit_count() for group, top in zip(classes, held, strict=True))
            for a, b in combinations(range(len(held[0])), 2)
        ),
        default=0,
    )


def _spread_tops(
    classes: Sequence[AtomClass], start: tuple[Levels, ...], squares: Sequence[int], node_limit: int
) -> tuple[tuple[Levels, ...], bool]:
    """Lowers the largest pair while the squares of every class stay; and whether the result is proven the best."""
    bound = tops.pair_bound(classes)
    if largest_pair(classes, start) == bound:
        return start, True
    weighed = [(group.weight, levels) for group, levels in zip(classes, start, strict=True)]
    rows = exchange.part_tops(weighed, bound)
    reached = largest_pair(classes, rows)
    search = tops.TopSearch(classes, squares, node_limit)
    while reached > bound and tops.family_exists(classes, reached, node_limit) is not False:
        found = search.below(reached)
        if found is None:
            return rows, not search.exhausted
        rows, reached = found, largest_pair(classes, found)
    return rows, True
