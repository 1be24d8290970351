"""What is deleted, and when."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.node import LIBRARY, RECORD
from eclip.node.record import Injection, Record
from eclip.node.report import ConfigReport, Report, Source
from eclip.slot import Slot
from eclip_node_agent import garbage
from eclip_node_agent.garbage import Unlisted
from eclip_node_agent.housekeeping import Keeper
from eclip_node_agent.kubelet import Answer
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.slots import Slots
from eclip_node_agent.store import Store

SOMEBODY = Occupant("team", "web", "main")


def test_an_allocation_goes_after_ten_minutes_in_which_kubelet_answered() -> None:
    found = Unlisted()
    for second in range(600):
        found = found.noted(["a", "b"], ["b"], float(second))
        assert found.garbage == ()
    assert found.noted(["a", "b"], ["b"], 600.0).garbage == ("a",)


def test_time_in_which_kubelet_said_nothing_does_not_count() -> None:
    found = Unlisted().noted(["a"], [], 0.0).noted(["a"], [], 5000.0)

    assert found.garbage == ()
    assert found.seconds["a"] == 0.0


def test_an_allocation_that_is_listed_again_starts_anew() -> None:
    found = Unlisted()
    for second in range(500):
        found = found.noted(["a"], [], float(second))
    found = found.noted(["a"], ["a"], 500.0).noted(["a"], [], 501.0)

    assert found.seconds["a"] < 2


@given(st.lists(st.tuples(st.floats(0, 1000), st.booleans()), max_size=60))
def test_nothing_goes_earlier_than_the_time_that_passed(steps: list[tuple[float, bool]]) -> None:
    found, now, unlisted_since = Unlisted(), 0.0, None
    for step, listed in steps:
        now += step
        found = found.noted(["a"], ["a"] if listed else [], now)
        unlisted_since = None if listed else now if unlisted_since is None else unlisted_since
        assert not found.garbage or (unlisted_since is not None and now - unlisted_since >= garbage.UNLISTED_S - 1e-6)


def test_a_library_stays_while_an_allocation_names_it_or_new_ones_get_it() -> None:
    assert garbage.stale_libraries(["1", "2", "3"], ["2"], "3") == ("1",)
    assert garbage.stale_libraries(["1"], [], None) == ()


class Node:
    """A state root with allocations and libraries."""

    def __init__(self, root: Path) -> None:
        self.store, self.slots = Store(root), Slots()
        self.keeper = Keeper(self.store, self.slots)
        self.root = root

    def allocate(self, slot: str, allocation: str, library: str = "1") -> Path:
        with Slot.create(self.root, slot, allocation) as made:
            folder = made.folder
        record = Record(
            slot=slot, allocation=allocation, gpu="1", created_at=datetime.now(UTC), library=library,
            injection=Injection.PRELOAD,
        )  # fmt: skip
        (folder / RECORD).write_text(record.text())
        return folder

    def install(self, version: str, *, age_s: float = 3600) -> Path:
        folder = self.root / "lib" / version
        folder.mkdir(parents=True)
        (folder / LIBRARY).write_text("")
        os.utime(folder, (time.time() - age_s,) * 2)
        return folder

    def sweep(self, listing: dict[str, tuple[Occupant, ...]], at: float, offered: str = "1") -> None:
        shelf = self.store.shelf()
        self.slots.meet(shelf.complete)
        occupants = {
            name: listing[found.record.slot][0]
            for name, found in shelf.complete.items()
            if found.record.slot in listing
        }
        report = Report(
            plugin_version="1", library=offered, source=Source.KFD, resource="eclip.dev/gpu-share", registered=True,
            config=ConfigReport(name="default", in_force="default", valid=True), changed_at=datetime.now(UTC),
        )  # fmt: skip
        self.keeper.sweep(shelf, occupants, Answer(listing, at), report)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.slots.close()


def test_only_what_nobody_has_is_deleted(node: Node) -> None:
    kept, gone = node.allocate("1-s00", "kept"), node.allocate("1-s01", "gone", "0")
    unfinished = node.root / "slots" / "1-s02" / "unfinished"
    unfinished.mkdir(parents=True)
    old, used, fresh = node.install("0"), node.install("1"), node.install("2", age_s=1)

    for step in range(122):
        node.sweep({"1-s00": (SOMEBODY,)}, step * 5.0)
        if step == 119:
            assert gone.exists()
            assert old.exists()

    assert kept.exists()
    assert not gone.exists()
    assert not unfinished.exists()
    assert [folder.exists() for folder in (old, used, fresh)] == [False, True, True]


def test_the_folder_of_a_pod_whose_record_is_damaged_stays_while_the_pod_does(node: Node) -> None:
    folder = node.allocate("1-s00", "damaged")
    (folder / RECORD).write_text("{")
    library = node.install("7")

    for step in range(130):
        node.sweep({"1-s00": (SOMEBODY,)}, step * 5.0)

    assert folder.exists()
    assert library.exists(), "it may be the one that the damaged record names"


def test_nothing_is_deleted_before_kubelet_has_answered(node: Node) -> None:
    folder = node.allocate("1-s00", "a")

    for _ in range(200):
        node.keeper.sweep(node.store.shelf(), {}, None, None)

    assert folder.exists()
