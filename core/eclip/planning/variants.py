"""Sets of workers that may be active at one time, and when a plan for them is made. Pure."""

from collections.abc import Sequence
from itertools import combinations

EVERY_SET = 4
"""Up to so many workers every set gets a plan."""


def active_sets(names: Sequence[str]) -> tuple[frozenset[str], ...]:
    """All workers first, each alone last; every set between up to `EVERY_SET` workers, else those that lack one."""
    count = len(names)
    between = range(count - 1, 1, -1) if count <= EVERY_SET else range(count - 1, count - 2, -1)
    sizes = dict.fromkeys([count, *between, 1])
    return tuple(frozenset(chosen) for size in sizes for chosen in combinations(names, size))
