"""The parts of a layout of least overlap, each against all possibilities: balance, bounds, searches, evenness."""

from collections.abc import Sequence
from itertools import combinations, permutations, product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eclip.layout import balance, evenness, exchange, overlap, tops
from eclip.layout.exchange import Levels
from eclip.layout.tops import AtomClass

ENOUGH = 100_000


def orders(levels: Levels) -> list[Levels]:
    """All placements, the first row's order left as it is: columns are alike."""
    return [(levels[0], *rest) for rest in product(*(sorted(set(permutations(row))) for row in levels[1:]))]


@st.composite
def levels(draw: st.DrawFn, workers: int = 3, most_columns: int = 4) -> Levels:
    columns = draw(st.integers(1, most_columns))
    rows = st.lists(st.integers(0, 3), min_size=columns, max_size=columns)
    return tuple(tuple(sorted(draw(rows), reverse=True)) for _ in range(workers))


@st.composite
def classes(draw: st.DrawFn) -> list[AtomClass]:
    weights = draw(st.lists(st.sampled_from([9, 10, 13]), min_size=1, max_size=2, unique=True))
    return [AtomClass(weight, draw(levels(most_columns=3 if len(weights) > 1 else 4))) for weight in weights]


@settings(max_examples=200)
@given(levels())
def test_the_search_for_balance_finds_the_least_sum_of_squares(rows: Levels) -> None:
    least = min(map(balance.sum_of_squares, orders(rows)))
    start = balance.Balanced(rows, balance.sum_of_squares(rows), proven=False)
    for found in (balance.balance(rows, ENOUGH), balance._search(rows, start, ENOUGH)):
        assert (found.squares, found.proven) == (least, True)
        assert balance.sum_of_squares(found.rows) == least
        assert [sorted(row) for row in found.rows] == [sorted(row) for row in rows]
    assert balance.lower_bound(rows) <= least


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 12), st.integers(1, 6))
def test_water_is_poured_as_evenly_as_the_cap_allows(base: list[int], amount: int, cap: int) -> None:
    assume(amount <= cap * len(base))
    ways = (way for way in product(range(cap + 1), repeat=len(base)) if sum(way) == amount)
    assert balance.poured(base, amount, cap) == min(
        sum((value + more) ** 2 for value, more in zip(base, way, strict=True)) for way in ways
    )


@given(levels())
def test_placements_are_all_orders_of_a_row_that_differ_between_groups(rows: Levels) -> None:
    groups, row = sorted(rows[0]), rows[1]
    distinct = {
        tuple(sorted(zip(groups, order, strict=True))) for order in permutations(row)
    }  # columns of one group are interchangeable
    placed = list(balance.placements(groups, row))
    assert {tuple(sorted(zip(groups, order, strict=True))) for order in placed} == distinct
    assert len(placed) == len(distinct)


def best_of(groups: Sequence[AtomClass]) -> tuple[list[int], int]:
    """Least squares of every class, and the smallest largest pair among the placements that have them."""
    squares = [min(map(balance.sum_of_squares, orders(group.levels))) for group in groups]
    balanced = [
        [rows for rows in orders(group.levels) if balance.sum_of_squares(rows) == least]
        for group, least in zip(groups, squares, strict=True)
    ]
    return squares, min(overlap.largest_pair(groups, choice) for choice in product(*balanced))


@settings(max_examples=100)
@given(classes())
def test_the_search_for_tops_finds_the_smallest_largest_pair_and_nothing_below(groups: list[AtomClass]) -> None:
    squares, least = best_of(groups)
    found = tops.TopSearch(groups, squares, ENOUGH).below(least + 1)
    assert found is not None
    assert overlap.largest_pair(groups, found) == least
    assert [balance.sum_of_squares(rows) for rows in found] == squares
    search = tops.TopSearch(groups, squares, ENOUGH)
    assert search.below(least) is None
    assert not search.exhausted


@settings(max_examples=100)
@given(classes())
def test_bounds_on_the_largest_pair_hold(groups: list[AtomClass]) -> None:
    rows = [orders(group.levels) for group in groups]
    least = min(overlap.largest_pair(groups, choice) for choice in product(*rows))
    assert tops.pair_bound(groups) <= least
    assert tops.family_exists(groups, least, ENOUGH) is False
    assert tops.family_exists(groups, least + 1, ENOUGH) is True
    assert tops.family_exists(groups, least + 1, 0) is None


@given(classes())
def test_local_search_keeps_rows_and_sums(groups: list[AtomClass]) -> None:
    start = [balance.balance(group.levels, ENOUGH).rows for group in groups]
    weighed = [(group.weight, rows) for group, rows in zip(groups, start, strict=True)]
    found = exchange.part_tops(weighed, 0)
    assert overlap.largest_pair(groups, found) <= overlap.largest_pair(groups, start)
    for before, after in zip(start, found, strict=True):
        assert [sorted(row) for row in after] == [sorted(row) for row in before]
        assert sorted(balance.column_sums(after)) == sorted(balance.column_sums(before))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=9), st.integers(1, 3))
def test_evening_out_moves_entries_and_never_makes_engines_less_even(
    entries: list[tuple[int, int]], engines: int
) -> None:
    engine_of = [atom % engines for atom in range(len(entries))]
    placed = evenness.even(entries, engine_of)
    assert sorted(placed) == sorted(entries)
    assert unevenness(placed, engine_of) <= unevenness(entries, engine_of)
    for one, other in combinations(range(len(placed)), 2):
        exchanged = list(placed)
        exchanged[one], exchanged[other] = placed[other], placed[one]
        assert unevenness(placed, engine_of) <= unevenness(exchanged, engine_of)


def unevenness(entries: Sequence[tuple[int, ...]], engine_of: Sequence[int]) -> int:
    return sum(
        sum(entry[worker] > stream for entry, engine in zip(entries, engine_of, strict=True) if engine == one) ** 2
        for worker in range(2)
        for stream in range(2)
        for one in set(engine_of)
    )
