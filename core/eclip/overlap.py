"""Nested sets of atoms for several workers: least shared CUs over all pairs of streams, then the smallest largest pair.

Atoms of one weight form a class. Within a class the least sum is a matter of balance (`balance`), for each class alone.
Since streams are nested, the largest pair is always one of two workers' largest streams (their tops), so the second
criterion looks at tops only; it may permute levels wherever column sums stay the same multiset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from eclip import balance
from eclip.balance import Levels, Row


@dataclass(frozen=True, slots=True)
class AtomClass:
    """Atoms of one weight, and how many of each worker's streams hold how many of them."""

    weight: int
    """CUs of one atom."""
    levels: Levels
    """Per worker one level per atom, descending."""


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
    balanced = [balance.balance(group.levels, node_limit) for group in classes]
    squares = [result.squares for result in balanced]
    start = tuple(result.rows for result in balanced)
    exact = all(result.proven for result in balanced)
    rows, spread_proven = _spread_tops(classes, start, squares, node_limit)
    return Overlap(rows, shared_of(classes, squares), largest_pair(classes, rows), exact and spread_proven)


def shared_of(classes: Sequence[AtomClass], squares: Sequence[int]) -> int:
    """Shared CUs over all pairs of streams, from the squared column sums of every class."""
    own = (sum(level * level for row in group.levels for level in row) for group in classes)
    return sum(group.weight * (total - mine) // 2 for group, total, mine in zip(classes, squares, own, strict=True))


def shared_bound(classes: Sequence[AtomClass]) -> int:
    """No placement shares less."""
    return shared_of(classes, [balance.lower_bound(group.levels) for group in classes])


def largest_pair(classes: Sequence[AtomClass], rows: Sequence[Levels]) -> int:
    """CUs shared by the two tops that share most."""
    return max(_pairs(classes, _tops(rows)).values(), default=0)


Tops = list[list[int]]
"""Per class, per worker: bit set of the columns that some stream of the worker holds."""


def _tops(rows: Sequence[Levels]) -> Tops:
    return [[sum(1 << column for column, level in enumerate(row) if level) for row in levels] for levels in rows]


def _shared(classes: Sequence[AtomClass], tops: Tops, one: int, other: int) -> int:
    return sum(group.weight * (top[one] & top[other]).bit_count() for group, top in zip(classes, tops, strict=True))


def _pairs(classes: Sequence[AtomClass], tops: Tops) -> dict[tuple[int, int], int]:
    workers = range(len(classes[0].levels))
    return {pair: _shared(classes, tops, *pair) for pair in combinations(workers, 2)}


def pair_bound(classes: Sequence[AtomClass]) -> int:
    """No placement has a smaller largest pair: two tops that do not fit beside each other, or the mean over all pairs
    of the workers with the largest tops, were their tops spread evenly."""
    sizes = [[sum(map(bool, row)) for row in group.levels] for group in classes]
    columns = [len(group.levels[0]) for group in classes]
    workers = sorted(range(len(classes[0].levels)), key=lambda worker: -sum(size[worker] for size in sizes))
    bound = 0
    for count in range(2, len(workers) + 1):
        total = 0
        for group, size, width in zip(classes, sizes, columns, strict=True):
            deep, rest = divmod(sum(size[worker] for worker in workers[:count]), width)
            total += group.weight * (rest * (deep + 1) * deep + (width - rest) * deep * (deep - 1)) // 2
        bound = max(bound, -(-total // (count * (count - 1) // 2)))
    return max(bound, *_fits(classes, sizes, columns))


def _fits(classes: Sequence[AtomClass], sizes: list[list[int]], columns: list[int]) -> Iterator[int]:
    yield 0
    for one, other in combinations(range(len(sizes[0])), 2):
        yield sum(
            group.weight * max(0, size[one] + size[other] - width)
            for group, size, width in zip(classes, sizes, columns, strict=True)
        )


def _spread_tops(
    classes: Sequence[AtomClass], start: tuple[Levels, ...], squares: Sequence[int], node_limit: int
) -> tuple[tuple[Levels, ...], bool]:
    bound = pair_bound(classes)
    if largest_pair(classes, start) == bound:
        return start, True
    rows = _exchange(classes, start, bound)
    reached = largest_pair(classes, rows)
    if sum(len(group.levels[0]) for group in classes) > balance.SEARCHABLE:
        return rows, reached == bound
    search = _TopSearch(classes, squares, node_limit)
    while reached > bound:
        found = search.below(reached)
        if found is None:
            return rows, not search.exhausted
        rows, reached = found, largest_pair(classes, found)
    return rows, True


def _exchange(classes: Sequence[AtomClass], start: tuple[Levels, ...], bound: int) -> tuple[Levels, ...]:
    """Local search over exchanges that keep the multiset of column sums; ends where none improves."""
    rows = [[list(row) for row in levels] for levels in start]
    tops = _tops(start)
    pairs = _pairs(classes, tops)
    score = (max(pairs.values()), sum(value * value for value in pairs.values()))
    improved = True
    while improved and score[0] > bound:
        improved = False
        for exchange in _exchanges(rows):
            _apply(rows, tops, exchange)
            touched = {worker for _, worker, _, _ in exchange}
            changed = {pair: _shared(classes, tops, *pair) for pair in pairs if touched.intersection(pair)}
            trial = {**pairs, **changed}
            better = (max(trial.values()), sum(value * value for value in trial.values()))
            if better < score:
                pairs, score, improved = trial, better, True
                break
            _apply(rows, tops, exchange)
    return tuple(tuple(tuple(row) for row in levels) for levels in rows)


Exchange = tuple[tuple[int, int, int, int], ...]
"""(class, worker, column, column): the worker's levels on two columns change places."""


def _exchanges(rows: Sequence[Sequence[Sequence[int]]]) -> Iterator[Exchange]:
    """First one worker's exchange whose column sums change places, then two workers' opposite ones on two columns."""
    for index, levels in enumerate(rows):
        sums = [sum(column) for column in zip(*levels, strict=True)]
        width = range(len(sums))
        for worker, row in enumerate(levels):
            for held, free in product(width, width):
                if row[held] and not row[free] and sums[held] - sums[free] == row[held]:
                    yield ((index, worker, held, free),)
        for one, other in combinations(range(len(levels)), 2):
            for held, free in product(width, width):
                level = levels[one][held]
                mirrored = levels[other][free] == level and not levels[other][held] and not levels[one][free]
                if level and mirrored:
                    yield ((index, one, held, free), (index, other, free, held))


def _apply(rows: list[list[list[int]]], tops: Tops, exchange: Exchange) -> None:
    for index, worker, held, free in exchange:
        row = rows[index][worker]
        row[held], row[free] = row[free], row[held]
        tops[index][worker] ^= 1 << held | 1 << free


Columns = tuple[tuple[tuple[int, int], ...], ...]
"""Per class the (sum, bit set of workers whose top holds it) of every column, sorted."""


class _TopSearch:
    """Exact search for a placement of least squares whose largest pair is below a bound."""

    def __init__(self, classes: Sequence[AtomClass], squares: Sequence[int], node_limit: int) -> None:
        self.exhausted = False
        self._classes = classes
        self._squares = squares
        self._nodes_left = node_limit
        self._workers = len(classes[0].levels)
        self._failed: set[tuple[int, Columns]] = set()

    def below(self, bound: int) -> tuple[Levels, ...] | None:
        """Rows whose largest pair is smaller than `bound`; None if there are none, or the node limit came first."""
        empty = tuple(((0, 0),) * len(group.levels[0]) for group in self._classes)
        blank = tuple(() for _ in self._classes)
        return self._extend(empty, blank, bound)

    def _extend(self, columns: Columns, rows: tuple[Levels, ...], bound: int) -> tuple[Levels, ...] | None:
        worker = len(rows[0])
        if worker == self._workers:
            return rows
        key = (worker, columns)
        if key in self._failed:
            return None
        choices = [
            balance.placements(column, group.levels[worker])
            for column, group in zip(columns, self._classes, strict=True)
        ]
        for placed in product(*choices):
            self._nodes_left -= 1
            if self._nodes_left < 0:
                self.exhausted = True
                return None
            found = self._step(columns, rows, placed, bound)
            if found is not None or self.exhausted:
                return found
        self._failed.add(key)
        return None

    def _step(
        self, columns: Columns, rows: tuple[Levels, ...], placed: tuple[Row, ...], bound: int
    ) -> tuple[Levels, ...] | None:
        worker = len(rows[0])
        if not self._fits(columns, placed, worker, bound):
            return None
        next_columns, next_rows = [], []
        for column, row, levels in zip(columns, placed, rows, strict=True):
            grown = [
                (total + level, tops | bool(level) << worker) for (total, tops), level in zip(column, row, strict=True)
            ]
            order = sorted(range(len(grown)), key=grown.__getitem__)
            next_columns.append(tuple(grown[index] for index in order))
            next_rows.append(tuple(tuple(old[index] for index in order) for old in (*levels, row)))
        if not self._balanced(next_columns, worker + 1):
            return None
        return self._extend(tuple(next_columns), tuple(next_rows), bound)

    def _fits(self, columns: Columns, placed: tuple[Row, ...], worker: int, bound: int) -> bool:
        shared = [0] * worker
        for group, column, row in zip(self._classes, columns, placed, strict=True):
            for (_, tops), level in zip(column, row, strict=True):
                if level:
                    for other in range(worker):
                        shared[other] += group.weight * (tops >> other & 1)
        return all(value < bound for value in shared)

    def _balanced(self, columns: Sequence[tuple[tuple[int, int], ...]], done: int) -> bool:
        for group, column, squares in zip(self._classes, columns, self._squares, strict=True):
            rest = group.levels[done:]
            sums = [total for total, _ in column]
            if balance.poured(sums, sum(map(sum, rest)), sum(map(max, rest))) > squares:
                return False
        return True
