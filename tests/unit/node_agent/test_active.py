"""Who is busy on a GPU."""

import pytest

from eclip.slot.activity import Activity
from eclip_node_agent import active
from eclip_node_agent.active import Pulse


def sets(*looks: tuple[float, dict[int, int]]) -> list[int]:
    """The active set after each look: time, and launches by bit, one worker a bit."""
    seen: dict[active.Worker, Activity] = {}
    found = []
    for now, launches in looks:
        pulses = [Pulse((f"a{bit}", 0), bit, count, 10_000.0) for bit, count in launches.items()]
        seen = active.observed(seen, pulses, now)
        found.append(active.active_set(seen, pulses))
    return found


def test_a_worker_that_falls_silent_leaves_and_is_back_with_its_next_launch() -> None:
    looks = [(0.0, {0: 1, 1: 1}), (0.2, {0: 2, 1: 1}), (0.4, {0: 3, 1: 1}), (0.42, {0: 4, 1: 2})]

    assert sets(*looks) == [0b11, 0b11, 0b01, 0b11]


def test_with_nobody_busy_the_plan_for_all_waits() -> None:
    assert sets((0.0, {0: 0, 2: 0})) == [0b111]


def test_a_worker_that_is_gone_counts_no_more() -> None:
    assert sets((0.0, {0: 1, 1: 1}), (0.1, {1: 2})) == [0b11, 0b10]


def test_two_pods_on_one_bit_are_busy_if_one_of_them_is() -> None:
    pulses = [Pulse(("old", 0), 0, 5, None), Pulse(("new", 0), 0, 0, None)]
    seen = active.observed({}, pulses, 0.0)

    assert active.active_set(seen, [*pulses, Pulse(("new", 0), 1, 0, None)]) == 0b01


@pytest.mark.parametrize(
    ("measured", "marked", "predicted", "micros"),
    [
        (5e6, True, 4e3, 5e6),  # long requests, by the program's own word
        (8e6, False, 4e3, 0.6e6),  # one short request every 8 s
        (8e6, False, 2e6, 2e6),  # long ones, by their plan
        (0.1e6, False, 4e3, 0.1e6),
        (8e6, False, None, 0.6e6),
        (None, False, 4e3, 4e3),
        (None, False, None, None),
    ],
)
def test_a_pause_between_requests_is_no_part_of_one(
    measured: float | None, marked: bool, predicted: float | None, micros: float | None
) -> None:
    assert active.request_micros(measured, marked, predicted) == micros
