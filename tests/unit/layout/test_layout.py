"""Layouts: nested, made of atoms, of least overlap; the paper's own on an MI50 with two workers."""

from collections.abc import Sequence
from itertools import combinations, pairwise, permutations, product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eclip import layout
from eclip.errors import InputError
from eclip.gpu import atoms, masks, products
from eclip.gpu.topology import Gpu
from eclip.plan import Stream

MI50 = products.gpu_for("MI50")
TABLE_CHIPS = [name for name, row in products.PRODUCTS.items() if not row.preset]


def streams_of(name: str, sizes: Sequence[Sequence[int]]) -> tuple[tuple[Stream, ...], ...]:
    return layout.layout(products.gpu_for(name), products.product(name), sizes)


def overlaps(workers: Sequence[Sequence[Stream]]) -> list[int]:
    """CUs shared by every pair (a stream of one worker, a stream of another), from the CU sets themselves."""
    return [
        (mine.cu_set & theirs.cu_set).bit_count()
        for one, other in combinations(workers, 2)
        for mine in one
        for theirs in other
    ]


def small_chip(*engines: int) -> Gpu:
    return Gpu(1, "MI50", "gfx906", (tuple((cus,) for cus in engines),), 0, 128, 0, 1 << 30)


def test_two_workers_on_an_mi50_get_the_layout_of_the_paper() -> None:
    """ECLIP sec. III-A: engines 1 | 1, 3 | 1, 2, 3 and 4 | 2, 4 | 2, 3, 4."""
    printed = [[masks.show(stream.cu_set, MI50) for stream in mine] for mine in streams_of("MI50", [[15, 30, 45]] * 2)]
    assert printed == [
        ["0x0111111111111111", "0x0555555555555555", "0x0777777777777777"],
        ["0x0888888888888888", "0x0aaaaaaaaaaaaaaa", "0x0eeeeeeeeeeeeeee"],
    ]


@pytest.mark.parametrize("sizes", [[15], [30], [45], [15, 30], [15, 45], [30, 45]])
def test_a_size_keeps_its_engines_when_others_are_left_out(sizes: list[int]) -> None:
    whole = {
        (index, s.compute_units): s for index, mine in enumerate(streams_of("MI50", [[15, 30, 45]] * 2)) for s in mine
    }
    for index, mine in enumerate(streams_of("MI50", [sizes] * 2)):
        assert list(mine) == [whole[index, size] for size in sizes]


def test_two_workers_share_only_what_does_not_fit_beside_each_other() -> None:
    one, other = streams_of("MI50", [[15, 30, 45]] * 2)
    for mine, theirs in product(one, other):
        shared = (mine.cu_set & theirs.cu_set).bit_count()
        assert shared == max(0, mine.compute_units + theirs.compute_units - 60)


def test_three_workers_of_30_and_45_cus_on_an_mi50_share_15_engines_over_all_pairs() -> None:
    found = layout.solve(MI50, products.product("MI50"), [[30, 45]] * 3)
    assert (found.shared, found.largest_pair, found.proven) == (15 * 15, 30, True)
    assert sum(overlaps(found.workers)) == 15 * 15


@pytest.mark.parametrize("name", TABLE_CHIPS)
@pytest.mark.parametrize("workers", range(1, 9))
def test_every_chip_serves_one_to_eight_workers(name: str, workers: int) -> None:
    gpu, row = products.gpu_for(name), products.product(name)
    sizes = row.default_sizes(gpu)
    found = layout.solve(gpu, row, [sizes] * workers)
    units = atoms.atoms(gpu, row.atom)
    assert len(found.workers) == workers
    for mine in found.workers:
        assert [stream.compute_units for stream in mine] == list(sizes[:-1])
        for smaller, larger in pairwise(mine):
            assert smaller.cu_set & ~larger.cu_set == 0
        for stream in mine:
            masks.check(stream.cu_set, gpu)
            assert stream.cu_set.bit_count() == stream.compute_units
            assert all(stream.cu_set & unit in (0, unit) for unit in units)
    shared = overlaps(found.workers)
    assert (sum(shared), max(shared, default=0)) == (found.shared, found.largest_pair)
    assert found.proven


