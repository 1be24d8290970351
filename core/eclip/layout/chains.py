"""How sizes are made of atoms: the ways to nest them, where atoms have unequal weights. Pure."""

from collections.abc import Sequence
from itertools import product

from eclip.errors import InputError
from eclip.gpu import atoms
from eclip.plan import CuSet

Chain = tuple[tuple[int, ...], ...]
"""Per size, ascending: how many atoms of each weight. Never falls from one size to the next."""


def weights_of(units: Sequence[CuSet]) -> tuple[int, ...]:
    """The weights of atoms that occur, in CUs, the greatest first."""
    return tuple(sorted({unit.bit_count() for unit in units}, reverse=True))


def chains(units: Sequence[CuSet], weights: Sequence[int], sizes: Sequence[int], most: int, where: str) -> list[Chain]:
    """All ways to make a worker's sizes of these atoms, nested.

    Args:
        units: the atoms that the worker may have.
        weights: those that are told apart, whether any of `units` has them or not.
        most: CUs of the application's own stream; masked sizes are smaller.
        where: the chip, for the message.

    Raises:
        InputError: naming the nearest sizes, if there is none.
    """
    counts = [sum(unit.bit_count() == weight for unit in units) for weight in weights]
    possible = [size for size in atoms.sums([unit.bit_count() for unit in units]) if size < most]
    for size in sizes:
        if size not in possible:
            below = max((other for other in possible if other < size), default=None)
            above = min((other for other in possible if other > size), default=None)
            near = " or ".join(str(other) for other in (below, above) if other is not None)
            raise InputError(
                f"size {size} cannot be made on {where}: its atoms have {_listed(weights)} CUs; "
                f"{f'the nearest masked sizes are {near}' if near else 'there is no masked size at all'}"
            )
    found: list[Chain] = [()]
    for size in sizes:
        ways = [
            way
            for way in product(*(range(count + 1) for count in counts))
            if sum(weight * taken for weight, taken in zip(weights, way, strict=True)) == size
        ]
        found = [(*chain, way) for chain in found for way in ways if not chain or _within(chain[-1], way)]
    if not found:
        raise InputError(
            f"sizes {_listed(sizes)} cannot be nested on {where}: each is a union of atoms of {_listed(weights)} "
            f"CUs, but no smaller one fits into every larger one; leave one out (possible alone: {_listed(possible)})"
        )
    return found


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _within(small: Sequence[int], large: Sequence[int]) -> bool:
    return all(mine <= theirs for mine, theirs in zip(small, large, strict=True))
