"""Which shares kubelet is advised to take."""

from hypothesis import given
from hypothesis import strategies as st

from eclip_device_plugin.node_config import Placement
from eclip_device_plugin.preference import preferred

ALL = [f"{gpu}-s{number:02d}" for gpu in "abc" for number in range(4)]


def advice(available: list[str], size: int = 1, *, placement: Placement = "spread", same: bool = False) -> list[str]:
    return list(preferred(available, [], size, placement=placement, same_gpu=same, offered=ALL))


def test_spread_takes_from_the_gpu_with_most_shares_free() -> None:
    assert advice(["a-s03", "b-s01", "b-s02", "c-s00"]) == ["b-s01"]


def test_pack_takes_from_the_gpu_with_fewest_shares_free() -> None:
    assert advice(["a-s03", "b-s01", "b-s02", *ALL[8:]], placement="pack") == ["a-s03"]


def test_two_shares_of_one_request_are_on_two_gpus() -> None:
    for placement in ("spread", "pack"):
        chosen = advice(["a-s00", "a-s01", "a-s02", "b-s03"], 2, placement=placement)
        assert {device[0] for device in chosen} == {"a", "b"}


def test_the_same_gpu_is_taken_where_it_is_allowed() -> None:
    assert advice(["a-s00", "a-s01", "a-s02", "b-s03"], 2, placement="pack", same=True) == ["b-s03", "a-s00"]
    assert advice(["a-s00", "a-s01", *ALL[4:8]], 2, placement="pack", same=True) == ["a-s00", "a-s01"]


def test_what_is_required_is_in_it() -> None:
    chosen = preferred(ALL, ["c-s02"], 2, placement="spread", same_gpu=False, offered=ALL)

    assert chosen[0] == "c-s02"
    assert chosen[1][0] != "c"


@given(
    available=st.lists(st.sampled_from(ALL), unique=True, min_size=1),
    size=st.integers(1, 12),
    placement=st.sampled_from(["pack", "spread"]),
)
def test_no_gpu_gives_twice_while_another_has_one_free(available: list[str], size: int, placement: Placement) -> None:
    chosen = advice(available, size, placement=placement)
    left = {device[0] for device in set(available) - set(chosen)}
    counts = {gpu: sum(device[0] == gpu for device in chosen) for gpu in "abc"}

    assert len(chosen) == len(set(chosen)) == min(size, len(available))
    assert set(chosen) <= set(available)
    assert all(counts[gpu] >= max(counts.values()) - 1 for gpu in left)