@pytest.mark.parametrize("name", ["MI300X-SPX", "MI355X-SPX", "RX7900XTX"])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_small_atoms_are_spread_evenly_over_shader_engines(name: str, workers: int) -> None:
    """An engine with fewer CUs than the others holds a stream back."""
    gpu = products.gpu_for(name)
    engine_of = [cu.engine for cu in masks.deal(gpu)]
    widest = 2 if gpu.wgp_mode else 1
    for stream in (s for mine in streams_of(name, [products.product(name).default_sizes(gpu)] * workers) for s in mine):
        counts = dict.fromkeys(engine_of, 0)
        for bit, engine in enumerate(engine_of):
            counts[engine] += stream.cu_set >> bit & 1
        assert max(counts.values()) - min(counts.values()) <= 2 * widest


def brute_force(gpu: Gpu, sizes: Sequence[Sequence[int]], ceilings: Sequence[int | None]) -> tuple[int, int] | None:
    """Least (sum over pairs, largest pair) over all nested atom sets of all workers; None if a worker has none."""
    units = atoms.atoms(gpu, "se")

    def chains(mine: Sequence[int], ceiling: int | None) -> list[tuple[int, ...]]:
        reach = masks.within(gpu, ceiling)
        inside = [unit for unit in units if unit & ~reach == 0]
        subsets = [sum(some) for count in range(len(inside) + 1) for some in combinations(inside, count)]
        found: list[tuple[int, ...]] = [()]
        for size in sorted(set(mine) - {reach.bit_count()}):
            fitting = [subset for subset in subsets if subset.bit_count() == size]
            found = [(*c, s) for c in found for s in fitting if not c or c[-1] & ~s == 0]
        own = (reach,) if reach.bit_count() in mine and reach != masks.whole(gpu) else ()
        return [chain + own for chain in found]

    best = None
    for choice in product(*map(chains, sizes, ceilings)):
        shared = [(a & b).bit_count() for one, other in combinations(choice, 2) for a in one for b in other]
        score = (sum(shared), max(shared, default=0))
        best = score if best is None else min(best, score)
    return best


