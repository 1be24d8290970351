"""Budgets: masked and application streams against queue slots, processes against VMIDs."""

import pytest

from eclip.errors import InfeasibleError
from eclip.gpu import budgets
from eclip.gpu.budgets import Demand
from eclip.gpu.products import product

MI50, PAPER = product("MI50"), product("mi50-paper")


@pytest.mark.parametrize(("workers", "masked"), [(2, 3), (3, 2)])
def test_the_papers_streams_fit_the_papers_budget(workers: int, masked: int) -> None:
    """ECLIP sec. III-A: six masked streams, and the default stream that all workers share."""
    demands = {f"w{index}": Demand(masked) for index in range(workers)}
    assert budgets.application_queues(PAPER, demands) == 1
    budgets.check_streams(PAPER, demands)


def test_the_paper_preset_stops_at_seven_masked_streams() -> None:
    budgets.check_streams(PAPER, {"a": Demand(4), "b": Demand(3)})
    with pytest.raises(InfeasibleError, match=r"8 masked streams \(a: 4, b: 4\) .* the 7 masked streams of mi50-paper"):
        budgets.check_streams(PAPER, {"a": Demand(4), "b": Demand(4)})


def test_masked_and_application_streams_share_the_queue_slots() -> None:
    budgets.check_streams(MI50, {"a": Demand(8, 4), "b": Demand(8, 4)})
    with pytest.raises(
        InfeasibleError, match=r"17 masked .* beside 8 .* the 24 queues that MI50 holds .* leave \(16\)"
    ):
        budgets.check_streams(MI50, {"a": Demand(9, 4), "b": Demand(8, 4)})


def test_programs_with_too_many_streams_of_their_own_are_named() -> None:
    with pytest.raises(InfeasibleError, match=r"25 queues \(a: 12, b: 13\), but MI50 holds 24"):
        budgets.check_streams(MI50, {"a": Demand(0, 12), "b": Demand(0, 13)})


@pytest.mark.parametrize(
    ("application", "max_streams", "limit"), [(2, None, 22), (2, 6, 6), (20, 6, 4), (30, None, 0), (0, 0, 0)]
)
def test_the_least_limit_counts(application: int, max_streams: int | None, limit: int) -> None:
    assert budgets.masked_limit(MI50, application, max_streams) == limit


def test_a_cap_on_masked_streams_counts_where_the_slots_would_allow_more() -> None:
    assert budgets.masked_limit(PAPER, 0) == 7


def test_the_users_own_limit_is_named() -> None:
    with pytest.raises(InfeasibleError, match="more than the 2 masked streams that were allowed"):
        budgets.check_streams(MI50, {"a": Demand(3)}, max_streams=2)


def test_processes_are_held_to_the_vmids() -> None:
    budgets.check_processes(MI50, 8)
    with pytest.raises(InfeasibleError, match="9 processes share MI50, which holds 8"):
        budgets.check_processes(MI50, 9)
