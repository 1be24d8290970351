"""Who sits in which allocation."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from eclip_node_agent import occupants
from eclip_node_agent.occupants import Age, Occupant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B = Occupant("team", "a", "main"), Occupant("team", "b", "main")


def age(seconds: int, nanos: int = 0) -> Age:
    return Age(NOW + timedelta(seconds=seconds), nanos)


def test_the_newest_allocation_of_a_slot_is_the_one_in_use() -> None:
    on_disk = [("s0", "old", age(0)), ("s0", "new", age(5)), ("s1", "other", age(1))]

    assert occupants.occupants(on_disk, {"s0": (A,), "s1": (B,)}, {}) == {"new": A, "other": B}


def test_allocations_of_one_second_are_told_apart_by_their_files() -> None:
    on_disk = [("s0", "second", age(0, 20)), ("s0", "first", age(0, 10))]

    assert occupants.occupants(on_disk, {"s0": (A,)}, {}) == {"second": A}


def test_a_pod_that_has_ended_and_is_still_listed_does_not_move_to_the_new_allocation() -> None:
    on_disk = [("s0", "old", age(0)), ("s0", "new", age(5))]

    assert occupants.occupants(on_disk, {"s0": (B, A)}, {"old": A}) == {"new": B}
    assert occupants.occupants(on_disk, {"s0": (A, B)}, {"old": A}) == {"new": B}


def test_the_same_name_with_a_new_allocation_sits_in_the_new_one() -> None:
    on_disk = [("s0", "old", age(0)), ("s0", "new", age(5))]

    assert occupants.occupants(on_disk, {"s0": (A,)}, {"old": A}) == {"new": A}


def test_who_is_known_stays_while_two_are_listed() -> None:
    on_disk = [("s0", "one", age(0))]

    assert occupants.occupants(on_disk, {"s0": (A, B)}, {"one": A}) == {"one": A}


def test_a_share_of_which_nothing_is_on_disk_is_lost() -> None:
    assert occupants.lost(["s0"], {"s0": (A,), "s1": (B,)}) == {"s1": B}


names = st.sampled_from(["a", "b", "c"])
found = st.builds(Occupant, names, names, names)


@given(
    st.dictionaries(st.sampled_from(["s0", "s1"]), st.lists(found, max_size=3).map(tuple)),
    st.lists(st.tuples(st.sampled_from(["s0", "s1"]), st.integers(0, 9)), max_size=6),
    st.dictionaries(st.sampled_from([f"a{i}" for i in range(6)]), found),
)
def test_whatever_is_listed_at_most_one_allocation_of_a_slot_is_occupied_and_by_somebody_listed(
    listing: dict[str, tuple[Occupant, ...]], slots: list[tuple[str, int]], before: dict[str, Occupant]
) -> None:
    on_disk = [(slot, f"a{i}", age(seconds, i)) for i, (slot, seconds) in enumerate(slots)]

    seated = occupants.occupants(on_disk, listing, before)

    where = {allocation: slot for slot, allocation, _ in on_disk}
    assert len({where[allocation] for allocation in seated}) == len(seated)
    assert all(occupant in listing[where[allocation]] for allocation, occupant in seated.items())
    assert {where[allocation] for allocation in seated} == {
        slot for slot, who in listing.items() if who and slot in where.values()
    }