@st.composite
def small_mixes(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    workers = draw(st.integers(2, 3))
    weights = draw(st.lists(st.sampled_from([2, 3, 4, 5]), min_size=2, max_size=4 if workers == 3 else 5))
    possible = atoms.sums(weights)[:-1]
    some = st.lists(st.sampled_from(possible), min_size=1, max_size=2, unique=True).map(sorted)
    return weights, [draw(some) for _ in range(workers)]


@settings(max_examples=150)
@given(small_mixes())
def test_no_layout_of_a_small_chip_overlaps_less(mix: tuple[list[int], list[list[int]]]) -> None:
    weights, sizes = mix
    best = brute_force(small_chip(*weights), sizes, [None] * len(sizes))
    assume(best is not None)
    found = layout.solve(small_chip(*weights), products.product("MI50"), sizes)
    assert (found.shared, found.largest_pair) == best
    assert found.proven
    assert sum(overlaps(found.workers)) == found.shared


@st.composite
def mixes_under_ceilings(draw: st.DrawFn) -> tuple[Gpu, list[list[int]], list[int | None]]:
    """Ceilings of whole engines, of any CUs at all, and none."""
    workers = draw(st.integers(1, 3))
    gpu = small_chip(*draw(st.lists(st.sampled_from([2, 3, 4]), min_size=2, max_size=4)))
    units = atoms.atoms(gpu, "se")
    engines = st.sets(st.sampled_from(units), min_size=1).map(sum)
    cus = st.tuples(engines, st.integers(0, masks.whole(gpu))).map(lambda sets: sets[0] | sets[1])
    sizes, ceilings = [], []
    for _ in range(workers):
        ceiling = draw(st.one_of(st.none(), engines, cus, st.integers(1, masks.whole(gpu))))
        reach = masks.within(gpu, ceiling)
        inside = [unit.bit_count() for unit in units if unit & ~reach == 0]
        possible = [*(size for size in atoms.sums(inside) if size < reach.bit_count()), reach.bit_count()]
        sizes.append(draw(st.lists(st.sampled_from(possible), min_size=1, max_size=3, unique=True)))
        ceilings.append(ceiling)
    return gpu, sizes, ceilings


@settings(max_examples=150)
@given(mixes_under_ceilings())
def test_no_layout_under_these_ceilings_overlaps_less(mix: tuple[Gpu, list[list[int]], list[int | None]]) -> None:
    gpu, sizes, ceilings = mix
    best = brute_force(gpu, sizes, ceilings)
    assume(best is not None)
    found = layout.solve(gpu, products.product("MI50"), sizes, ceilings)
    used = []
    for mine, ceiling, masked in zip(sizes, ceilings, found.workers, strict=True):
        reach = masks.within(gpu, ceiling)
        assert all(stream.cu_set & ~reach == 0 for stream in masked)
        assert [stream.compute_units for stream in masked] == sorted(set(mine) - {reach.bit_count()})
        own = Stream(reach.bit_count(), reach)
        used.append([*masked, own] if own.compute_units in mine and reach != masks.whole(gpu) else masked)
    shared = overlaps(used)
    assert (sum(shared), max(shared, default=0)) == (found.shared, found.largest_pair) == best
    assert found.proven


def test_a_worker_without_ceiling_keeps_away_from_a_ceiling_in_use() -> None:
    front = 0x0777777777777777 & ~0x0222222222222222
    found = layout.layout(MI50, products.product("MI50"), [[30], [15, 30], [60]], [front, None, None])
    assert found[0] == found[2] == ()  # their own streams need no mask
    assert [stream.cu_set & front for stream in found[1]] == [0, 0]


def test_a_ceiling_that_cuts_engines_leaves_the_whole_ones_inside() -> None:
    engine = 0x0111111111111111
    cut = engine | 0x0000000000022222
    assert layout.nestable(MI50, products.product("MI50"), (15, 20, 30), cut) == ((15, 20),)
    assert layout.layout(MI50, products.product("MI50"), [[15, 20]], [cut]) == ((Stream(15, engine),),)
    with pytest.raises(
        InputError, match=r"size 30 cannot be made on MI50 within a ceiling of 20 CUs: .* sizes are 15$"
    ):
        layout.layout(MI50, products.product("MI50"), [[30]], [cut])
    with pytest.raises(InputError, match=r"size 15 .* within a ceiling of 8 CUs: .* there is no masked size at all"):
        layout.layout(MI50, products.product("MI50"), [[15]], [0xFF])


def test_a_ceiling_without_a_cu_of_the_gpu_is_refused() -> None:
    with pytest.raises(InputError, match="ceiling 0x1000000000000000 leaves no CU of MI50; name at least one of 60"):
        layout.layout(MI50, products.product("MI50"), [[15]], [1 << 60])


@pytest.mark.parametrize("workers", [5, 6, 7, 8])
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_no_layout_for_many_workers_on_three_engines_overlaps_less(workers: int, data: st.DataObject) -> None:
    some = st.sampled_from([[1], [2], [1, 2]])
    sizes = data.draw(st.lists(some, min_size=workers, max_size=workers))
    empty: tuple[tuple[int, ...], ...] = ((),) * 3
    placed = {empty}  # columns with what the workers so far have in them; their order is of no account
    for mine in sizes:
        row = [sum(atom < size for size in mine) for atom in range(3)]
        placed = {
            tuple(sorted((*column, level) for column, level in zip(columns, order, strict=True)))
            for columns in placed
            for order in set(permutations(row))
        }
    best = min(_score(list(zip(*columns, strict=True))) for columns in placed)
    found = layout.solve(small_chip(15, 15, 15), products.product("MI50"), [[15 * s for s in mine] for mine in sizes])
    assert (found.shared, found.largest_pair, found.proven) == (*best, True)


@settings(max_examples=40)
@given(st.lists(st.sampled_from([[1], [2], [3], [1, 2], [1, 3], [2, 3], [1, 2, 3]]), min_size=4, max_size=4))
def test_no_layout_for_four_workers_on_four_engines_overlaps_less(sizes: list[list[int]]) -> None:
    levels = [tuple(sum(atom < size for size in mine) for atom in range(4)) for mine in sizes]
    best = min(
        _score([levels[0], *order]) for order in product(*(sorted(set(permutations(row))) for row in levels[1:]))
    )
    found = layout.solve(MI50, products.product("MI50"), [[15 * size for size in mine] for mine in sizes])
    assert (found.shared, found.largest_pair) == best
    assert found.proven


def _score(rows: Sequence[Sequence[int]]) -> tuple[int, int]:
    pairs = list(combinations(rows, 2))
    shared = sum(15 * a * b for one, other in pairs for a, b in zip(one, other, strict=True))
    return shared, max(sum(15 for a, b in zip(one, other, strict=True) if a and b) for one, other in pairs)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(1, 37), min_size=1, max_size=3, unique=True), min_size=2, max_size=8))
