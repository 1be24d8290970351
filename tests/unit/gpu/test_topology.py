"""The shape of a GPU, and how active CUs are spread where nobody says which ones were harvested."""

import pytest

from eclip.gpu.topology import Gpu, gfx_version, spread


@pytest.mark.parametrize(
    ("gfx", "expected"), [("gfx906", (9, 0, 6)), ("gfx90a", (9, 0, 10)), ("gfx942", (9, 4, 2)), ("gfx1100", (11, 0, 0))]
)
def test_a_target_names_its_major_minor_and_stepping(gfx: str, expected: tuple[int, int, int]) -> None:
    assert gfx_version(gfx) == expected


@pytest.mark.parametrize(
    ("shape", "pair", "expected"),
    [
        ((60, 1, 4, 1), False, (((15,),) * 4,)),
        ((38, 1, 4, 1), False, (((10,), (10,), (9,), (9,)),)),
        ((304, 8, 4, 1), False, (((10,), (10,), (9,), (9,)),) * 8),
        ((96, 1, 6, 2), True, (((8, 8),) * 6,)),
        # 42 WGPs on 12 arrays: three each, and one more on the first array of every engine.
        ((84, 1, 6, 2), True, (((8, 6),) * 6,)),
    ],
)
def test_active_cus_are_spread_evenly_over_xccs_and_engines(
    shape: tuple[int, int, int, int], pair: bool, expected: object
) -> None:
    assert spread(*shape, pair=pair) == expected


def test_counts_follow_from_the_active_cus() -> None:
    gpu = Gpu(1, "X", "gfx942", (((10,), (9,)), ((9,), (10,))), 0, 128, 0, 1 << 30)
    assert (gpu.xccs, gpu.shader_engines, gpu.compute_units, gpu.wgp_mode) == (2, 2, 38, False)
    assert Gpu(1, "X", "gfx1030", (((8, 8),),), 0, 128, 0, 1 << 30).wgp_mode
