"""The largest streams of several workers, kept apart: bounds and an exact search for the smallest largest pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from eclip.layout import balance
from eclip.layout.exchange import Levels, Row

MOST_COLUMNS = 10
"""Columns up to which all families of tops are looked at: there are at most 252 tops of one size then."""


@dataclass(frozen=True, slots=True)
class AtomClass:
    """Atoms of one weight, and how many of each worker's streams hold how many of them."""

    weight: int
    """CUs of one atom."""
    levels: Levels
    """Per worker one level per atom, descending."""

    @property
    def columns(self) -> int:
        """Atoms of the class."""
        return len(self.levels[0])

    def tops(self) -> list[int]:
        """Atoms in each worker's largest stream."""
        return [sum(map(bool, row)) for row in self.levels]


def pair_bound(classes: Sequence[AtomClass]) -> int:
    """No placement has a smaller largest pair.

    The mean over all pairs of the workers with the largest tops, were their tops spread evenly, is such a bound; so is
    what two tops that do not fit beside each other must share. Then the least number of CUs that a pair can share.
    """
    tops = [[sum(map(bool, row)) for row in group.levels] for group in classes]
    columns = [group.columns for group in classes]
    weights = [group.weight for group in classes]
    workers = sorted(range(len(tops[0])), key=lambda worker: -sum(top[worker] for top in tops))
    mean = 0
    for count in range(2, len(workers) + 1):
        held = [sum(top[worker] for worker in workers[:count]) for top in tops]
        total = sum(map(_even_pairs, weights, held, columns))
        mean = max(mean, -(-total // (count * (count - 1) // 2)))
    possible = [_possible(weights, [(top[a], top[b]) for top in tops], columns) for a, b in combinations(workers, 2)]
    least = max((values[0] for values in possible), default=0)
    return min((value for values in possible for value in values if value >= max(mean, least)), default=0)


def _even_pairs(weight: int, held: int, columns: int) -> int:
    """CUs shared over all pairs, at least, by sets of columns with `held` entries in all."""
    deep, rest = divmod(held, columns)
    return weight * (rest * (deep + 1) * deep + (columns - rest) * deep * (deep - 1)) // 2


def _possible(weights: Sequence[int], tops: Sequence[tuple[int, int]], columns: Sequence[int]) -> list[int]:
    """All numbers of CUs that two tops of these sizes can share, ascending."""
    counts = [range(max(0, a + b - width), min(a, b) + 1) for (a, b), width in zip(tops, columns, strict=True)]
    shared = {sum(weight * count for weight, count in zip(weights, choice, strict=True)) for choice in product(*counts)}
    return sorted(shared)


def family_exists(classes: Sequence[AtomClass], bound: int, node_limit: int) -> bool | None:
    """Whether tops of these sizes exist of which every two share less than `bound`; None if that is too much to search.

    A relaxation: it looks at tops alone, not at the streams inside them, and so proves only that there are none.
    """
    if sum(group.columns for group in classes) > MOST_COLUMNS:
        return None
    choices = [list(_sets(classes, worker)) for worker in range(len(classes[0].levels))]
    weights = [group.weight for group in classes for _ in range(group.columns)]
    return _Family(choices, weights, bound, node_limit).extend([], 0)


def _sets(classes: Sequence[AtomClass], worker: int) -> Iterator[int]:
    """All column sets, as bits over all classes, that a worker's top may be."""
    parts = []
    first = 0
    for group in classes:
        columns = range(first, first + group.columns)
        parts.append([sum(1 << column for column in held) for held in combinations(columns, group.tops()[worker])])
        first += group.columns
    return (sum(choice) for choice in product(*parts))


class _Family:
    def __init__(self, choices: list[list[int]], weights: list[int], bound: int, node_limit: int) -> None:
        self._choices = choices
        self._classes = [(w, sum(1 << c for c, weight in enumerate(weights) if weight == w)) for w in {*weights}]
        self._bound = bound
        self._nodes_left = node_limit

    def extend(self, chosen: list[int], first: int) -> bool | None:
        """Workers with the same choices are interchangeable: the later one takes a later set, or the same."""
        worker = len(chosen)
        if worker == len(self._choices):
            return True
        sets = self._choices[worker]
        same = worker > 0 and sets == self._choices[worker - 1]
        for index in range(first if same else 0, 1 if worker == 0 else len(sets)):  # columns are alike: one first top
            self._nodes_left -= 1
            if self._nodes_left < 0:
                return None
            if all(self._shared(sets[index], other) < self._bound for other in chosen):
                found = self.extend([*chosen, sets[index]], index)
                if found is not False:
                    return found
        return False

    def _shared(self, one: int, other: int) -> int:
        both = one & other
        return sum(weight * (both & mask).bit_count() for weight, mask in self._classes)


Columns = tuple[tuple[tuple[int, int], ...], ...]
"""Per class the (sum, bit set of workers whose top holds it) of every column, sorted."""


class TopSearch:
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
        empty = tuple(((0, 0),) * group.columns for group in self._classes)
        blank = tuple(() for _ in self._classes)
        return self._extend(empty, blank, bound)

    def _extend(self, columns: Columns, rows: tuple[Levels, ...], bound: int) -> tuple[Levels, ...] | None:
        worker = len(rows[0])
        if worker == self._workers:
            return rows
        key = (worker, columns)
        if key in self._failed:
            return None
        for placed in self._placements(columns, worker, 0):
            self._nodes_left -= 1
            if self._nodes_left < 0:
                self.exhausted = True
                return None
            found = self._step(columns, rows, placed, bound)
            if found is not None or self.exhausted:
                return found
        self._failed.add(key)
        return None

    def _placements(self, columns: Columns, worker: int, index: int) -> Iterator[tuple[Row, ...]]:
        """One placement per class; lazily, since there may be far more than the node limit."""
        if index == len(columns):
            yield ()
            return
        for row in balance.placements(columns[index], self._classes[index].levels[worker]):
            for rest in self._placements(columns, worker, index + 1):
                yield (row, *rest)

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
