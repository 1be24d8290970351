"""HSA_CU_MASK as ROCr reads it: in silence up to the first error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.errors import InputError
from eclip.gpu.masks import format_hsa_cu_mask, parse_hsa_cu_mask


@pytest.mark.parametrize(
    ("value", "sets"),
    [
        ("0:0-14", {0: 0x7FFF}),
        ("0,2-4,7:0-15,32-47; 8-9:0x337F", {**dict.fromkeys((0, 2, 3, 4, 7), 0xFFFF0000FFFF), 8: 0x337F, 9: 0x337F}),
        (" 1 : 0x F F ", {1: 0xFF}),
        ("0:0Xff;", {0: 0xFF}),
        ("0:0x1_0000", {}),
        ("0:+3", {0: 8}),
        ("0:-2", {0: 0b111}),  # C reads an empty number as 0
        ("0:3-", {0: 8}),
        ("0:4294967297", {0: 2}),  # ROCr keeps 32 bits of a number
        ("0:0x" + "0" * 300 + "f", {0: 0xF}),
        ("", {}),
    ],
)
def test_a_value_means_what_rocr_takes_it_for(value: str, sets: dict[int, int]) -> None:
    assert dict(parse_hsa_cu_mask(value).sets) == sets


@pytest.mark.parametrize(
    ("bad", "ignored"),
    [
        ("1:0x0;2:1", "1:0x0;2:1"),  # no CU
        ("1;2:1", "1;2:1"),
        ("1:1:1", "1:1:1"),
        ("GPU-ab12:0-3", "gpu-ab12:0-3"),
        ("1:3-1", "1:3-1"),
        ("1:1,1", "1:1,1"),
        ("1:0-3,2", "1:0-3,2"),
        ("1:1-2-3", "1:1-2-3"),
        ("1:0xfg", "1:0xfg"),
        ("0:5", "0:5"),  # GPU 0 has its set already
        (":5", ":5"),
        ("1:", "1:"),
        (";2:1", ";2:1"),
        ("1:2,,3", "1:2,,3"),
    ],
)
def test_reading_stops_at_the_first_set_with_an_error(bad: str, ignored: str) -> None:
    mask = parse_hsa_cu_mask(f"0:0-3;{bad}")
    assert dict(mask.sets) == {0: 0xF}
    assert mask.ignored == ignored


def test_numbers_above_the_maxima_are_dropped() -> None:
    assert dict(parse_hsa_cu_mask("0,9:58-70,99", max_gpu=3, max_cu=60).sets) == {0: 0b111 << 58}
    assert parse_hsa_cu_mask("9:0-3", max_gpu=3).ignored == "9:0-3"
    assert parse_hsa_cu_mask("0:99", max_cu=60).ignored == "0:99"
    assert dict(parse_hsa_cu_mask("0:0x1" + "0" * 15 + "1", max_cu=60).sets) == {0: 1}


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 2**1024 - 1), max_size=4))
def test_what_is_written_is_read_back(sets: dict[int, int]) -> None:
    mask = parse_hsa_cu_mask(format_hsa_cu_mask(sets))
    assert dict(mask.sets) == sets
    assert mask.ignored == ""


def test_ranges_are_as_short_as_they_can_be() -> None:
    assert format_hsa_cu_mask({1: 0b1011, 0: 0xFFFF}) == "0:0-15;1:0-1,3"


@pytest.mark.parametrize("cu_set", [0, -1, 1 << 1024])
def test_a_set_that_rocr_would_not_take_is_not_written(cu_set: int) -> None:
    with pytest.raises(InputError, match="must name CUs between 0 and 1023"):
        format_hsa_cu_mask({0: cu_set})


@given(st.text(st.sampled_from("0123,-:;xXfF +g"), max_size=24))
def test_any_value_is_read_without_harm(value: str) -> None:
    mask = parse_hsa_cu_mask(value)
    assert all(cu_set > 0 for cu_set in mask.sets.values())
