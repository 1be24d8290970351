"""CU sets, and the masks that HIP and ROCr want for them.

A CU set is an integer whose bit b is CU b in the kernel driver's order. The driver deals mask bits like cards
(kfd_mqd_manager.c, mqd_symmetrically_map_cu_mask): XCC fastest, then shader engine, then shader array, then the CU
inside the array; harvested CUs consume no bit. On RDNA (gfx10 and later) it deals whole work-group processors, two bits
at a time. HIP hands masks through unchanged, except that from ROCm 5.7 on one HIP bit is one WGP there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from eclip.errors import InputError
from eclip.gpu.hsa_cu_mask import HsaCuMask, format_hsa_cu_mask, parse_hsa_cu_mask
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet

__all__ = [
    "Cu",
    "HsaCuMask",
    "check",
    "cu_set_of",
    "deal",
    "format_hsa_cu_mask",
    "hip_words",
    "join",
    "parse",
    "parse_hsa_cu_mask",
    "show",
    "text",
    "whole",
    "within",
    "words",
]

WORD_BITS = 32
WORD = (1 << WORD_BITS) - 1
WGP_BITS_SINCE = (5, 7)
"""First ROCm version in which a HIP bit is a WGP on RDNA (ROCclr, acquireQueue)."""


@dataclass(frozen=True, slots=True)
class Cu:
    """Where one mask bit leads."""

    xcc: int
    se: int
    """Within the XCC."""
    sa: int
    cu: int
    """The CU's number among the active ones of its shader array."""
    engine: int
    """Shader engine counted over all XCCs."""


@lru_cache(maxsize=64)
def deal(gpu: Gpu) -> tuple[Cu, ...]:
    """The CU that every mask bit leads to; the index is the bit.

    Raises InputError for a shape that the driver's rule cannot serve: XCCs of unequal size (the mask is cut at the
    node's CU count, so CUs would be out of reach) and, on RDNA, an array with half a WGP.
    """
    counts = [sum(sum(se) for se in xcc) for xcc in gpu.active]
    if len(set(counts)) != 1:
        raise InputError(f"GPU node {gpu.node}: XCCs have {counts} active CUs; masks can only serve equal XCCs")
    step = 2 if gpu.wgp_mode else 1
    if any(cus % step for xcc in gpu.active for se in xcc for cus in se):
        raise InputError(f"GPU node {gpu.node}: a shader array of {gpu.gfx} has an odd number of CUs; WGPs are pairs")
    rows = [_deal_xcc(xcc, index, step) for index, xcc in enumerate(gpu.active)]
    return tuple(
        cu for first in range(0, counts[0], step) for row in rows for cu in row[first : first + step]
    )  # bit i belongs to XCC (i / step) mod n: every XCC looks at its own bits only


def _deal_xcc(engines: tuple[tuple[int, ...], ...], xcc: int, step: int) -> list[Cu]:
    tallest = max(cus for se in engines for cus in se)
    return [
        Cu(xcc, se, sa, cu, xcc * len(engines) + se)
        for first in range(0, tallest, step)
        for sa in range(len(engines[0]))
        for se in range(len(engines))
        if engines[se][sa] > first
        for cu in range(first, first + step)
    ]


def whole(gpu: Gpu) -> CuSet:
    """All CUs of the GPU."""
    return (1 << gpu.compute_units) - 1


def within(gpu: Gpu, ceiling: CuSet | None) -> CuSet:
    """The CUs of the GPU that a ceiling leaves; all, where there is none. InputError for one that leaves nothing."""
    left = whole(gpu) if ceiling is None else ceiling & whole(gpu)
    if not left:
        raise InputError(
            f"ceiling 0x{ceiling:x} leaves no CU of {gpu.product}; name at least one of {gpu.compute_units} CUs"
        )
    return left


