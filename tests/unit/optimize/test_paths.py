"""The native searches against all paths there are."""

import itertools

import numpy as np
import pytest

from eclip.errors import EclipError
from eclip.optimize.paths import Paths, Window, least

SIZES = (15, 30, 60)
PRICES = np.array([0.0, 0.05, 0.3, 1.0, 10.0])
KERNELS = 6


@pytest.fixture
def times() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.asarray(rng.lognormal(2.0, 1.0, size=(KERNELS, 1)) * rng.uniform(1.0, 3.0, size=(KERNELS, 3)))


def every_path(times: np.ndarray, budget: int | None, hop: float):  # type: ignore[no-untyped-def]
    """Choice, time, area and hops of all paths within the budget."""
    for path in itertools.product(range(3), repeat=KERNELS):
        switches = sum(a != b for a, b in itertools.pairwise(path))
        if budget is None or switches <= budget:
            time = sum(times[kernel, size] for kernel, size in enumerate(path))
            hops = switches + (path[0] != path[-1]) if hop else switches
            yield path, float(time), sum(SIZES[size] for size in path), hops


@pytest.mark.parametrize("hop", [0.0, 4.0])
@pytest.mark.parametrize("budget", [0, 1, 2, 5])
def test_a_front_has_the_least_time_for_every_area_and_number_of_hops(
    times: np.ndarray, budget: int, hop: float
) -> None:
    paths = Paths(times, SIZES, budget, hop)
    found = np.full((paths.classes, paths.range), np.inf)
    for _, time, area, hops in every_path(times, budget, hop):
        column = (area - paths.least_area) // paths.unit
        found[hops:, column] = np.minimum(found[hops:, column], time)
    searched = paths.front()

    assert searched is not None
    # A class may miss what fewer hops can do; no class may be better than it can be.
    assert np.minimum.accumulate(searched.time, axis=0) == pytest.approx(found)


@pytest.mark.parametrize("hop", [0.5, 4.0])
def test_without_a_budget_hops_are_part_of_the_time_and_counted(times: np.ndarray, hop: float) -> None:
    paths = Paths(times, SIZES, None, hop)
    least: dict[int, tuple[float, float]] = {}
    for _, time, area, hops in every_path(times, None, hop):
        column = (area - paths.least_area) // paths.unit
        least[column] = min(least.get(column, (np.inf, np.inf)), (time + hop * hops, hops))
    reached = paths.front()

    assert reached is not None
    for column, (time, hops) in least.items():
        assert reached.time[0, column] == pytest.approx(time)
        assert reached.hops[0, column] == hops


@pytest.mark.parametrize("budget", [0, 2, None])
@pytest.mark.parametrize("hop", [0.0, 4.0])
def test_a_sweep_finds_the_cheapest_path_at_every_price(times: np.ndarray, budget: int | None, hop: float) -> None:
    paths = Paths(times, SIZES, budget, hop)
    swept = paths.sweep(PRICES)
    rows = np.zeros(1) if budget is None else np.arange(paths.classes)
    cost = swept.time + PRICES * swept.area + hop * (swept.hops if budget is None else rows[:, None])
    expected = [
        min(time + price * area + hop * hops for _, time, area, hops in every_path(times, budget, hop))
        for price in PRICES
    ]

    assert cost.min(axis=0) == pytest.approx(expected)


def test_a_traced_path_has_the_time_area_and_hops_of_its_point(times: np.ndarray) -> None:
    paths = Paths(times, SIZES, 3, 4.0)
    searched = paths.front()
    assert searched is not None
    for hops, column in zip(*np.nonzero(np.isfinite(searched.time)), strict=True):
        area = paths.least_area + int(column) * paths.unit
        path = paths.trace(int(hops), area)
        switches = int(np.count_nonzero(np.diff(path)))

        assert times[np.arange(KERNELS), path].sum() == pytest.approx(searched.time[hops, column])
        assert np.asarray(SIZES)[path].sum() == area
        assert switches <= 3
        assert switches + (path[0] != path[-1]) <= hops


def test_a_window_keeps_exactly_the_paths_within_its_limit(times: np.ndarray) -> None:
    paths = Paths(times, SIZES, 2, 4.0)
    costs = [time + 4.0 * hops + 0.3 * area for _, time, area, hops in every_path(times, 2, 4.0)]
    limit = float(np.quantile(costs, 0.1))
    whole, cut = paths.front(), paths.front(Window(0.3, limit))
    assert whole is not None
    assert cut is not None
    area = paths.least_area + np.arange(paths.range) * paths.unit
    within = whole.time + 4.0 * np.arange(paths.classes)[:, None] + 0.3 * area <= limit * (1 - 1e-12)

    assert cut.time[within] == pytest.approx(whole.time[within])
    assert cut.labels < whole.labels


def test_a_front_gives_up_after_its_labels(times: np.ndarray) -> None:
    assert Paths(times, SIZES, 2, 0.0).front(Window(max_labels=10)) is None


def test_a_path_that_does_not_exist_is_an_error(times: np.ndarray) -> None:
    with pytest.raises(EclipError, match="no path of area 105"):
        Paths(times, SIZES, 0, 0.0).trace(0, 105)


def test_the_least_cost_is_found_per_group_and_price() -> None:
    cost, share = np.array([5.0, 1.0, 9.0]), np.array([0.0, 2.0, 0.0])
    found = least(cost, share, np.array([0.0, 4.0]), np.array([0, 0, 2], dtype=np.uint32), 3)

    assert found.tolist() == [[1.0, 5.0], [np.inf, np.inf], [9.0, 9.0]]
