"""Which CUs each worker's stream of each size uses.

Every worker gets nested sets of atoms (`atoms`); the sum of shared CUs over all pairs (a stream of one worker, a stream
of another) is the least possible, then the largest pair is the smallest possible, then a stable order decides, which
on an MI50 with two workers gives the layout of the paper (ECLIP, sec. III-A). A worker with a ceiling gets whole atoms
inside it; its own stream, the ceiling itself, counts in all pairs as well. Pure and deterministic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, groupby, islice, product
from operator import itemgetter

from eclip.errors import InputError
from eclip.gpu import atoms, masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.layout import evenness, overlap
from eclip.layout.chains import Chain, chains, weights_of
from eclip.layout.columns import AtomClass, Kind
from eclip.layout.overlap import Overlap
from eclip.plan import CuSet, Stream

MAX_WORKERS = 8
SEARCH_EFFORT = 75_000
"""Columns (atoms x states) that an exact search may look at: some tenths of a second."""
MAX_CHAINS = 64
"""Ways of making all workers' sizes of atoms of unequal weight that are compared."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Masked streams per worker, smallest first, nested."""

    workers: tuple[tuple[Stream, ...], ...]
    shared: int
    """CUs shared, summed over all pairs (a stream of one worker, a stream of another)."""
    largest_pair: int
    """CUs shared by the pair that shares most."""
    proven: bool
    """True if no layout is better by these two criteria; False if a search limit left that open."""


def layout(
    gpu: Gpu, product: Product, sizes: Sequence[Sequence[int]], ceilings: Sequence[CuSet | None] = ()
) -> tuple[tuple[Stream, ...], ...]:
    """The streams of `solve`."""
    return solve(gpu, product, sizes, ceilings).workers


def solve(gpu: Gpu, product: Product, sizes: Sequence[Sequence[int]], ceilings: Sequence[CuSet | None] = ()) -> Layout:
    """A layout for workers that use these sizes.

    Args:
        sizes: CUs, by worker. That of the worker's own stream (its ceiling's, else the whole GPU's) gets no mask; a
            ceiling's is in use where it is named.
        ceilings: by worker, the CUs that it may use; None: all. Left out: all, for every worker.

    Raises:
        InputError: more than eight workers, or sizes that no nested sets of atoms have.
    """
    if not 1 <= len(sizes) <= MAX_WORKERS:
        raise InputError(f"a layout is for 1 to {MAX_WORKERS} workers, not {len(sizes)}")
    limits = ceilings or [None] * len(sizes)
    return _solve(gpu, product.atom, tuple(_part(gpu, *mine) for mine in zip(sizes, limits, strict=True)))


