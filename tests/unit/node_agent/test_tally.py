"""Sums over processes, restarts and tables, from counters that nobody can trust."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eclip_node_agent import figures
from eclip_node_agent.figures import Sample
from eclip_node_agent.tally import Sums, Tally

Make = Any  # of conftest.py


def test_growing_counters_are_not_counted_twice(make: Make) -> None:
    tally = Tally().noted([make.client(make.counters(1, 10, 1))], 1).noted([make.client(make.counters(1, 30, 4))], 1)

    assert (tally.total.launches, tally.total.requests) == (30, 4)
    assert tally.total.request_micros.total == 4


def test_a_new_table_and_a_restart_lose_and_double_nothing(make: Make) -> None:
    tally = Tally().noted([make.client(make.counters(1, 10, 1))], 1)
    tally = tally.noted([make.client(make.counters(2, 5), make.counters(1, 12))], 2)
    tally = tally.noted([make.client(make.counters(2, 3), started_ns=200)], 2)

    assert tally.total.launches == 12 + 5 + 3
    assert tally.of_generation.launches == 5 + 3


def test_counters_that_fall_take_nothing_away(make: Make) -> None:
    tally = Tally().noted([make.client(make.counters(1, 100))], 1).noted([make.client(make.counters(1, 1))], 1)

    assert tally.total.launches == 100


@given(st.lists(st.tuples(st.integers(0, 1 << 60), st.integers(0, 1 << 53), st.integers(0, 9)), max_size=60))
def test_whatever_a_program_writes_sums_grow_and_memory_does_not(make: Make, looks: list[tuple[int, int, int]]) -> None:
    tally = Tally()
    for started, launches, generation in looks:
        before = tally.total
        tally = tally.noted([make.client(make.counters(generation, launches), started_ns=started)], generation)

        assert before.launches <= tally.total.launches < 1 << 53
        assert tally.of_generation.launches <= tally.total.launches
        assert len(tally.seen) == 1


def test_rates_are_those_of_the_window() -> None:
    samples: tuple[Sample, ...] = ()
    for second in range(100):
        now = Sample(float(second), Sums(launches=100 * second if second < 50 else 5000 + 10 * (second - 50)))
        found = figures.figures(samples, now)
        samples = figures.kept(samples, now)

    assert found.kernels_per_second == 10
    assert len(samples) < 10


def test_too_short_a_time_has_no_rate() -> None:
    assert figures.figures((), Sample(0.0, Sums())).kernels_per_second is None
    assert figures.figures((Sample(0.0, Sums()),), Sample(0.5, Sums(launches=5))).kernels_per_second is None
