"""Atoms of one weight, placed so that every stream has its CUs evenly on the shader engines.

They are alike for the overlap, but the hardware deals workgroups to engines in equal parts, so that a stream with fewer
CUs on one engine than on the others waits for it (Otterness and Anderson, RTNS'21).
"""

from collections.abc import Hashable, Sequence
from itertools import combinations

Levels = tuple[int, ...]
"""Per worker, how many of its nested streams hold an atom."""


def even(levels: Sequence[Levels], engine_of: Sequence[int], kinds: Sequence[Hashable]) -> list[Levels]:
    """The same entries in another order, atom by atom: every stream's atoms as evenly over engines as exchanges reach.

    `engine_of` gives the engine of every atom, `kinds` which atoms may exchange entries: those that are equal.
    Deterministic, and the identity where nothing can be evened out.
    """
    placed = list(levels)
    held = _Held(placed, engine_of)
    improved = len(set(engine_of)) > 1
    while improved:
        improved = False
        for one, other in combinations(range(len(placed)), 2):
            if engine_of[one] == engine_of[other] or kinds[one] != kinds[other]:
                continue
            if held.gain(placed[one], placed[other], one, other) < 0:
                held.exchange(placed[one], placed[other], one, other)
                placed[one], placed[other] = placed[other], placed[one]
                improved = True
    return placed


class _Held:
    """Atoms by (worker, stream) and engine; the sum of their squares is least when all are even."""

    def __init__(self, levels: Sequence[Levels], engine_of: Sequence[int]) -> None:
        self._engine_of = engine_of
        self._counts: dict[tuple[int, int], dict[int, int]] = {}
        for atom, entry in enumerate(levels):
            for worker, level in enumerate(entry):
                for stream in range(level):
                    self._add(worker, stream, engine_of[atom], 1)

    def _add(self, worker: int, stream: int, engine: int, count: int) -> None:
        engines = self._counts.setdefault((worker, stream), dict.fromkeys(self._engine_of, 0))
        engines[engine] += count

    def gain(self, mine: Levels, theirs: Levels, one: int, other: int) -> int:
        """Change of the sum of squares if atoms `one` (with `mine`) and `other` (with `theirs`) exchange entries."""
        gain = 0
        for worker, (own, new) in enumerate(zip(mine, theirs, strict=True)):
            source, target = (one, other) if own > new else (other, one)
            for stream in range(min(own, new), max(own, new)):
                engines = self._counts[worker, stream]
                gain += 2 * (engines[self._engine_of[target]] - engines[self._engine_of[source]] + 1)
        return gain

    def exchange(self, mine: Levels, theirs: Levels, one: int, other: int) -> None:
        """Counts the exchange in."""
        for worker, (own, new) in enumerate(zip(mine, theirs, strict=True)):
            step = 1 if new > own else -1
            for stream in range(min(own, new), max(own, new)):
                self._add(worker, stream, self._engine_of[one], step)
                self._add(worker, stream, self._engine_of[other], -step)
