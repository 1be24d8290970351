"""CU sets and masks: the driver's dealing rule, HIP's words by ROCm version, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.errors import InputError
from eclip.gpu import kfd, masks
from eclip.gpu.products import gpu_for
from eclip.gpu.topology import Gpu

TREES = Path(__file__).parents[2] / "data" / "kfd"
ROCM_5_2, ROCM_5_7 = (5, 2), (5, 7)


def gpu_with(active: tuple[tuple[tuple[int, ...], ...], ...], gfx: str = "gfx942") -> Gpu:
    return Gpu(1, "TEST", gfx, active, 0, 128, 0, 1 << 30)


def engine_set(gpu: Gpu, se: int) -> int:
    return sum(1 << bit for bit, cu in enumerate(masks.deal(gpu)) if cu.se == se)


@pytest.mark.parametrize(
    ("engines", "printed"),
    [
        ({0}, "0x0111111111111111"),
        ({0, 2}, "0x0555555555555555"),
        ({0, 1, 2}, "0x0777777777777777"),
        ({3}, "0x0888888888888888"),
        ({1, 3}, "0x0aaaaaaaaaaaaaaa"),
        ({1, 2, 3}, "0x0eeeeeeeeeeeeeee"),
    ],
)
def test_whole_engines_of_an_mi50_are_strides_of_four(engines: set[int], printed: str) -> None:
    """ECLIP sec. III-A: the streams of its two workers."""
    gpu = gpu_for("MI50")
    cu_set = sum(engine_set(gpu, se) for se in engines)
    assert masks.text(masks.hip_words(cu_set, gpu, ROCM_5_2)) == printed
    assert masks.join(masks.parse(printed)) == cu_set


@pytest.mark.parametrize(
    ("tree", "node", "se", "printed"),
    [
        # 8 engines of 15: bits 0, 8, ... 112, so that the last word (bits 96 to 119) has three.
        ("MI100", 0, 0, "0x00010101010101010101010101010101"),
        ("MI100", 0, 7, "0x00808080808080808080808080808080"),
        # 8 engines of 13: bits 7, 15, ... 103; bit 103 is bit 7 of the last word.
        ("MI210", 0, 7, "0x00000080808080808080808080808080"),
        # Engines 1 and 5 have 13 CUs: the fourteenth row is dealt to 0, 2, 3, 4, 6, 7 as bits 104 to 109.
        ("MI250X", 0, 1, "0x00000002020202020202020202020202"),
        ("MI250X", 0, 2, "0x00000204040404040404040404040404"),
        ("MI250X", 0, 7, "0x00002080808080808080808080808080"),
        # Engines of 10, 10, 9, 9: bits 36 and 37 are the tenth CUs of engines 0 and 1.
        ("MI300X-CPX", 0, 0, "0x0000001111111111"),
        ("MI300X-CPX", 0, 1, "0x0000002222222222"),
        ("MI300X-CPX", 0, 2, "0x0000000444444444"),
    ],
)
def test_an_engine_has_the_bits_that_the_dealing_rule_gives_it(tree: str, node: int, se: int, printed: str) -> None:
    gpu = kfd.read_gpus(TREES / tree)[node]
    assert masks.show(engine_set(gpu, se), gpu) == printed


def test_on_several_xccs_neighbouring_bits_are_cus_of_different_xccs() -> None:
    """MI300X in SPX, as others read it out of the hardware: XCC = i mod 8, SE = (i div 8) mod 4, CU = i div 32."""
    gpu = kfd.read_gpus(TREES / "MI300X-SPX")[0]
    cus = masks.deal(gpu)
    assert len(cus) == 304
    for bit, cu in enumerate(cus[:256]):
        assert (cu.xcc, cu.se, cu.cu) == (bit % 8, bit // 8 % 4, bit // 32)
    assert masks.show(engine_set(gpu, 1) & (1 << 256) - 1, gpu) == "0x" + "00000000" * 2 + "0000ff00" * 8


@pytest.mark.parametrize(
    ("bit", "se", "cu"),
    [
        (289, 0, 9),  # XCC 1 has 10, 9, 10, 9: its 37th CU is on engine 0,
        (297, 2, 9),  # its 38th on engine 2, since engine 1 is used up.
        (267, 1, 8),  # XCC 3 has 10, 10, 10, 8: its ninth row goes to engines 0, 1, 2,
        (283, 0, 9),  # and its tenth starts at its 36th CU.
    ],
)
def test_harvested_cus_consume_no_bit(bit: int, se: int, cu: int) -> None:
    found = masks.deal(kfd.read_gpus(TREES / "MI300X-SPX")[0])[bit]
    assert (found.se, found.cu, found.engine) == (se, cu, 4 * found.xcc + se)


def test_rdna_is_dealt_in_pairs_over_engines_then_arrays() -> None:
    gpu = kfd.read_gpus(TREES / "RX7900XTX")[0]
    cus = masks.deal(gpu)
    assert [(cu.se, cu.sa, cu.cu) for cu in cus[:4]] == [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1)]
    assert [(cus[bit].se, cus[bit].sa, cus[bit].cu) for bit in (12, 13, 24, 95)] == [
        (0, 1, 0),
        (0, 1, 1),
        (0, 0, 2),
        (5, 1, 7),
    ]


def test_a_hip_bit_is_a_cu_before_rocm_5_7_and_a_wgp_from_it_on() -> None:
    gpu = gpu_for("RX7900XTX")
    first_and_last = 0b1111 | 0b11 << 94
    assert masks.text(masks.hip_words(first_and_last, gpu, (5, 6))) == "0xc00000000000000000" + "00000f"
    assert masks.text(masks.hip_words(first_and_last, gpu, ROCM_5_7)) == "0x0000800000000003"
    mi50 = gpu_for("MI50")
    assert masks.hip_words(0xF, mi50, ROCM_5_7) == masks.hip_words(0xF, mi50, ROCM_5_2) == (0xF, 0)


@given(st.integers(1, 2**48 - 1), st.sampled_from([(5, 2), (5, 6), (5, 7), (7, 0)]))
def test_hip_words_lead_back_to_the_cu_set(wgps: int, rocm: tuple[int, int]) -> None:
    gpu = gpu_for("RX7900XTX")
    cu_set = sum(3 << 2 * wgp for wgp in range(48) if wgps >> wgp & 1)
    assert masks.cu_set_of(masks.hip_words(cu_set, gpu, rocm), gpu, rocm) == cu_set


def test_words_that_a_runtime_fills_up_beyond_the_gpu_are_cut() -> None:
    assert masks.cu_set_of([0xFFFFFFFF] * 4, gpu_for("MI50"), ROCM_5_2) == (1 << 60) - 1


arrays = st.integers(1, 16)


@st.composite
def chips(draw: st.DrawFn) -> Gpu:
    rdna = draw(st.booleans())
    xccs = 1 if rdna else draw(st.integers(1, 4))
    engines, per_engine = draw(st.integers(1, 8)), draw(st.integers(1, 2))
    counts = [
        [2 * draw(st.integers(1, 5)) if rdna else draw(arrays) for _ in range(per_engine)] for _ in range(engines)
    ]
    shape = tuple(tuple(row) for row in counts)
    turned = tuple(shape[-index % engines :] + shape[: -index % engines] for index in range(xccs))
    return gpu_with(turned, "gfx1100" if rdna else "gfx942")


def registers(gpu: Gpu, cu_set: int) -> set[tuple[int, int, int, int]]:
    """The CUs that the driver's loops enable, written as the driver has them: over registers, not over bits."""
    enabled = set()
    pair = 2 if gpu.wgp_mode else 1
    for inst, xcc in enumerate(gpu.active):
        bit = inst * pair
        for cu in range(0, 16, pair):
            for sh in range(len(xcc[0])):
                for se in range(len(xcc)):
                    if xcc[se][sh] > cu:
                        if cu_set >> bit & (3 if pair == 2 else 1) == (3 if pair == 2 else 1):
                            enabled |= {(inst, se, sh, cu + step) for step in range(pair)}
                        bit += pair * gpu.xccs
    return enabled


