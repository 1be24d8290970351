"""Who is busy, from launch counters."""

import pytest

from eclip.slot import activity
from eclip.slot.activity import Activity


def watch(launches: list[int], every_s: float, silence_s: float) -> list[bool]:
    seen = Activity()
    busy = []
    for step, count in enumerate(launches):
        seen = activity.observe(seen, count, step * every_s, silence_s)
        busy.append(seen.busy)
    return busy


def test_a_worker_that_never_launched_is_idle():
    assert watch([0, 0, 0], 1.0, 0.25) == [False, False, False]


def test_a_worker_leaves_after_its_silence_and_returns_with_its_next_launch():
    assert watch([5, 5, 5, 5, 6], 0.1, 0.25) == [True, True, True, False, True]


def test_a_restarted_program_whose_counter_fell_is_busy_again():
    assert watch([100, 100, 100, 7], 1.0, 0.25) == [True, False, False, True]


def test_launches_now_and_then_keep_a_worker_in_the_set():
    assert all(watch([1, 1, 2, 2, 3, 3, 4, 4], 0.1, 0.25))


def test_with_nobody_busy_the_plan_for_all_waits():
    assert activity.active_set([Activity(), Activity(), Activity()]) == 0b111


def test_bit_i_is_worker_i():
    assert activity.active_set([Activity(), Activity(1, 0.0, True)]) == 0b10


@pytest.mark.parametrize(
    ("request_micros", "time_scale", "seconds"),
    [(1000, 1, 0.25), (200_000, 1, 0.4), (400_000, 1, 0.75), (4_000_000, 1, 5.0), (50_000, 16, 1.0)],
)
def test_silence_is_longer_than_one_request(request_micros, time_scale, seconds):
    assert activity.idle_after(request_micros, time_scale) == pytest.approx(seconds)
    assert activity.idle_after(request_micros, time_scale) > request_micros * time_scale / 1e6