def nestable(
    gpu: Gpu, product: Product, sizes: Sequence[int], ceiling: CuSet | None = None
) -> tuple[tuple[int, ...], ...]:
    """The largest sets of these sizes that one worker can have nested streams of, largest first; `sizes` if it can.

    The size of its own stream needs no mask and is in each set, if among the sizes.
    """
    wanted = tuple(sorted(set(sizes)))
    part = _part(gpu, wanted, ceiling)
    own = set(wanted) - set(part.masked)
    kept: list[tuple[int, ...]] = []
    for count in range(len(part.masked), -1, -1):
        for some in combinations(part.masked, count):
            if not any(set(some) <= set(larger) for larger in kept) and _can_nest(gpu, product.atom, some, part.reach):
                kept.append(some)
    return tuple(tuple(sorted({*some, *own})) for some in kept if some or own)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one worker asks for."""

    masked: tuple[int, ...]
    """Sizes of its masked streams, ascending."""
    reach: CuSet
    """The CUs that it may use."""
    fixed: CuSet | None
    """Its own stream, if that is in use and not the whole GPU, which shares everything with everybody."""


def _part(gpu: Gpu, sizes: Sequence[int], ceiling: CuSet | None) -> _Part:
    reach = masks.within(gpu, ceiling)
    own = reach.bit_count()
    fixed = reach if own in sizes and own < gpu.compute_units else None
    return _Part(tuple(sorted(set(sizes) - {own})), reach, fixed)


@lru_cache(maxsize=4096)
def _can_nest(gpu: Gpu, kind: atoms.Kind, sizes: tuple[int, ...], reach: CuSet) -> bool:
    try:
        _chains(gpu, atoms.atoms(gpu, kind), sizes, reach)
    except InputError:
        return False
    return True


def _chains(gpu: Gpu, units: Sequence[CuSet], sizes: Sequence[int], reach: CuSet) -> list[Chain]:
    inside = [unit for unit in units if not unit & ~reach]
    most = reach.bit_count()
    where = gpu.product if reach == masks.whole(gpu) else f"{gpu.product} within a ceiling of {most} CUs"
    return chains(inside, weights_of(units), sizes, most, where)


@lru_cache(maxsize=4096)
def _solve(gpu: Gpu, atom: atoms.Kind, parts: tuple[_Part, ...]) -> Layout:
    units = atoms.atoms(gpu, atom)
    weights = weights_of(units)
    kinds = {unit: _kind(unit, parts) for unit in units}
    first = list(dict.fromkeys(kinds.values()))
    columns = [
        sorted((unit for unit in units if unit.bit_count() == weight), key=lambda unit: first.index(kinds[unit]))
        for weight in weights
    ]
    ways = [_chains(gpu, units, part.masked, part.reach) for part in parts]
    best, proven = _best(weights, [tuple(kinds[unit] for unit in mine) for mine in columns], ways)
    held = _place(gpu, best, columns, kinds)
    workers = tuple(_streams(held, index, part.masked) for index, part in enumerate(parts))
    for stream in (stream for streams in workers for stream in streams):
        masks.check(stream.cu_set, gpu)
    fixed = [part.fixed for part in parts if part.fixed is not None]
    between = [(one & other).bit_count() for one, other in combinations(fixed, 2)]
    return Layout(workers, best.shared + sum(between), max(best.largest_pair, *between, 0), proven)


def _kind(unit: CuSet, parts: Sequence[_Part]) -> Kind:
    return Kind(
        barred=sum(1 << worker for worker, part in enumerate(parts) if part.masked and unit & ~part.reach),
        fixed=tuple(None if part.fixed is None else (unit & part.fixed).bit_count() for part in parts),
    )


def _best(
    weights: Sequence[int], columns: Sequence[tuple[Kind, ...]], ways: Sequence[list[Chain]]
) -> tuple[Overlap, bool]:
    """The best placement over all combinations of chains; identical on chips whose sizes can be made in one way."""
    choices = list(islice(product(*ways), MAX_CHAINS + 1))
    proven = len(choices) <= MAX_CHAINS
    options = [_classes(weights, columns, choice) for choice in choices[:MAX_CHAINS]]
    best: Overlap | None = None
    for classes in sorted(options, key=overlap.shared_bound):
        if best is not None and overlap.shared_bound(classes) > best.shared:
            break
        found = overlap.least_overlap(classes, SEARCH_EFFORT // sum(map(len, columns)))
        proven = proven and found.proven
        if best is None or (found.shared, found.largest_pair) < (best.shared, best.largest_pair):
            best = found
    assert best is not None
    return best, proven


def _classes(weights: Sequence[int], columns: Sequence[tuple[Kind, ...]], chosen: Sequence[Chain]) -> list[AtomClass]:
    return [
        AtomClass(
            weight,
            kinds,
            tuple(tuple(sum(way[index] > column for way in chain) for column in range(len(kinds))) for chain in chosen),
        )
        for index, (weight, kinds) in enumerate(zip(weights, columns, strict=True))
    ]


Held = list[tuple[CuSet, tuple[int, ...]]]
"""Every atom with the levels of all workers on it."""


def _place(gpu: Gpu, best: Overlap, columns: Sequence[Sequence[CuSet]], kinds: Mapping[CuSet, Kind]) -> Held:
    """Gives atoms to the columns of the solution: any of the same kind would do, so preference and engines decide.

    The first worker takes atoms from the front, the second from the back; the others alternate where these are equal.
    """
    engine_of = [cu.engine for cu in masks.deal(gpu)]
    held: Held = []
    for units, rows in zip(columns, best.rows, strict=True):
        found = zip((kinds[unit] for unit in units), zip(*rows, strict=True), strict=True)
        levels = [
            entry
            for _, alike in groupby(found, key=itemgetter(0))
            for entry in sorted((entry for _, entry in alike), key=_front_and_back)
        ]
        engines = [engine_of[(unit & -unit).bit_length() - 1] for unit in units]
        # An engine per atom: whole engines, where evenness is none of ours.
        if len(set(engines)) < len(units):
            levels = evenness.even(levels, engines, [kinds[unit] for unit in units])
        held += zip(units, levels, strict=True)
    return held


def _front_and_back(levels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-level if index % 2 == 0 else level for index, level in enumerate(levels))


def _streams(held: Held, worker: int, sizes: Sequence[int]) -> tuple[Stream, ...]:
    deepest = len(sizes)
    sets = [
        sum(unit for unit, levels in held if levels[worker] > deepest - 1 - position) for position in range(deepest)
    ]
    return tuple(Stream(size, cu_set) for size, cu_set in zip(sizes, sets, strict=True))