def check(cu_set: CuSet, gpu: Gpu) -> None:
    """Raises InputError, saying why, for a set that would hang a queue on this GPU or leave it unmasked."""
    width = gpu.compute_units
    what = f"CU set 0x{cu_set:x}" if cu_set >= 0 else f"CU set {cu_set}"
    if cu_set <= 0:
        raise InputError(f"{what} has no CU: a queue without CUs never finishes; name at least one of {width} CUs")
    if cu_set >> width:
        raise InputError(
            f"{what} names CU {cu_set.bit_length() - 1}, but {gpu.product} has {width} CUs (0 to {width - 1}): "
            "bits beyond them are ignored, and a mask of nothing else leaves the queue on the whole GPU"
        )
    if gpu.wgp_mode:
        _check_pairs(cu_set, width, what, gpu)
    _check_xccs(cu_set, what, gpu)


def _check_pairs(cu_set: CuSet, width: int, what: str, gpu: Gpu) -> None:
    even = int("01" * (width // 2), 2)
    split = (cu_set ^ cu_set >> 1) & even
    if split:
        pair = (split & -split).bit_length() - 1
        raise InputError(
            f"{what} has one CU of the pair {pair}, {pair + 1}: half a WGP is refused on {gpu.gfx}, and the queue "
            "then runs on the whole GPU; name both or neither"
        )


def _check_xccs(cu_set: CuSet, what: str, gpu: Gpu) -> None:
    served = {cu.xcc for bit, cu in enumerate(deal(gpu)) if cu_set >> bit & 1}
    missing = sorted(set(range(gpu.xccs)) - served)
    if missing:
        raise InputError(
            f"{what} has no CU on XCC {', '.join(map(str, missing))} of {gpu.product}: an XCC without a CU hangs or "
            f"runs unmasked; name at least one CU on each of the {gpu.xccs} XCCs"
        )


def words(bits: int, width: int) -> tuple[int, ...]:
    """`bits` as 32-bit words, lowest first, enough of them for `width` bits."""
    count = -(-width // WORD_BITS)
    return tuple(bits >> WORD_BITS * index & WORD for index in range(count))


def join(mask_words: Sequence[int]) -> int:
    """The inverse of `words`."""
    return sum((word & WORD) << WORD_BITS * index for index, word in enumerate(mask_words))


def _wgp_bits(gpu: Gpu, rocm: tuple[int, int]) -> bool:
    return gpu.wgp_mode and rocm >= WGP_BITS_SINCE


def hip_words(cu_set: CuSet, gpu: Gpu, rocm: tuple[int, int]) -> tuple[int, ...]:
    """The words for hipExtStreamCreateWithCUMask under a ROCm version (major, minor). Checks the set first."""
    check(cu_set, gpu)
    if not _wgp_bits(gpu, rocm):
        return words(cu_set, gpu.compute_units)
    wgps = gpu.compute_units // 2
    return words(sum((cu_set >> 2 * wgp & 1) << wgp for wgp in range(wgps)), wgps)


def cu_set_of(hip_mask: Sequence[int], gpu: Gpu, rocm: tuple[int, int]) -> CuSet:
    """The CU set behind HIP's words, as hipExtStreamGetCUMask gives them; bits beyond the GPU are left out."""
    bits = join(hip_mask)
    if _wgp_bits(gpu, rocm):
        bits = sum(3 << 2 * wgp for wgp in range(gpu.compute_units // 2) if bits >> wgp & 1)
    return bits & whole(gpu)


def text(mask_words: Sequence[int]) -> str:
    """The printed form: ``0x``, then eight lower-case digits per word, the highest word first."""
    return "0x" + "".join(f"{word:08x}" for word in reversed(mask_words))


def show(cu_set: CuSet, gpu: Gpu) -> str:
    """A CU set of this GPU in the printed form, in the driver's bit order."""
    return text(words(cu_set, gpu.compute_units))


def parse(printed: str) -> tuple[int, ...]:
    """The words of a printed mask, lowest first. InputError for anything that `text` would not print."""
    digits = printed.removeprefix("0x")
    fits = digits and len(digits) % 8 == 0 and len(digits) == len(printed) - 2
    if not fits or set(digits) - set("0123456789abcdef"):
        raise InputError(f"mask {printed!r} is not `0x` and eight lower-case hex digits per 32-bit word")
    return words(int(digits, 16), 4 * len(digits))