def test_any_multiples_of_the_atom_are_laid_out_on_an_mi300x(mix: list[list[int]]) -> None:
    found = layout.solve(
        products.gpu_for("MI300X"), products.product("MI300X"), [[8 * size for size in mine] for mine in mix]
    )
    shared = overlaps(found.workers)
    assert (sum(shared), max(shared)) == (found.shared, found.largest_pair)


def test_the_same_question_has_the_same_answer() -> None:
    sizes = [[64, 160], [96], [32, 224, 256]]
    first = streams_of("MI300X", sizes)
    layout._solve.cache_clear()
    assert streams_of("MI300X", sizes) == first


def test_the_whole_gpu_needs_no_mask() -> None:
    assert streams_of("MI50", [[15, 60], [60]])[1] == ()
    assert [stream.compute_units for stream in streams_of("MI50", [[60, 15], [60]])[0]] == [15]


@pytest.mark.parametrize(
    ("name", "sizes", "why"),
    [
        (
            "MI50",
            [[20]],
            "size 20 cannot be made on MI50: its atoms have 15 CUs; the nearest masked sizes are 15 or 30",
        ),
        ("MI50", [[15, 90]], "size 90 .* the nearest masked sizes are 45$"),
        ("MI50", [[0]], "size 0 .* the nearest masked sizes are 15$"),
        ("MI300X", [[76]], "its atoms have 8 CUs; the nearest masked sizes are 72 or 80"),
        ("RX7900XTX", [[25]], "the nearest masked sizes are 24 or 26"),
        ("MI300X-CPX", [[10, 18]], "sizes 10, 18 cannot be nested on MI300X-CPX"),
        ("MI50", [], "1 to 8 workers, not 0"),
        ("MI50", [[15]] * 9, "1 to 8 workers, not 9"),
    ],
)
def test_sizes_that_no_layout_has_are_refused_with_what_would_do(name: str, sizes: list[list[int]], why: str) -> None:
    with pytest.raises(InputError, match=why):
        streams_of(name, sizes)


def test_a_search_that_is_cut_off_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [[56, 58, 82], [4, 86], [14, 46, 74], [20, 26]]
    gpu, row = products.gpu_for("RX7900XTX"), products.product("RX7900XTX")
    monkeypatch.setattr(layout, "SEARCH_EFFORT", 0)
    layout._solve.cache_clear()
    found = layout.solve(gpu, row, sizes)
    layout._solve.cache_clear()
    assert not found.proven
    assert sum(overlaps(found.workers)) == found.shared
