"""Local search: some workers' levels on two columns change places.

Every step keeps each row's values, and no worker gets an atom that it is barred from. `even_out` makes column totals
more even; `part_tops` keeps their squares and makes the overlaps of the workers' largest streams more even. Both are
deterministic: chance comes from a fixed seed, and the amount of work from the size of the input, never from a clock.
"""

from collections.abc import Sequence
from itertools import combinations
from random import Random

from eclip.layout.columns import AtomClass, Levels, Row, Tops

ROUNDS = 40
"""Restarts of the descent from a shaken placement."""
PROPOSALS = 4000
"""Exchanges that `part_tops` tries."""
SEED = 0


def rearranged(group: AtomClass) -> Levels:
    """Every row against the total of the rows before it: for two, nothing is better."""
    barred = [group.bars(worker) for worker in range(len(group.levels))]
    # The first takes atoms from the front, where nothing is better.
    rows = [against(group.levels[0], group.base[::-1], barred[0][::-1])[::-1]]
    for worker in range(1, len(group.levels)):
        rows.append(against(group.levels[worker], group.totals(tuple(rows)), barred[worker]))
    return tuple(rows)


def against(levels: Row, totals: Sequence[int], barred: Sequence[bool]) -> Row:
    """Levels, the highest where `totals` are lowest and nothing where barred; of equal columns the later gets more."""
    columns = sorted(
        (column for column in range(len(totals)) if not barred[column]), key=lambda column: (totals[column], -column)
    )
    placed = [0] * len(totals)
    for column, level in zip(columns, levels, strict=False):
        placed[column] = level
    return tuple(placed)


def even_out(group: AtomClass, rows: Levels, bound: int) -> Levels:
    """Lowers the sum of squared totals, until it is `bound` or many shaken descents have not lowered it."""
    chance = Random(SEED)
    grid = _Grid(group, rows)
    grid.descend()
    best, least = grid.rows(), grid.squares()
    rounds = 0
    while least > bound and rounds < ROUNDS:
        rounds += 1
        for _ in range(len(rows[0])):
            grid.shake(chance)
        grid.descend()
        if grid.squares() < least:
            best, least, rounds = grid.rows(), grid.squares(), 0
    return best


Move = tuple[int, int, tuple[int, ...]]
"""Two columns, and the workers whose levels on them change places."""


class _Grid:
    """Levels and totals of one class that change in place."""

    def __init__(self, group: AtomClass, rows: Levels) -> None:
        self._weight = group.weight
        self._barred = [kind.barred for kind in group.kinds]
        self.levels = [list(row) for row in rows]
        self.totals = group.totals(rows)

    def rows(self) -> Levels:
        return tuple(tuple(row) for row in self.levels)

    def squares(self) -> int:
        return sum(total * total for total in self.totals)

    def exchange(self, move: Move) -> None:
        one, other, workers = move
        for worker in workers:
            row = self.levels[worker]
            difference = self._weight * (row[one] - row[other])
            row[one], row[other] = row[other], row[one]
            self.totals[one] -= difference
            self.totals[other] += difference

    def descend(self) -> None:
        """Splits every two columns as evenly as their levels allow, until no two can be split better."""
        improved = True
        while improved:
            improved = False
            for one, other in combinations(range(len(self.totals)), 2):
                improved |= self._split(one, other)

    def _split(self, one: int, other: int) -> bool:
        gap = self.totals[one] - self.totals[other]
        if abs(gap) <= self._weight:
            return False
        barred = self._barred[one] | self._barred[other]
        reach: dict[int, tuple[int, ...]] = {0: ()}
        for worker, row in enumerate(self.levels):
            if row[one] != row[other] and not barred >> worker & 1:
                difference = self._weight * (row[one] - row[other])
                for moved, workers in list(reach.items()):
                    reach.setdefault(moved + difference, (*workers, worker))
        best = min(reach, key=lambda moved: (abs(gap - 2 * moved), abs(moved), moved))
        self.exchange((one, other, reach[best]))
        return abs(gap - 2 * best) < abs(gap)

    def _difference(self, worker: int, one: int, other: int) -> int:
        """By how much an exchange lowers the first column's total; 0 where it changes nothing or may not be."""
        if (self._barred[one] | self._barred[other]) >> worker & 1:
            return 0
        row = self.levels[worker]
        return self._weight * (row[one] - row[other])

    def shake(self, chance: Random) -> None:
        """One exchange, if a try by chance finds one, that leaves the multiset of totals as it is."""
        if move := self.neutral(chance):
            self.exchange(move)

    def neutral(self, chance: Random) -> Move | None:
        """One or two workers whose exchange on two columns keeps the two totals, or makes them change places."""
        columns, workers = len(self.totals), len(self.levels)
        one = int(chance.random() * columns)
        other = (one + 1 + int(chance.random() * (columns - 1))) % columns if columns > 1 else one
        gap = self.totals[one] - self.totals[other]
        first = int(chance.random() * workers)
        difference = self._difference(first, one, other)
        if not difference:
            return None
        if difference == gap:
            return one, other, (first,)
        offset = int(chance.random() * workers)
        for step in range(workers):
            second = (offset + step) % workers
            both = difference + self._difference(second, one, other)
            if second != first and both != difference and both in (0, gap):
                return one, other, (first, second)
        return None


def part_tops(classes: Sequence[AtomClass], rows: Sequence[Levels], bound: int) -> tuple[Levels, ...]:
    """Tries to lower the largest overlap of two workers' tops, every class keeping its squares. Ends at `bound`."""
    chance = Random(SEED)
    grids = [_Grid(group, levels) for group, levels in zip(classes, rows, strict=True)]
    tops = [Tops(group, levels) for group, levels in zip(classes, rows, strict=True)]
    pairs = list(combinations(range(len(rows[0])), 2))
    scores = [sum(top.shared(a, b) for top in tops) for a, b in pairs]
    energy = sum(score * score for score in scores)
    best, least = tuple(grid.rows() for grid in grids), max(scores)
    for _ in range(PROPOSALS):
        if least <= bound:
            break
        drawn = int(chance.random() * len(grids))
        move = grids[drawn].neutral(chance)
        if move is None:
            continue
        _exchange(grids[drawn], tops[drawn], move)
        movers = move[2]
        trial = list(scores)
        for index, (a, b) in enumerate(pairs):
            if a in movers or b in movers:
                trial[index] = sum([top.shared(a, b) for top in tops])
        trial_energy = sum(score * score for score in trial)
        if trial_energy > energy:
            _exchange(grids[drawn], tops[drawn], move)
            continue
        scores, energy = trial, trial_energy
        if max(scores) < least:
            best, least = tuple(grid.rows() for grid in grids), max(scores)
    return best


def _exchange(grid: _Grid, tops: Tops, move: Move) -> None:
    grid.exchange(move)
    one, other, workers = move
    for worker in workers:
        row = grid.levels[worker]
        if (row[one] > 0) != (row[other] > 0):
            tops.held[worker] ^= 1 << one | 1 << other
