"""The parts of a layout of least overlap, each against all possibilities: bounds, searches, evenness."""

from collections.abc import Sequence
from itertools import combinations, permutations, product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eclip.layout import bounds, evenness, exchange, overlap, search
from eclip.layout.columns import AtomClass, Kind, Levels, largest_pair

ENOUGH = 100_000


def orders(group: AtomClass) -> list[Levels]:
    """All placements that give nobody an atom that it is barred from."""
    rows = [
        [
            order
            for order in sorted(set(permutations(row)))
            if not any(level and bar for level, bar in zip(order, group.bars(worker), strict=True))
        ]
        for worker, row in enumerate(group.levels)
    ]
    return list(product(*rows))


def least_squares(group: AtomClass) -> int:
    return min(map(group.squares, orders(group)))


@st.composite
def kinds(draw: st.DrawFn, workers: int, columns: int, weight: int) -> tuple[Kind, ...]:
    """Ceilings: workers are barred from some columns; fixed streams are on what is left, and in part beyond."""
    barred = [draw(st.sets(st.integers(0, columns - 1), max_size=columns)) for _ in range(workers)]
    has_fixed = [draw(st.booleans()) for _ in range(workers)]
    beyond = st.integers(0, weight - 1)
    found = [
        Kind(
            sum(1 << worker for worker in range(workers) if column in barred[worker]),
            tuple(
                (draw(beyond) if column in barred[worker] else weight) if has_fixed[worker] else None
                for worker in range(workers)
            ),
        )
        for column in range(columns)
    ]
    return tuple(sorted(found, key=found.index))


@st.composite
def groups(draw: st.DrawFn, *, ceilings: bool, workers: int = 3, most_columns: int = 4) -> AtomClass:
    weight, columns = draw(st.sampled_from([3, 4, 5])), draw(st.integers(1, most_columns))
    plain = (Kind(0, (None,) * workers),) * columns
    mine = draw(kinds(workers, columns, weight)) if ceilings else plain
    rows = []
    for worker in range(workers):
        free = sum(not kind.barred >> worker & 1 for kind in mine)
        levels = draw(st.lists(st.integers(0, 3), min_size=free, max_size=free))
        rows.append((*sorted(levels, reverse=True), *(0,) * (columns - free)))
    return AtomClass(weight, mine, tuple(rows))


def any_group(most_columns: int = 4) -> st.SearchStrategy[AtomClass]:
    return st.booleans().flatmap(lambda ceilings: groups(ceilings=ceilings, most_columns=most_columns))


@st.composite
def classes(draw: st.DrawFn) -> list[AtomClass]:
    """One or two classes; a worker has a fixed stream in both of them or in none."""
    if draw(st.booleans()):
        return [draw(any_group())]
    return [draw(groups(ceilings=False, most_columns=3)) for _ in range(2)]


@settings(max_examples=200)
@given(any_group())
def test_the_search_finds_the_least_sum_of_squares_and_nothing_below(group: AtomClass) -> None:
    least = least_squares(group)
    rows = search.Search([group], ENOUGH).below([least])
    assert rows is not None
    assert group.squares(rows[0]) == least
    assert rows[0] in orders(group)
    nothing = search.Search([group], ENOUGH)
    assert nothing.below([least - 1]) is None
    assert not nothing.exhausted
    assert bounds.least_squares(group) <= least


@settings(max_examples=200)
@given(any_group())
def test_shared_cus_follow_from_the_squares(group: AtomClass) -> None:
    rows = exchange.rearranged(group)
    atom = range(group.columns)
    shared = 0
    for one, other in combinations(range(len(rows)), 2):
        shared += sum(group.weight * rows[one][column] * rows[other][column] for column in atom)
        for mine, theirs in ((one, other), (other, one)):
            shared += sum((group.kinds[column].fixed[mine] or 0) * rows[theirs][column] for column in atom)
    assert group.shared(group.squares(rows)) == shared


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 12), st.integers(1, 6))
def test_water_is_poured_as_evenly_as_the_cap_allows(base: list[int], unit: int, amount: int, cap: int) -> None:
    assume(amount <= cap * len(base))
    ways = (way for way in product(range(cap + 1), repeat=len(base)) if sum(way) == amount)
    assert bounds.poured(base, unit, amount, cap) == min(
        sum((value + unit * more) ** 2 for value, more in zip(base, way, strict=True)) for way in ways
    )


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5), st.data())
def test_placements_are_all_orders_of_a_row_that_differ_between_columns(
    columns: list[tuple[int, bool]], data: st.DataObject
) -> None:
    columns.sort()
    barred = [bar for _, bar in columns]
    free = len(barred) - sum(barred)
    row = (*data.draw(st.lists(st.integers(0, 3), min_size=free, max_size=free)), *(0,) * sum(barred))
    fitting = [
        order
        for order in set(permutations(row))
        if not any(level and bar for level, bar in zip(order, barred, strict=True))
    ]
    distinct = {tuple(sorted(zip(columns, order, strict=True))) for order in fitting}
    placed = list(search.placements(columns, row, barred))
    assert {tuple(sorted(zip(columns, order, strict=True))) for order in placed} == distinct
    assert len(placed) == len(distinct)