@given(st.data())
def test_masks_enable_the_cus_that_the_driver_would_enable(data: st.DataObject) -> None:
    gpu = data.draw(chips())
    bits = data.draw(st.integers(0, (1 << gpu.compute_units) - 1))
    if gpu.wgp_mode:
        bits &= sum(1 << bit for bit in range(0, gpu.compute_units, 2))
        bits |= bits << 1
    mine = {(cu.xcc, cu.se, cu.sa, cu.cu) for bit, cu in enumerate(masks.deal(gpu)) if bits >> bit & 1}
    assert mine == registers(gpu, bits)


@pytest.mark.parametrize(
    ("product", "cu_set", "why"),
    [
        ("MI50", 0, "has no CU: a queue without CUs never finishes"),
        ("MI50", -1, "has no CU"),
        ("MI50", 1 << 60, "names CU 60, but MI50 has 60 CUs"),
        ("MI50", 0xF | 1 << 63, "names CU 63"),
        ("MI300X-SPX", 0x0F, "has no CU on XCC 4, 5, 6, 7"),
        ("MI300X-SPX", 1 | 1 << 8 | 1 << 16, "has no CU on XCC 1, 2, 3, 4, 5, 6, 7"),
        ("RX7900XTX", 0x7FFF, "one CU of the pair 14, 15"),
        ("RX7900XTX", 0b10, "one CU of the pair 0, 1"),
    ],
)
def test_a_mask_that_would_hang_or_fail_open_is_refused_with_the_reason(product: str, cu_set: int, why: str) -> None:
    gpu = gpu_for(product)
    with pytest.raises(InputError, match=why):
        masks.check(cu_set, gpu)
    with pytest.raises(InputError, match=why):
        masks.hip_words(cu_set, gpu, ROCM_5_2)


@pytest.mark.parametrize(("product", "cu_set"), [("MI50", 1), ("MI300X-SPX", 0xFF), ("RX7900XTX", 0b11)])
def test_one_atom_is_enough(product: str, cu_set: int) -> None:
    masks.check(cu_set, gpu_for(product))


@pytest.mark.parametrize(
    ("gpu", "why"),
    [
        (gpu_with((((10,), (9,)), ((10,), (10,)))), r"XCCs have \[19, 20\] active CUs"),
        (gpu_with((((8, 7),),), "gfx1030"), "odd number of CUs"),
    ],
)
def test_a_chip_that_the_driver_cannot_mask_fully_is_refused(gpu: Gpu, why: str) -> None:
    with pytest.raises(InputError, match=why):
        masks.deal(gpu)


@given(st.integers(0, 2**96 - 1), st.integers(1, 96))
def test_the_printed_form_leads_back_to_the_words(bits: int, width: int) -> None:
    words = masks.words(bits & (1 << width) - 1, width)
    printed = masks.text(words)
    assert masks.parse(printed) == words
    assert printed == "0x" + format(masks.join(words), f"0{8 * len(words)}x")


@pytest.mark.parametrize(
    "printed", ["", "0x", "0x123", "11111111", "0X11111111", "0xABCDEF00", "0x1111111g", "0x 1111111"]
)
def test_only_the_printed_form_is_read(printed: str) -> None:
    with pytest.raises(InputError, match="eight lower-case hex digits"):
        masks.parse(printed)
