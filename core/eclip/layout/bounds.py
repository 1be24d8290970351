"""What no placement can beat: least sums of squares by pouring, and the least CUs that the largest pair shares."""

from collections.abc import Sequence
from itertools import combinations, product

from eclip.layout.columns import AtomClass


def least_squares(group: AtomClass) -> int:
    """No order of the rows has a smaller sum of squared totals.

    Pour all rows, as if they were water, onto the fixed streams; where these are level, all rows but one onto that one.
    """
    amount, cap = sum(map(sum, group.levels)), sum(max(row) for row in group.levels)
    if len({*group.base}) > 1:
        return poured(group.base, group.weight, amount, cap)
    return max(
        poured(
            [base + group.weight * level for base, level in zip(group.base, row, strict=True)],
            group.weight,
            amount - sum(row),
            cap - max(row),
        )
        for row in group.levels
    )


def poured(base: Sequence[int], unit: int, amount: int, cap: int) -> int:
    """Least sum of squares of `base` after `amount` units are added, at most `cap` of them to a column."""
    low, high = min(base), max(base) + cap * unit
    while low < high:  # the highest level below which there is room for no more than the amount
        middle = (low + high + 1) // 2
        if sum([min((middle - value) // unit, cap) for value in base if middle > value]) <= amount:
            low = middle
        else:
            high = middle - 1
    added = [min((low - value) // unit, cap) if low > value else 0 for value in base]
    rest = amount - sum(added)
    return sum((value + unit * more) ** 2 for value, more in zip(base, added, strict=True)) + rest * unit * (
        2 * (low + 1) - unit
    )


def least_pair(classes: Sequence[AtomClass]) -> int:
    """No placement has a smaller largest pair.

    The mean over all pairs of the workers with the largest tops, were their tops spread evenly, is such a bound; so is
    what two tops that do not fit beside each other must share. Then the least number of CUs that a pair can share.
    Workers with a fixed stream are left out.
    """
    free = [index for index, cus in enumerate(classes[0].kinds[0].fixed) if cus is None]
    tops = [[sum(map(bool, row)) for row in group.levels] for group in classes]
    columns = [group.columns for group in classes]
    weights = [group.weight for group in classes]
    workers = sorted(free, key=lambda worker: -sum(top[worker] for top in tops))
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
