"""Rates are of the last seconds, a long run keeps its course in bounded space, and its steady part is told apart."""

import pytest

from eclip.host.history import MOST_LOOKS, WARM_REQUESTS, WINDOW_S, History, Look
from eclip.host.readings import Totals


def look(at: float, **requests: int) -> Look:
    return Look(at, {worker: Totals(requests=count, hops=2 * count) for worker, count in requests.items()})


def history(*looks: Look) -> History:
    made = History()
    for one in looks:
        made.note(one)
    return made


def test_rates_forget_what_is_older_than_the_window():
    counts = [100 * second if second <= 5 else 500 + 10 * (second - 5) for second in range(20)]

    rates = history(*(look(float(second), a=count) for second, count in enumerate(counts))).rates("a")

    assert rates.requests == pytest.approx(10.0)
    assert rates.hops == pytest.approx(2.0)


def test_one_look_has_no_rate_yet():
    assert history(look(0.0, a=7)).rates("a").requests == 0.0


def test_a_worker_that_came_late_starts_from_nothing():
    assert history(look(0.0), look(WINDOW_S / 2, b=5)).rates("b").requests == pytest.approx(2.0)


def test_the_course_is_bounded_and_still_reaches_from_start_to_end():
    made = history(*(look(float(at), a=3 * at) for at in range(3 * MOST_LOOKS)))
    course = made.course("a")

    assert len(course) <= MOST_LOOKS
    assert course[-1][0] == 3 * MOST_LOOKS - 1
    assert all(rate == pytest.approx(3.0) for _, rate in course)


def test_the_steady_part_begins_when_the_last_worker_is_warm_and_ends_before_the_end():
    made = history(
        look(0, a=0), look(1, a=9), look(2, a=19, b=WARM_REQUESTS - 1), look(3, a=29, b=WARM_REQUESTS),
        look(4, a=39, b=9), look(5, a=40, b=9),
    )  # fmt: skip

    steady = made.steady(["a", "b"], until=4.5)

    assert steady is not None
    assert [one.at for one in steady] == [3, 4]
    assert steady[1].done_since(steady[0], "a").requests == 10


def test_a_run_in_which_a_worker_never_got_warm_has_no_steady_part():
    assert history(look(0), look(1, a=9), look(2, a=19)).steady(["a", "b"], until=9) is None


def test_nobody_is_never_steady():
    history = History()
    history.note(Look(1.0, {}))
    history.note(Look(2.0, {}))

    assert history.steady((), 3.0) is None
