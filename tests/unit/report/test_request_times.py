"""Requests as the chip's trace shows them."""

import pytest

from eclip.emulated.trace import Kernel, Program
from eclip.errors import EclipError
from eclip.report.request_times import served


def kernel(name: str, begin: float, end: float, *, runtime: bool = False) -> Kernel:
    return Kernel(0, 0, 0, name, (1, 1, 1), (64, 1, 1), 60, runtime, begin, begin, end)


def program(*kernels: Kernel) -> Program:
    return Program(1, "p", 1.0, kernels, (), (), ())


def requests(count: int, *, period: float = 10.0, start: float = 0.0) -> list[Kernel]:
    """Of two kernels, 4 and 2 µs long, 1 µs apart."""
    found = []
    for index in range(count):
        begin = start + index * period
        found += [kernel("a", begin, begin + 4), kernel("b", begin + 5, begin + 7)]
    return found


def test_a_request_runs_from_the_end_of_the_one_before_to_its_own():
    found = served({"p": program(*requests(6))}, {"p": 2})["p"]

    # One request gives the first end, two are warm-up.
    assert [(request.begin, request.end) for request in found.requests] == [(27, 37), (37, 47), (47, 57)]
    assert found.mean_micros == 10
    assert found.gap_share == pytest.approx(0.4)
    assert found.lead_micros == 3


def test_what_was_launched_before_the_first_whole_request_and_by_the_runtime_counts_for_nothing():
    before = [kernel("set-up", 0, 1), kernel("copy", 2, 3, runtime=True)]

    assert served({"p": program(*before, *requests(6, start=10))}, {"p": 2})["p"].mean_micros == 10


def test_only_the_time_in_which_all_programs_served_counts():
    long, short = program(*requests(20)), program(*requests(5, period=20, start=50))

    found = served({"long": long, "short": short}, {"long": 2, "short": 2})

    # From the short one's second whole request to its last end.
    assert (found["short"].requests[0].begin, found["short"].requests[-1].end) == (97, 137)
    assert (found["long"].requests[0].begin, found["long"].requests[-1].end) == (97, 137)


def test_the_p95_is_a_time_that_was_measured():
    kernels = [kernel("k", end - 1, end) for end in (10, 20, 30, 40, 50, 70)]

    assert served({"p": program(*kernels)}, {"p": 1})["p"].p95_micros == 20


def test_kernels_that_ran_side_by_side_count_once():
    both = [k for begin in range(0, 60, 10) for k in (kernel("a", begin, begin + 6), kernel("b", begin + 4, begin + 8))]

    assert served({"p": program(*both)}, {"p": 2})["p"].gap_share == pytest.approx(0.2)


def test_a_trace_that_is_no_repetition_is_refused():
    with pytest.raises(EclipError, match="no repetition of 2 kernels"):
        served({"p": program(*requests(3), kernel("c", 90, 91))}, {"p": 2})
    with pytest.raises(EclipError, match="are no two requests of 2"):
        served({"p": program(*requests(1))}, {"p": 2})
