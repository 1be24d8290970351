"""Which CUs each worker's stream of each size uses.

Every worker gets nested sets of atoms (`atoms`); the sum of shared CUs over all pairs (a stream of one worker, a stream
of another) is the least possible, then the largest pair is the smallest possible, then a stable order decides, which
on an MI50 with two workers gives the layout of the paper (ECLIP, sec. III-A). Pure and deterministic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice, product

from eclip.errors import InputError
from eclip.gpu import atoms, masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.layout import evenness, overlap
from eclip.layout.overlap import AtomClass, Overlap
from eclip.plan import CuSet, Stream

MAX_WORKERS = 8
SEARCH_EFFORT = 75_000
"""Columns (atoms x states) that an exact search may look at: some tenths of a second."""
MAX_CHAINS = 64
"""Ways of making all workers' sizes of atoms of unequal weight that are compared."""

Chain = tuple[tuple[int, ...], ...]
"""Per size, ascending: how many atoms of each class. Never falls from one size to the next."""


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


def layout(gpu: Gpu, product: Product, sizes: Sequence[Sequence[int]]) -> tuple[tuple[Stream, ...], ...]:
    """The streams of `solve`."""
    return solve(gpu, product, sizes).workers


def solve(gpu: Gpu, product: Product, sizes: Sequence[Sequence[int]]) -> Layout:
    """A layout for workers with these masked sizes (CUs; the whole GPU is left out, it needs no mask).

    Raises InputError for more than eight workers, and for sizes that no nested sets of atoms have.
    """
    if not 1 <= len(sizes) <= MAX_WORKERS:
        raise InputError(f"a layout is for 1 to {MAX_WORKERS} workers, not {len(sizes)}")
    wanted = tuple(tuple(sorted(set(mine) - {gpu.compute_units})) for mine in sizes)
    return _solve(gpu, product.atom, wanted)


