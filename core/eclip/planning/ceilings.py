"""Workers under a ceiling: CUs that no stream of their process gets beyond (HSA_CU_MASK, read when it starts). Pure.

Such a worker's own stream has the ceiling's CUs, and takes the place of the whole GPU. Its masked streams are made of
the whole atoms inside. A ceiling may have a number of CUs that nobody profiled: a kernel then counts as slow on it as
on the nearest smaller size.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from eclip.errors import InfeasibleError
from eclip.gpu import atoms, masks
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet


def own_size(gpu: Gpu, ceiling: CuSet | None) -> int:
    """CUs of a worker's own stream. InputError for a ceiling that leaves none."""
    return masks.within(gpu, ceiling).bit_count()


def reach(gpu: Gpu, ceilings: Iterable[CuSet | None]) -> int:
    """CUs that any of the workers can get at."""
    union = 0
    for ceiling in ceilings:
        union |= masks.within(gpu, ceiling)
    return union.bit_count()


def sizes(gpu: Gpu, product: Product, worker: str, ceiling: CuSet, wanted: Sequence[int]) -> tuple[int, ...]:
    """Those of the wanted sizes that a worker can have, ascending; its own stream's for all that are larger.

    Raises:
        InfeasibleError: all are larger than its ceiling.
    """
    own = own_size(gpu, ceiling)
    if wanted[0] > own:
        raise InfeasibleError(
            f"worker {worker}: needs at least {wanted[0]} CUs, its ceiling leaves it {own} CUs; raise the ceiling, "
            "or profile and allow smaller sizes"
        )
    inside = [atom.bit_count() for atom in atoms.atoms(gpu, product.atom) if not atom & ~ceiling]
    possible = set(atoms.sums(inside))
    masked = tuple(size for size in wanted if size < own and size in possible)
    return masked if masked and wanted[-1] < own else (*masked, own)


def column(profiled: Sequence[int], size: int) -> int:
    """Which of the profiled sizes tells the times on `size` CUs: the same, else the nearest smaller one."""
    return bisect_right(profiled, size) - 1
