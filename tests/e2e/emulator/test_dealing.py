"""The emulator's dealing of mask bits and the planner's own were written apart. They agree on every chip."""

import ctypes
import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclip.emulated import LIBRARIES
from eclip.gpu import kfd, masks
from eclip.gpu.topology import Gpu

Seat = tuple[int, int, int, int]
TREES = Path(__file__).parents[2] / "data" / "kfd"


@cache
def library() -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(LIBRARIES / "libhsakmt.so.1"))
    loaded.hsaKmtEclipDeal.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint32]
    return loaded


def emulators_dealing(gpu: Gpu) -> list[Seat]:
    config = json.dumps({"gpus": [{"gfx": gpu.gfx, "active": gpu.active}]})
    seats = (ctypes.c_uint32 * 4096)()
    count = library().hsaKmtEclipDeal(config.encode(), seats, 1024)
    assert count > 0
    return [tuple(seats[4 * bit : 4 * bit + 4]) for bit in range(count)]  # type: ignore[misc]


def planners_dealing(gpu: Gpu) -> list[Seat]:
    return [(cu.xcc, cu.se, cu.sa, cu.cu) for cu in masks.deal(gpu)]


def gpu_of(gfx: str, active: tuple[tuple[tuple[int, ...], ...], ...]) -> Gpu:
    return Gpu(1, "any", gfx, active, 1, 128, None, 1 << 34)


@st.composite
def chips(draw: st.DrawFn) -> Gpu:
    """Chips with any harvest; XCCs have equally many CUs, in any order of their engines; pairs on RDNA."""
    pairs = draw(st.booleans())
    xccs = 1 if pairs else draw(st.integers(1, 8))
    engines, arrays = draw(st.integers(1, 8)), draw(st.integers(1, 2))
    count = st.integers(0, 8).map(lambda wgps: 2 * wgps) if pairs else st.integers(0, 16)
    counts = st.lists(count, min_size=arrays, max_size=arrays).map(tuple)
    first = draw(st.lists(counts, min_size=engines, max_size=engines).filter(lambda xcc: any(map(any, xcc))))
    others = [draw(st.permutations(first)) for _ in range(xccs - 1)]
    active = tuple(tuple(xcc) for xcc in (first, *others))
    most = 1024 // max(1, sum(map(sum, first)))
    return gpu_of("gfx1100" if pairs else "gfx90a", active[:most])


@settings(max_examples=400, deadline=None)
@given(chips())
def test_both_dealings_agree_on_any_chip(gpu: Gpu) -> None:
    assert emulators_dealing(gpu) == planners_dealing(gpu)


@pytest.mark.parametrize("tree", sorted(path.name for path in TREES.iterdir() if path.is_dir()))
def test_both_dealings_agree_on_every_known_chip(tree: str) -> None:
    for gpu in kfd.read_gpus(TREES / tree):
        assert emulators_dealing(gpu) == planners_dealing(gpu)


def test_neighbouring_bits_lie_on_neighbouring_engines_of_an_mi50() -> None:
    mi50 = emulators_dealing(gpu_of("gfx906", (((15,),) * 4,)))
    assert mi50[:5] == [(0, 0, 0, 0), (0, 1, 0, 0), (0, 2, 0, 0), (0, 3, 0, 0), (0, 0, 0, 1)]
    assert [bit for bit, seat in enumerate(mi50) if seat[1] == 3] == list(range(3, 60, 4))


def test_a_harvested_cu_consumes_no_bit() -> None:
    assert emulators_dealing(gpu_of("gfx906", (((2,), (1,), (2,)),))) == [
        (0, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 2, 0, 0),
        (0, 0, 0, 1),
        (0, 2, 0, 1),
    ]