def best_of(parts: Sequence[AtomClass]) -> tuple[list[int], int]:
    """Least squares of every class, and the smallest largest pair among the placements that have them."""
    squares = list(map(least_squares, parts))
    balanced = [
        [rows for rows in orders(group) if group.squares(rows) == least]
        for group, least in zip(parts, squares, strict=True)
    ]
    return squares, min(largest_pair(parts, choice) for choice in product(*balanced))


@settings(max_examples=100)
@given(classes())
def test_the_search_finds_the_smallest_largest_pair_and_nothing_below(parts: list[AtomClass]) -> None:
    squares, least = best_of(parts)
    found = search.Search(parts, ENOUGH).below(squares, least + 1)
    assert found is not None
    assert largest_pair(parts, found) == least
    assert [group.squares(rows) for group, rows in zip(parts, found, strict=True)] == squares
    nothing = search.Search(parts, ENOUGH)
    assert nothing.below(squares, least) is None
    assert not nothing.exhausted


@settings(max_examples=100)
@given(classes())
def test_all_steps_together_are_as_good_as_the_best(parts: list[AtomClass]) -> None:
    squares, least = best_of(parts)
    found = overlap.least_overlap(parts, ENOUGH)
    shared = sum(group.shared(mine) for group, mine in zip(parts, squares, strict=True))
    assert (found.shared, found.largest_pair, found.proven) == (shared, least, True)


@settings(max_examples=100)
@given(classes())
def test_the_bound_on_the_largest_pair_holds(parts: list[AtomClass]) -> None:
    assert bounds.least_pair(parts) <= min(largest_pair(parts, choice) for choice in product(*map(orders, parts)))


@given(classes())
def test_local_search_keeps_rows_bars_and_squares(parts: list[AtomClass]) -> None:
    start = [exchange.even_out(group, exchange.rearranged(group), 0) for group in parts]
    found = exchange.part_tops(parts, start, 0)
    assert largest_pair(parts, found) <= largest_pair(parts, start)
    for group, before, after in zip(parts, start, found, strict=True):
        assert after in orders(group)
        assert group.squares(after) == group.squares(before) <= group.squares(exchange.rearranged(group))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=9), st.integers(1, 3))
def test_evening_out_moves_entries_and_never_makes_engines_less_even(
    entries: list[tuple[int, int]], engines: int
) -> None:
    engine_of = [atom % engines for atom in range(len(entries))]
    placed = evenness.even(entries, engine_of, [0] * len(entries))
    assert sorted(placed) == sorted(entries)
    assert unevenness(placed, engine_of) <= unevenness(entries, engine_of)
    for one, other in combinations(range(len(placed)), 2):
        exchanged = list(placed)
        exchanged[one], exchanged[other] = placed[other], placed[one]
        assert unevenness(placed, engine_of) <= unevenness(exchanged, engine_of)


def test_entries_stay_with_atoms_of_their_kind() -> None:
    entries, engine_of = [(1,), (1,), (0,), (0,)], [0, 0, 1, 1]
    assert evenness.even(entries, engine_of, "aaaa") == [(0,), (1,), (1,), (0,)]
    assert evenness.even(entries, engine_of, "aabb") == entries


def unevenness(entries: Sequence[tuple[int, ...]], engine_of: Sequence[int]) -> int:
    return sum(
        sum(entry[worker] > stream for entry, engine in zip(entries, engine_of, strict=True) if engine == one) ** 2
        for worker in range(2)
        for stream in range(2)
        for one in set(engine_of)
    )
