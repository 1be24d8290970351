"""Levels of several workers, placed over equal columns so that the sums of the columns are as even as can be.

A row belongs to a worker: one level per column (how many of the worker's nested streams hold that atom); its values are
given, their order is free. Two workers share sum(a * b) over the columns, so the least sum over all pairs of workers is
the least sum of squared column sums: squares of the rows themselves do not depend on the order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eclip.layout import exchange
from eclip.layout.exchange import Levels, Row

__all__ = ["Balanced", "Levels", "Row", "balance", "column_sums", "lower_bound", "placements", "poured"]


@dataclass(frozen=True, slots=True)
class Balanced:
    """Rows in an order of least (or, unproven, small) sum of squares."""

    rows: Levels
    squares: int
    proven: bool


def balance(levels: Levels, node_limit: int) -> Balanced:
    """Orders the rows so that the sum of squared column sums is least. Exact, if `node_limit` states are enough.

    Two rows are best in opposite order. More are rearranged, then evened out two columns at a time; where that does not
    reach the lower bound, small cases are searched through.
    """
    bound = lower_bound(levels)
    rows = exchange.even_out(_rearrange(levels), bound)
    squares = sum_of_squares(rows)
    start = Balanced(rows, squares, proven=len(levels) <= 2 or squares == bound)
    return start if start.proven else _search(levels, start, node_limit)


def column_sums(rows: Levels) -> list[int]:
    """Sum of every column."""
    return [sum(column) for column in zip(*rows, strict=True)]


def sum_of_squares(rows: Levels) -> int:
    """Sum of the squared column sums."""
    return sum(total * total for total in column_sums(rows))


def lower_bound(levels: Levels) -> int:
    """No order has a smaller sum of squares: pour all rows but one, as if they were water, onto that one."""
    return max(
        poured(row, sum(map(sum, levels)) - sum(row), sum(max(other) for other in levels) - max(row)) for row in levels
    )


def poured(base: Sequence[int], amount: int, cap: int) -> int:
    """Least sum of squares of `base` after `amount` units are added, at most `cap` to a column."""
    low, high = min(base), max(base) + cap
    while low < high:  # the highest level that the amount can lift every column to
        middle = (low + high + 1) // 2
        if sum(min(max(middle - value, 0), cap) for value in base) <= amount:
            low = middle
        else:
            high = middle - 1
    lifted = [value + min(max(low - value, 0), cap) for value in base]
    rest = amount - (sum(lifted) - sum(base))
    return sum(value * value for value in lifted) + rest * (2 * low + 1)


def _rearrange(levels: Levels) -> Levels:
    """Puts every row against the sum of the rows before it."""
    rows = [levels[0]]
    for row in levels[1:]:
        rows.append(_against(row, column_sums(tuple(rows))))
    return tuple(rows)


def _against(row: Row, sums: Sequence[int]) -> Row:
    """The row with its highest levels where `sums` is lowest; of equal sums the later column gets more."""
    placed = [0] * len(row)
    columns = sorted(range(len(row)), key=lambda column: (sums[column], -column))
    for column, level in zip(columns, sorted(row, reverse=True), strict=True):
        placed[column] = level
    return tuple(placed)


def _search(levels: Levels, start: Balanced, node_limit: int) -> Balanced:
    """All multisets of column sums, row by row; one that cannot beat the best known is dropped."""
    order = sorted(range(len(levels)), key=lambda index: (-sum(value * value for value in levels[index]), index))
    states: dict[Row, tuple[Row, ...]] = {(0,) * len(levels[0]): ()}
    nodes = 0
    for position, index in enumerate(order):
        after = [levels[later] for later in order[position + 1 :]]
        rest, cap = sum(map(sum, after)), sum(map(max, after))
        reached: dict[Row, tuple[Row, ...]] = {}
        for sums, rows in states.items():
            # The last row has one best order; before it every order counts that can still lead to less.
            for row in placements(sums, levels[index]) if after else [_against(levels[index], sums)]:
                nodes += 1
                if nodes > node_limit:
                    return start
                total = tuple(sorted(map(sum, zip(sums, row, strict=True))))
                if total not in reached and poured(total, rest, cap) < start.squares:
                    reached[total] = _append(sums, rows, row)
        states = reached
    if not states:
        return Balanced(start.rows, start.squares, proven=True)
    best = min(states, key=lambda sums: (sum(value * value for value in sums), sums))
    found = dict(zip(order, states[best], strict=True))
    rows = tuple(found[index] for index in range(len(levels)))
    return Balanced(rows, sum_of_squares(rows), proven=True)


def _append(sums: Row, rows: tuple[Row, ...], row: Row) -> tuple[Row, ...]:
    """Rows with one more, columns sorted by their new sums, as the state's key is."""
    order = sorted(range(len(sums)), key=lambda column: sums[column] + row[column])
    return tuple(tuple(old[column] for column in order) for old in (*rows, row))


def placements(groups: Sequence[object], row: Row) -> Iterator[Row]:
    """All orders of a row that differ, columns with equal entries of `groups` being interchangeable.

    Equal columns must be neighbours. Within them levels descend; the first placement puts high levels first.
    """
    counts = list(Counter(groups).values())
    yield from _fill(counts, 0, Counter(row), ())


def _fill(counts: Sequence[int], position: int, left: Counter[int], placed: Row) -> Iterator[Row]:
    if position == len(counts):
        yield placed
        return
    for chosen in _choose(sorted((level for level in left if left[level]), reverse=True), left, counts[position]):
        yield from _fill(counts, position + 1, left - Counter(chosen), placed + chosen)


def _choose(values: Sequence[int], left: Counter[int], count: int) -> Iterator[Row]:
    """Descending selections of `count` levels out of those left, the greatest first."""
    if not values:
        yield ()
        return
    others = sum(left[value] for value in values[1:])
    for taken in range(min(left[values[0]], count), max(0, count - others) - 1, -1):
        for rest in _choose(values[1:], left, count - taken):
            yield (values[0],) * taken + rest
