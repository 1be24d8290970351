"""Rates are those of the last seconds, and a long run keeps its course in bounded space."""

import pytest

from eclip.host.history import MOST_POINTS, WINDOW_S, History
from eclip.host.readings import Totals


def test_rates_forget_what_is_older_than_the_window():
    history = History()
    for second in range(20):
        requests = 100 * second if second <= 5 else 500 + 10 * (second - 5)
        history.note(float(second), {"a": Totals(requests=requests, hops=2 * requests)})

    assert history.rates("a").requests == pytest.approx(10.0)
    assert history.rates("a").hops == pytest.approx(2.0)


def test_one_look_has_no_rate_yet():
    history = History()
    history.note(0.0, {"a": Totals(requests=7)})

    assert history.rates("a").requests == 0.0


def test_a_worker_that_came_late_starts_from_nothing():
    history = History()
    history.note(0.0, {})
    history.note(WINDOW_S / 2, {"b": Totals(requests=5)})

    assert history.rates("b").requests == pytest.approx(2.0)


def test_the_course_is_bounded_and_still_reaches_from_start_to_end():
    history = History()
    for look in range(3 * MOST_POINTS):
        history.note(float(look), {"a": Totals(requests=3 * look)})
    course = history.course("a")

    assert len(course) <= MOST_POINTS
    assert course[-1][0] == 3 * MOST_POINTS - 1
    assert all(rate == pytest.approx(3.0) for _, rate in course)
