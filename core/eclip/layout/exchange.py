"""Local search over rows of levels: some workers' levels on two columns change places.

Every step keeps each row's values. `even_out` makes column sums more even; `part_tops` keeps their multiset and makes
the overlaps of the workers' largest streams more even. Both are deterministic: chance comes from a fixed seed, and the
amount of work from the size of the input, never from a clock.
"""

from collections.abc import Sequence
from itertools import combinations
from random import Random

Row = tuple[int, ...]
Levels = tuple[Row, ...]
"""One row per worker, one level per column: how many of the worker's nested streams hold that atom."""

ROUNDS = 40
"""Restarts of the descent from a shaken placement."""
PROPOSALS = 4000
"""Exchanges that `part_tops` tries."""
SEED = 0


def even_out(rows: Levels, bound: int) -> Levels:
    """Lowers the sum of squared column sums, until it is `bound` or many shaken descents have not lowered it."""
    chance = Random(SEED)
    grid = _Grid(rows)
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


class _Grid:
    """Levels and column sums that change in place."""

    def __init__(self, rows: Levels) -> None:
        self.levels = [list(row) for row in rows]
        self.sums: list[int] = [sum(column) for column in zip(*rows, strict=True)]

    def rows(self) -> Levels:
        return tuple(tuple(row) for row in self.levels)

    def squares(self) -> int:
        return sum(total * total for total in self.sums)

    def swap(self, worker: int, one: int, other: int) -> None:
        row = self.levels[worker]
        difference = row[one] - row[other]
        row[one], row[other] = row[other], row[one]
        self.sums[one] -= difference
        self.sums[other] += difference

    def descend(self) -> None:
        """Splits every two columns as evenly as their levels allow, until no two can be split better."""
        improved = True
        while improved:
            improved = False
            for one, other in combinations(range(len(self.sums)), 2):
                improved |= self._split(one, other)

    def _split(self, one: int, other: int) -> bool:
        gap = self.sums[one] - self.sums[other]
        if abs(gap) < 2:
            return False
        reach: dict[int, tuple[int, ...]] = {0: ()}
        for worker, row in enumerate(self.levels):
            difference = row[one] - row[other]
            if difference:
                for moved, workers in list(reach.items()):
                    reach.setdefault(moved + difference, (*workers, worker))
        best = min(reach, key=lambda moved: (abs(gap - 2 * moved), abs(moved), moved))
        for worker in reach[best]:
            self.swap(worker, one, other)
        return abs(gap - 2 * best) < abs(gap)

    def shake(self, chance: Random) -> None:
        """One exchange, if a try by chance finds one, that leaves the multiset of column sums as it is."""
        move = self.neutral(chance)
        if move:
            one, other, workers = move
            for worker in workers:
                self.swap(worker, one, other)

    def neutral(self, chance: Random) -> tuple[int, int, tuple[int, ...]] | None:
        """One or two workers whose exchange on two columns keeps the two sums, or makes them change places."""
        columns, workers = len(self.sums), len(self.levels)
        one = int(chance.random() * columns)
        other = (one + 1 + int(chance.random() * (columns - 1))) % columns if columns > 1 else one
        gap = self.sums[one] - self.sums[other]
        first = int(chance.random() * workers)
        difference = self.levels[first][one] - self.levels[first][other]
        if not difference:
            return None
        if difference == gap:
            return one, other, (first,)
        offset = int(chance.random() * workers)
        for step in range(workers):
            second = (offset + step) % workers
            both = difference + self.levels[second][one] - self.levels[second][other]
            if second != first and both != difference and both in (0, gap):
                return one, other, (first, second)
        return None


def part_tops(classes: Sequence[tuple[int, Levels]], bound: int) -> tuple[Levels, ...]:
    """Tries to lower the largest overlap of two workers' tops (the columns where their level is above zero).

    `classes` are (weight of a column, rows); every class keeps its multiset of column sums. Ends at `bound`.
    """
    chance = Random(SEED)
    grids = [_Grid(rows) for _, rows in classes]
    workers = len(classes[0][1])
    pairs = list(combinations(range(workers), 2))
    tops = [[_top(row) for row in grid.levels] for grid in grids]
    weights = [weight for weight, _ in classes]
    scores = [sum(w * (top[a] & top[b]).bit_count() for w, top in zip(weights, tops, strict=True)) for a, b in pairs]
    worst, energy = max(scores), sum(score * score for score in scores)
    best = tuple(grid.rows() for grid in grids)
    best_worst = worst
    for _ in range(PROPOSALS):
        if best_worst <= bound:
            break
        index = int(chance.random() * len(grids))
        move = grids[index].neutral(chance)
        if move is None:
            continue
        movers = move[2]
        _apply(grids[index], tops[index], move)
        trial = [
            sum(w * (top[a] & top[b]).bit_count() for w, top in zip(weights, tops, strict=True))
            if a in movers or b in movers
            else score
            for (a, b), score in zip(pairs, scores, strict=True)
        ]
        trial_energy = sum(score * score for score in trial)
        if trial_energy > energy:
            _apply(grids[index], tops[index], move)
            continue
        scores, energy, worst = trial, trial_energy, max(trial)
        if worst < best_worst:
            best, best_worst = tuple(grid.rows() for grid in grids), worst
    return best


def _top(row: Sequence[int]) -> int:
    return sum(1 << column for column, level in enumerate(row) if level)


def _apply(grid: _Grid, tops: list[int], move: tuple[int, int, tuple[int, ...]]) -> None:
    one, other, movers = move
    for worker in movers:
        grid.swap(worker, one, other)
        if (grid.levels[worker][one] > 0) != (grid.levels[worker][other] > 0):
            tops[worker] ^= 1 << one | 1 << other
