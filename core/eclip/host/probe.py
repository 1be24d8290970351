"""Where workgroups ran, from the hardware id that the probe kernel (native/probe/probe.hip) reads. Pure.

Not yet run on silicon: the bit fields come from AMD's documents, the read-out is tested on constructed words.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eclip.gpu import masks
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet


@dataclass(frozen=True, slots=True)
class Field:
    """`size` bits of the register from bit `offset` on."""

    offset: int
    size: int

    def of(self, word: int) -> int:
        """The field's value."""
        return word >> self.offset & (1 << self.size) - 1


@dataclass(frozen=True, slots=True)
class Register:
    """The register that tells a wave where it is."""

    number: int
    """For s_getreg_b32: 4 is HW_ID, 23 is HW_ID1."""
    engine: Field
    array: Field
    unit: Field
    """The CU within its array, physical: harvested CUs leave gaps. On RDNA the WGP."""


_HW_ID_2_BITS = Register(4, engine=Field(13, 2), array=Field(12, 1), unit=Field(8, 4))
_HW_ID_3_BITS = Register(4, engine=Field(13, 3), array=Field(12, 1), unit=Field(8, 4))

REGISTERS: Mapping[str, Register] = {
    "gfx906": _HW_ID_2_BITS,
    "gfx908": _HW_ID_3_BITS,
    "gfx90a": _HW_ID_3_BITS,
    "gfx1030": Register(23, engine=Field(18, 2), array=Field(16, 1), unit=Field(10, 4)),
    "gfx1100": Register(23, engine=Field(18, 3), array=Field(16, 1), unit=Field(10, 4)),
}
"""By target. Sources: AMD ISA guides (Vega 7nm, CDNA, CDNA2: HW_ID; RDNA2, RDNA3: HW_ID1), and the field sizes in
hip/amd_detail/amd_device_functions.h, which reads the same registers for its __smid()."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A CU (RDNA: a WGP) by its physical numbers."""

    engine: int
    array: int
    unit: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What the probe saw against what the mask allows; counts are CUs (RDNA: WGPs) by shader engine."""

    seen: Mapping[int, int]
    allowed: Mapping[int, int]
    blank: bool
    """No workgroup reported anything: an emulated GPU runs no machine code."""

    @property
    def outside(self) -> int:
        """Units seen beyond the mask: 0 if the mask was obeyed."""
        return sum(max(0, count - self.allowed.get(engine, 0)) for engine, count in self.seen.items())

    @property
    def complete(self) -> bool:
        """True if every unit of the mask was seen."""
        return self.seen == self.allowed


def place(word: int, gfx: str) -> Place:
    """The place that a register value names. KeyError for a target that the probe does not know."""
    register = REGISTERS[gfx]
    return Place(register.engine.of(word), register.array.of(word), register.unit.of(word))


def judge(words: Iterable[int], gpu: Gpu, cu_set: CuSet, blank_word: int) -> Finding:
    """Compare the places of all workgroups with the mask they ran under.

    Physical numbers differ from the driver's where CUs are harvested, so that units are counted by engine.
    """
    written = [word for word in words if word != blank_word]
    places = {place(word, gpu.gfx) for word in written}
    seen = Counter(found.engine for found in places)
    deal = masks.deal(gpu)
    units = {
        (deal[bit].se, deal[bit].sa, deal[bit].cu // 2 if gpu.wgp_mode else deal[bit].cu)
        for bit in range(gpu.compute_units)
        if cu_set >> bit & 1
    }
    return Finding(dict(seen), dict(Counter(engine for engine, _, _ in units)), blank=not written)
