"""What a kernel demands of the chip, inferred from its profile: compute-unit time and memory traffic. Pure.

A profile has a kernel's solo time at each size and its grid, nothing else. Read as the contention model makes times
(native/contention/README.md), a kernel of `g` workgroups takes on a size of `s` CUs, spread over `e` shader engines,

    max(ceil(ceil(g / e) / (r * s / e)) * wave, memory)

with `r` workgroups resident on a CU. `r`, `wave` and `memory` are not known; every `r` that the hardware allows is
tried, with waves and memory times taken from the measured times themselves, and the readings that explain all sizes
within `FIT` are kept. Of those

- one without a memory limit comes first: a curve that flattens because one wave suffices says nothing about memory.
  So traffic is inferred only where the curve flattens although there are workgroups for more CUs;
- then the one that fits best;
- then the one with the fewest residents: more CUs kept busy, so that contention is not underestimated.

Where nothing fits, the kernel is taken to use the CUs fully at the size where it uses them best, and to be limited by
memory if its time no longer falls although more workgroups than any CU could hold are waiting.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from eclip.documents.profile import KernelCall

FIT = 0.04
"""A reading explains a time that it misses by no more than this part: above the noise of medians on an idle chip."""
CU_WORK_ITEMS = 2560
"""Resident on one CU at most: 4 SIMDs x 10 waves x 64 lanes (Vega ISA); later chips hold fewer."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One launch of a kernel, whatever its size."""

    cu_micros: float
    """CUs kept busy, integrated over the kernel's time."""
    memory_micros: float
    """Time that its memory traffic needs at the chip's full bandwidth. 0: not inferred."""
    workgroups: int

    def busy_cus(self, size: int, micros: float) -> float:
        """CUs kept busy on average when it runs alone on `size` CUs in `micros`."""
        return min(self.cu_micros / micros, size, self.workgroups)


@dataclass(frozen=True, slots=True)
class Spread:
    """How a size lies on the chip."""

    size: int
    engines: int
    """Shader engines that have a CU of it."""
    smallest: int
    """CUs of it on the engine that has the fewest."""


@lru_cache(maxsize=1 << 14)  # the variants of a plan ask for the same launches again and again
def infer(call: KernelCall, spreads: tuple[Spread, ...]) -> Demand:
    """The demand of a launch; `spreads` are the profile's sizes."""
    micros = np.array(call.micros)
    workgroups = math.prod(call.grid)
    most = float((micros * np.array([spread.size for spread in spreads])).min())
    reading = _best_reading(call, micros, spreads)
    if reading is None:
        return Demand(most, _flat_memory(call, spreads), workgroups)
    cu_micros, memory_micros = reading
    return Demand(min(cu_micros, most), memory_micros, workgroups)


def _best_reading(
    call: KernelCall, micros: npt.NDArray[np.float64], spreads: Sequence[Spread]
) -> tuple[float, float] | None:
    """(CU time, memory time); None if no reading explains the times."""
    workgroups, block = math.prod(call.grid), math.prod(call.block)
    residents = np.arange(1, max(1, CU_WORK_ITEMS // block) + 1)
    per_engine = np.array([math.ceil(workgroups / spread.engines) for spread in spreads])
    cus = np.array([spread.smallest for spread in spreads])
    waves = np.ceil(per_engine / (residents[:, None] * cus))
    wave = micros / waves  # [residents, size whose time is one of waves]
    memory = np.append(0.0, micros)
    compute = wave[:, :, None] * waves[:, None, :]  # [residents, size, size]
    made = np.maximum(compute[:, :, None, :], memory[:, None])
    error = np.abs(made / micros - 1).max(axis=-1)
    limited = memory[None, None, :] > compute[:, :, None, -1] * (1 + FIT)
    fits = (error <= FIT) & (limited | (memory == 0))
    if not fits.any():
        return None
    resident, at, which = np.nonzero(fits)
    order = np.lexsort((resident, error[fits].round(3), limited[fits]))
    first = order[0]
    best = residents[resident[first]]
    return float(workgroups / best * wave[resident[first], at[first]]), float(memory[which[first]])


def _flat_memory(call: KernelCall, spreads: Sequence[Spread]) -> float:
    whole = call.micros[-1]
    flat = next(spread for spread, micros in zip(spreads, call.micros, strict=True) if micros <= whole * (1 + FIT))
    held = max(1, CU_WORK_ITEMS // math.prod(call.block)) * flat.size
    return whole if flat is not spreads[-1] and math.prod(call.grid) > held else 0.0
