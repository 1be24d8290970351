"""Which CUs containers get under a ceiling: whole atoms, and not those of the others while there are enough."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.gpu import masks, products
from eclip_device_plugin import ceilings

MI50 = products.gpu_for("MI50")


def in_turn(product: str, size: int, containers: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(containers):
        chosen.append(ceilings.choose(products.gpu_for(product), size, chosen))
    return chosen


@pytest.mark.parametrize(
    ("product", "size"),
    [
        ("MI50", 15),
        ("MI50", 45),
        ("MI100", 30),
        ("MI250X", 55),
        ("MI300X", 152),
        ("MI300X-CPX", 19),
        ("RX 7900 XTX", 48),
    ],
)
def test_a_ceiling_is_a_mask_that_the_chip_can_serve_and_rocr_reads(product: str, size: int) -> None:
    for cu_set in in_turn(product, size, 4):
        parsed = masks.parse_hsa_cu_mask(masks.format_hsa_cu_mask({0: cu_set}))
        assert (parsed.ignored, dict(parsed.sets)) == ("", {0: cu_set})
        assert cu_set.bit_count() == size
        masks.check(cu_set, products.gpu_for(product))


@pytest.mark.parametrize("product", ["MI50", "MI100", "MI300X", "RX 7900 XTX"])
def test_two_halves_are_apart_and_the_third_is_shared_with_one(product: str) -> None:
    first, second, third = in_turn(product, products.gpu_for(product).compute_units // 2, 3)
    assert first & second == 0
    assert third in (first, second)


def test_what_others_left_is_taken_first() -> None:
    first, second = in_turn("MI50", 30, 2)
    assert ceilings.choose(MI50, 30, [second]) == first
    assert ceilings.choose(MI50, 30, [first, first, second]) == second


@given(st.lists(st.sampled_from([15, 30, 45, 60]), max_size=7), st.sampled_from([15, 30, 45, 60]))
def test_no_other_set_is_in_fewer_ceilings(others: list[int], size: int) -> None:
    taken: list[int] = []
    for other in others:
        taken.append(ceilings.choose(MI50, other, taken))
    engines = [0x0111111111111111 << engine for engine in range(4)]
    used = sorted(sum(bool(engine & other) for other in taken) for engine in engines)
    chosen = ceilings.choose(MI50, size, taken)
    assert sum((chosen & other).bit_count() for other in taken) == 15 * sum(used[: size // 15])