def nestable(gpu: Gpu, product: Product, sizes: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The largest sets of these sizes that one worker can have nested streams of, largest first; `sizes` if it can.

    The whole GPU needs no stream and is in each set, if among the sizes.
    """
    wanted = tuple(sorted(set(sizes)))
    masked = tuple(size for size in wanted if size != gpu.compute_units)
    kept: list[tuple[int, ...]] = []
    for count in range(len(masked), -1, -1):
        for some in combinations(masked, count):
            if not any(set(some) <= set(larger) for larger in kept) and _can_nest(gpu, product.atom, some):
                kept.append(some)
    whole = wanted[len(masked) :]
    return tuple((*some, *whole) for some in kept if some or whole)


@lru_cache(maxsize=4096)
def _can_nest(gpu: Gpu, kind: atoms.Kind, sizes: tuple[int, ...]) -> bool:
    try:
        _chains(gpu, *_weighed(atoms.atoms(gpu, kind)), sizes)
    except InputError:
        return False
    return True


def _weighed(units: Sequence[CuSet]) -> tuple[list[int], tuple[int, ...]]:
    """The weights of atoms that occur, in CUs, and how many atoms have each."""
    weights = sorted({unit.bit_count() for unit in units}, reverse=True)
    return weights, tuple(sum(unit.bit_count() == weight for unit in units) for weight in weights)


@lru_cache(maxsize=4096)
def _solve(gpu: Gpu, kind: atoms.Kind, sizes: tuple[tuple[int, ...], ...]) -> Layout:
    units = atoms.atoms(gpu, kind)
    weights, counts = _weighed(units)
    chains = [_chains(gpu, weights, counts, mine) for mine in sizes]
    best, proven = _best(weights, counts, chains)
    columns = [[unit for unit in units if unit.bit_count() == weight] for weight in weights]
    held = _place(gpu, best, columns)
    workers = tuple(_streams(held, index, mine) for index, mine in enumerate(sizes))
    for stream in (stream for streams in workers for stream in streams):
        masks.check(stream.cu_set, gpu)
    return Layout(workers, best.shared, best.largest_pair, proven)


def _chains(gpu: Gpu, weights: Sequence[int], counts: Sequence[int], sizes: Sequence[int]) -> list[Chain]:
    """All ways to make a worker's sizes of atoms, nested. InputError naming the nearest sizes if there is none."""
    every = [weight for weight, count in zip(weights, counts, strict=True) for _ in range(count)]
    possible = atoms.sums(every)[:-1]
    for size in sizes:
        if size not in possible:
            below = max((other for other in possible if other < size), default=None)
            above = min((other for other in possible if other > size), default=None)
            near = " or ".join(str(other) for other in (below, above) if other is not None)
            raise InputError(
                f"size {size} cannot be made on {gpu.product}: its atoms have {_listed(weights)} CUs; "
                f"the nearest masked sizes are {near}"
            )
    chains: list[Chain] = [()]
    for size in sizes:
        ways = [
            way
            for way in product(*(range(count + 1) for count in counts))
            if sum(weight * taken for weight, taken in zip(weights, way, strict=True)) == size
        ]
        chains = [(*chain, way) for chain in chains for way in ways if not chain or _within(chain[-1], way)]
    if not chains:
        raise InputError(
            f"sizes {_listed(sizes)} cannot be nested on {gpu.product}: each is a union of atoms of {_listed(weights)} "
            f"CUs, but no smaller one fits into every larger one; leave one out (possible alone: {_listed(possible)})"
        )
    return chains


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _within(small: Sequence[int], large: Sequence[int]) -> bool:
    return all(mine <= theirs for mine, theirs in zip(small, large, strict=True))


def _best(weights: Sequence[int], counts: Sequence[int], chains: Sequence[list[Chain]]) -> tuple[Overlap, bool]:
    """The best placement over all combinations of chains; identical on chips whose sizes can be made in one way."""
    combinations_of_chains = list(islice(product(*chains), MAX_CHAINS + 1))
    proven = len(combinations_of_chains) <= MAX_CHAINS
    options = [_classes(weights, counts, choice) for choice in combinations_of_chains[:MAX_CHAINS]]
    best: Overlap | None = None
    for classes in sorted(options, key=overlap.shared_bound):
        if best is not None and overlap.shared_bound(classes) > best.shared:
            break
        found = overlap.least_overlap(classes, SEARCH_EFFORT // sum(counts))
        proven = proven and found.proven
        if best is None or (found.shared, found.largest_pair) < (best.shared, best.largest_pair):
            best = found
    assert best is not None
    return best, proven


def _classes(weights: Sequence[int], counts: Sequence[int], chains: Sequence[Chain]) -> list[AtomClass]:
    return [
        AtomClass(
            weight,
            tuple(tuple(sum(way[index] > column for way in chain) for column in range(count)) for chain in chains),
        )
        for index, (weight, count) in enumerate(zip(weights, counts, strict=True))
    ]


Held = list[tuple[CuSet, tuple[int, ...]]]
"""Every atom with the levels of all workers on it."""


def _place(gpu: Gpu, best: Overlap, columns: Sequence[Sequence[CuSet]]) -> Held:
    """Gives atoms to the columns of the solution: any atom of the class would do, so preference and engines decide.

    The first worker takes atoms from the front, the second from the back; the others alternate where these are equal.
    """
    engine_of = [cu.engine for cu in masks.deal(gpu)]
    held: Held = []
    for units, rows in zip(columns, best.rows, strict=True):
        levels = sorted(zip(*rows, strict=True), key=_front_and_back)
        engines = [engine_of[(unit & -unit).bit_length() - 1] for unit in units]
        # An engine per atom: whole engines, where evenness is none of ours.
        placed = levels if len(set(engines)) == len(units) else evenness.even(levels, engines)
        held += zip(units, placed, strict=True)
    return held


def _front_and_back(levels: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-level if index % 2 == 0 else level for index, level in enumerate(levels))


def _streams(held: Held, worker: int, sizes: Sequence[int]) -> tuple[Stream, ...]:
    deepest = len(sizes)
    sets = [
        sum(unit for unit, levels in held if levels[worker] > deepest - 1 - position) for position in range(deepest)
    ]
    return tuple(Stream(size, cu_set) for size, cu_set in zip(sizes, sets, strict=True))
