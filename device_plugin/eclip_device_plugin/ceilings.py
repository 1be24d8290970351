"""Which CUs a container gets under a ceiling. Pure.

Containers of one GPU get different ones, as far as there are enough: a set is chosen when a container is made, of the
atoms that the ceilings of the others leave least used. It then stays for the container's life, since ROCr reads
HSA_CU_MASK when a program starts.
"""

from collections.abc import Iterable

from eclip.errors import InputError
from eclip.gpu import atoms, masks, products
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet


def check(gpu: Gpu, compute_units: int, source: str) -> None:
    """Raises InputError if no set of whole atoms of the GPU has so many CUs."""
    kind = products.product(gpu.product).atom
    possible = atoms.sums([atom.bit_count() for atom in atoms.atoms(gpu, kind)])
    if compute_units not in possible:
        near = sorted(sorted(possible, key=lambda size: abs(size - compute_units))[:2])
        raise InputError(
            f"{source}: ceiling {compute_units}: {gpu.product} with {gpu.compute_units} CUs gives whole {kind} atoms "
            f"only; use {' or '.join(map(str, near))}"
        )


def choose(gpu: Gpu, compute_units: int, others: Iterable[CuSet]) -> CuSet:
    """So many CUs in whole atoms: those that are in the fewest of the other containers' ceilings, then the first ones.

    `compute_units` is one that passes `check`.
    """
    taken = list(others)

    def use(atom: CuSet) -> float:
        return sum((atom & other).bit_count() for other in taken) / atom.bit_count()

    free = sorted(atoms.atoms(gpu, products.product(gpu.product).atom), key=use)
    chosen, wanted = 0, compute_units
    for index, atom in enumerate(free):
        size = atom.bit_count()
        # Atoms may have unequal sizes: the rest must still come out even.
        if size == wanted or wanted - size in atoms.sums([other.bit_count() for other in free[index + 1 :]]):
            chosen, wanted = chosen | atom, wanted - size
        if not wanted:
            break
    masks.check(chosen, gpu)
    return chosen
