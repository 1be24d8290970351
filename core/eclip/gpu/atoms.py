"""Atoms: the smallest sets of CUs that a layout hands out, and the sizes that can be made of them.

    se   a whole shader engine       one XCC and no WGPs: MI50, MI100, MI200, one partition of an MI300X
    xcc  one CU on every XCC         several XCCs behind one queue: an XCC without a CU hangs or runs unmasked
    wgp  a work-group processor      RDNA: half of one is refused by the driver

Atoms are listed in the order in which a first worker takes them. Engines come in bit-reversed order (0, 2, 1, 3), which
is the published order on MI50; the other kinds in the driver's order, which goes round the engines by itself.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from eclip.gpu import masks
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet

Kind = Literal["se", "xcc", "wgp"]


def atoms(gpu: Gpu, kind: Kind) -> tuple[CuSet, ...]:
    """All atoms of a GPU, in the order of preference; together they are the whole GPU, and no two share a CU."""
    cus = masks.deal(gpu)
    if kind == "se":
        by_engine: dict[int, CuSet] = {}
        for bit, cu in enumerate(cus):
            by_engine[cu.engine] = by_engine.get(cu.engine, 0) | 1 << bit
        engines = [by_engine[engine] for engine in sorted(by_engine)]
        return tuple(engines[index] for index in bit_reversed(len(engines)))
    width = gpu.xccs if kind == "xcc" else 2
    whole = (1 << width) - 1
    return tuple(whole << first for first in range(0, len(cus), width))


def bit_reversed(count: int) -> list[int]:
    """0 .. count - 1, ordered by the mirrored binary digits, so that every prefix is spread widely."""
    bits = max(1, (count - 1).bit_length())
    return sorted(range(count), key=lambda index: int(format(index, f"0{bits}b")[::-1], 2))


def sums(weights: Sequence[int]) -> list[int]:
    """All sizes above zero that some set of atoms of these weights has, ascending."""
    reach = 1
    for weight, count in Counter(weights).items():
        for _ in range(count):
            reach |= reach << weight
    return [size for size in range(1, sum(weights) + 1) if reach >> size & 1]


def default_sizes(gpu: Gpu, kind: Kind, steps: int) -> tuple[int, ...]:
    """Sizes in even steps up to the whole GPU, each the nearest one that atoms can give (the larger of two as near).

    Where there are many small atoms, sizes are whole rows of them over all engines, since an engine with fewer CUs than
    the others holds them back (Otterness and Anderson, RTNS'21).
    """
    total = gpu.compute_units
    if kind == "se":
        possible = sums([atom.bit_count() for atom in atoms(gpu, kind)])
    else:
        row = gpu.shader_engines * (gpu.xccs if kind == "xcc" else 2)
        possible = [*range(row, total, row), total]
    wanted = [total * step / steps for step in range(1, steps + 1)]
    return tuple(sorted({min(possible, key=lambda size: (abs(size - want), -size)) for want in wanted}))
