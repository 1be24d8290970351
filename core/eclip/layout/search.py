"""Exact search over placements, worker by worker; columns that are alike are not told apart."""

from collections import Counter
from collections.abc import Iterator, Sequence

from eclip.layout.bounds import poured
from eclip.layout.columns import AtomClass, Levels, Row
from eclip.layout.exchange import against

Column = tuple[int, int, int]
"""Number of its kind in the class, total, and the workers whose top holds it (bits; 0 while pairs do not matter)."""
Columns = tuple[tuple[Column, ...], ...]
"""Per class, sorted."""


class Search:
    """Placements below limits. What led nowhere stays known, so that from call to call limits may only fall."""

    def __init__(self, classes: Sequence[AtomClass], node_limit: int) -> None:
        self.exhausted = False
        """The node limit came before the answer."""
        self._classes = classes
        self._kinds = [tuple(dict.fromkeys(group.kinds)) for group in classes]
        self._squares: Sequence[float] = ()
        self._pair: int | None = None
        self._nodes_left = node_limit
        self._failed: set[tuple[int, Columns]] = set()
        workers = range(len(classes[0].levels))
        heights = [sum(level * level for group in classes for level in group.levels[worker]) for worker in workers]
        self._order = sorted(workers, key=lambda worker: (-heights[worker], worker))

    def below(self, squares: Sequence[float], pair: int | None = None) -> tuple[Levels, ...] | None:
        """Rows by class; None if there are none, or the search is exhausted.

        Args:
            squares: by class, the largest sum of squared totals that will do.
            pair: what the largest pair must be smaller than. None: pairs do not matter.
        """
        self._squares, self._pair = squares, pair
        start = tuple(
            tuple(sorted((kinds.index(kind), kind.base, 0) for kind in group.kinds))
            for group, kinds in zip(self._classes, self._kinds, strict=True)
        )
        found = self._extend(start, tuple(() for _ in start))
        if found is None:
            return None
        places = [self._order.index(worker) for worker in range(len(self._order))]
        return tuple(tuple(rows[place] for place in places) for rows in found)

    def _extend(self, columns: Columns, rows: tuple[Levels, ...]) -> tuple[Levels, ...] | None:
        """`rows` are of the first workers in order; their columns stand as `columns` do."""
        done = len(rows[0])
        if done == len(self._order):
            return rows
        key = (done, columns)
        if key in self._failed:
            return None
        for placed in self._placements(columns, done, 0):
            self._nodes_left -= 1
            if self._nodes_left < 0:
                self.exhausted = True
                return None
            step = self._step(columns, rows, placed)
            found = step and self._extend(*step)
            if found is not None or self.exhausted:
                return found
        self._failed.add(key)
        return None

    def _placements(self, columns: Columns, done: int, index: int) -> Iterator[tuple[Row, ...]]:
        """One placement of the next worker per class; lazily, since there may be far more than the node limit."""
        if index == len(columns):
            yield ()
            return
        group, worker, mine = self._classes[index], self._order[done], columns[index]
        barred = [bool(self._kinds[index][kind].barred >> worker & 1) for kind, _, _ in mine]
        if self._pair is None and done == len(self._order) - 1:
            # The last row has one best order; before it every order counts that can still lead to less.
            options = iter([against(group.levels[worker], [total for _, total, _ in mine], barred)])
        else:
            options = placements(mine, group.levels[worker], barred)
        for row in options:
            for rest in self._placements(columns, done, index + 1):
                yield (row, *rest)

    def _step(
        self, columns: Columns, rows: tuple[Levels, ...], placed: tuple[Row, ...]
    ) -> tuple[Columns, tuple[Levels, ...]] | None:
        """With one more worker; None if that cannot stay below the limits."""
        done = len(rows[0])
        if self._pair is not None and not self._apart(columns, placed, done):
            return None
        next_columns, next_rows = [], []
        for index, (mine, row) in enumerate(zip(columns, placed, strict=True)):
            weight, top = self._classes[index].weight, 0 if self._pair is None else 1 << self._order[done]
            grown = [
                (kind, total + weight * level, tops | top * bool(level))
                for (kind, total, tops), level in zip(mine, row, strict=True)
            ]
            if not self._balanced(index, grown, done + 1):
                return None
            order = sorted(range(len(grown)), key=grown.__getitem__)
            next_columns.append(tuple(grown[column] for column in order))
            next_rows.append(tuple(tuple(old[column] for column in order) for old in (*rows[index], row)))
        return tuple(next_columns), tuple(next_rows)

    def _balanced(self, index: int, columns: Sequence[Column], done: int) -> bool:
        group = self._classes[index]
        after = [group.levels[worker] for worker in self._order[done:]]
        totals = [total for _, total, _ in columns]
        return poured(totals, group.weight, sum(map(sum, after)), sum(map(max, after))) <= self._squares[index]

    def _apart(self, columns: Columns, placed: tuple[Row, ...], done: int) -> bool:
        worker, others = self._order[done], self._order[:done]
        shared = dict.fromkeys(others, 0)
        for group, kinds, mine, row in zip(self._classes, self._kinds, columns, placed, strict=True):
            for (kind, _, tops), level in zip(mine, row, strict=True):
                fixed = kinds[kind].fixed
                for other in others:
                    held = tops >> other & 1
                    shared[other] += _common(group.weight, (fixed[worker], level > 0), (fixed[other], held > 0))
        return self._pair is None or all(cus < self._pair for cus in shared.values())


def _common(weight: int, one: tuple[int | None, bool], other: tuple[int | None, bool]) -> int:
    """CUs of an atom that two workers' largest streams share, by (CUs in the fixed stream, is held)."""
    (my_fixed, mine), (their_fixed, theirs) = one, other
    if my_fixed is not None and their_fixed is not None:
        return 0  # no placement changes that
    if my_fixed is not None:
        return my_fixed * theirs
    return their_fixed * mine if their_fixed is not None else weight * (mine and theirs)


def placements(columns: Sequence[object], row: Row, barred: Sequence[bool]) -> Iterator[Row]:
    """All orders of a row that differ, equal columns being interchangeable; barred ones get nothing.

    Equal columns must be neighbours. Within them levels descend; the first placement puts high levels first.
    """
    groups = list(Counter(zip(columns, barred, strict=True)).items())
    left = Counter(row)
    left[0] -= sum(barred)
    yield from _fill([(count, bar) for (_, bar), count in groups], 0, left, ())


def _fill(groups: Sequence[tuple[int, bool]], position: int, left: Counter[int], placed: Row) -> Iterator[Row]:
    if position == len(groups):
        yield placed
        return
    count, barred = groups[position]
    if barred:
        yield from _fill(groups, position + 1, left, placed + (0,) * count)
        return
    for chosen in _choose(sorted((level for level in left if left[level] > 0), reverse=True), left, count):
        yield from _fill(groups, position + 1, left - Counter(chosen), placed + chosen)


def _choose(values: Sequence[int], left: Counter[int], count: int) -> Iterator[Row]:
    """Descending selections of `count` levels out of those left, the greatest first."""
    if not values:
        yield ()
        return
    others = sum(left[value] for value in values[1:])
    for taken in range(min(left[values[0]], count), max(0, count - others) - 1, -1):
        for rest in _choose(values[1:], left, count - taken):
            yield (values[0],) * taken + rest
