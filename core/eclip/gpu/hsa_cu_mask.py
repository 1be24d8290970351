"""The environment variable HSA_CU_MASK, made and read exactly as ROCr reads it (core/util/flag.cpp, parse_masks).

GPU list : CU list [; GPU list : CU list]...      a CU list is 0x and hex digits, or numbers and ranges
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from eclip.errors import InputError
from eclip.plan import CuSet

MAX_CU = 1023
"""The driver takes at most 1024 mask bits (kfd_chardev.c)."""


@dataclass(frozen=True, slots=True)
class HsaCuMask:
    """What ROCr makes of a value of HSA_CU_MASK."""

    sets: Mapping[int, CuSet]
    """By GPU index after ROCR_VISIBLE_DEVICES. GPUs that are not named are not restricted."""
    ignored: str
    """What ROCr silently leaves out: the first part with an error and all that follow. Empty when all is read."""


def parse_hsa_cu_mask(value: str, max_gpu: int = 255, max_cu: int = MAX_CU) -> HsaCuMask:
    """Reads `value` as ROCr does: white space is dropped, numbers above the maxima are dropped, and reading stops
    without a word at the first set that is no good; a GPU or CU named twice and a mask without CUs are no good either.
    """
    parts = re.sub(r"[ \t\n\v\f\r]", "", value).upper().split(";")
    if parts[-1] == "":
        parts.pop()
    sets: dict[int, CuSet] = {}
    for index, part in enumerate(parts):
        parsed = _cu_set(part, max_gpu, max_cu)
        if parsed is None or not sets.keys().isdisjoint(parsed[0]):
            return HsaCuMask(MappingProxyType(sets), ";".join(parts[index:]).lower())
        sets.update(dict.fromkeys(*parsed))
    return HsaCuMask(MappingProxyType(sets), "")


def _cu_set(part: str, max_gpu: int, max_cu: int) -> tuple[list[int], CuSet] | None:
    fields = part.split(":")
    if len(fields) != 2 or not all(fields):
        return None
    gpus = _elements(fields[0], max_gpu)
    cus = _hex(fields[1], max_cu) if fields[1][1:2] == "X" else _bits(_elements(fields[1], max_cu))
    return (gpus, cus) if gpus and cus else None


def _hex(digits: str, max_cu: int) -> CuSet:
    if not re.fullmatch(r"0X[0-9A-F]+", digits):
        return 0
    return int(digits, 0) & (1 << 32 * (max_cu // 32 + 1)) - 1


def _bits(elements: Iterable[int]) -> CuSet:
    return sum(1 << element for element in elements)


def _elements(listed: str, maximum: int) -> list[int]:
    """The numbers of a list with ranges; empty if anything is wrong with it. C's strtoul reads an empty number as 0."""
    found: list[int] = []
    for entry in listed.removesuffix(",").split(","):
        ends = entry.removesuffix("-").split("-")
        if not entry or len(ends) > 2 or not all(re.fullmatch(r"\+?[0-9]*", end) and end != "+" for end in ends):
            return []
        first, last = (min(int(end or 0), 2**64 - 1) & 0xFFFFFFFF for end in (ends[0], ends[-1]))
        if last < first:
            return []
        found += [first] * (first <= maximum)
        found += range(first + 1, min(last, maximum) + 1)
    return sorted(found) if len(set(found)) == len(found) else []


def format_hsa_cu_mask(sets: Mapping[int, CuSet]) -> str:
    """A value of HSA_CU_MASK that gives every GPU (by index after ROCR_VISIBLE_DEVICES) its CU set, as ranges.

    The sets should have passed `masks.check`; one that names no CU is refused, because ROCr would ignore the rest too.
    """
    for gpu, cu_set in sets.items():
        if gpu < 0 or cu_set <= 0 or cu_set.bit_length() > MAX_CU + 1:
            raise InputError(
                f"HSA_CU_MASK for GPU {gpu}: 0x{cu_set:x} must name CUs between 0 and {MAX_CU}, at least one"
            )
    return ";".join(f"{gpu}:{ranges(sets[gpu])}" for gpu in sorted(sets))


def ranges(cu_set: CuSet) -> str:
    """The CUs of a set as a list with ranges, e.g. ``0-3,8,10-11``."""
    runs = re.finditer("1+", f"{cu_set:b}"[::-1])
    ends = [(run.start(), run.end() - 1) for run in runs]
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)
