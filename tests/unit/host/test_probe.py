"""The read-out of the probe kernel, on words put together by hand from AMD's register descriptions."""

from itertools import product

import pytest

from eclip.gpu import masks, products
from eclip.host import probe

BLANK = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("gfx", "word", "place"),
    [
        # ME 1, queue 2, VMID 8, TG 3, SE 2, SH 0, CU 11, pipe 1, SIMD 3, wave 5
        ("gfx906", 0x42834B75, probe.Place(engine=2, array=0, unit=11)),
        ("gfx908", 0x4283FB75, probe.Place(engine=7, array=1, unit=11)),
        ("gfx90a", 0x4283AB75, probe.Place(engine=5, array=0, unit=11)),
        # HW_ID1: wave 5, SIMD 3, WGP 9, SA 1, SE 3
        ("gfx1030", 0x000D2705, probe.Place(engine=3, array=1, unit=9)),
        ("gfx1100", 0x00152705, probe.Place(engine=5, array=1, unit=9)),
    ],
)
def test_a_register_value_names_its_place(gfx, word, place):
    assert probe.place(word, gfx) == place


def hw_id(engine: int, unit: int) -> int:
    return 1 << 30 | engine << 13 | unit << 8


def mi50():
    return products.gpu_for("MI50")


def engine_set(engine: int) -> int:
    deal = masks.deal(mi50())
    return sum(1 << bit for bit, cu in enumerate(deal) if cu.se == engine)


def test_a_mask_that_was_obeyed_has_all_its_places_and_none_outside():
    finding = probe.judge([hw_id(2, unit) for unit in range(15)], mi50(), engine_set(2), BLANK)

    assert (finding.outside, finding.complete, finding.blank) == (0, True, False)


def test_workgroups_on_another_engine_are_outside():
    words = [hw_id(engine, unit) for engine, unit in product((1, 2), range(4))]

    assert probe.judge(words, mi50(), engine_set(2), BLANK).outside == 4


def test_more_places_on_an_engine_than_the_mask_has_there_are_outside():
    one_cu = 1 << next(bit for bit, cu in enumerate(masks.deal(mi50())) if cu.se == 2)

    finding = probe.judge([hw_id(2, 3), hw_id(2, 4), hw_id(2, 4)], mi50(), one_cu, BLANK)

    assert (finding.outside, finding.complete) == (1, False)


def test_silence_is_told_from_obedience():
    finding = probe.judge([BLANK] * 64, mi50(), engine_set(0), BLANK)

    assert finding.blank
    assert not finding.complete
