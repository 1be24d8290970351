"""The node's object: its size when the node is full, what it says of GPUs, counts and occupants."""

import json
from typing import Any

import pytest

from eclip.api import NodeColocation
from eclip.api.node import MOST_GPUS, MOST_SLOTS, GpuSpec, NodeSpec, SlotSpec
from eclip.api.node_status import GpuStatus, Health, SlotReason, SlotState, SlotStatus, Topology, summary
from eclip.api.table import fewer
from eclip.api.table import summary as groups_summary
from eclip.errors import InputError
from eclip.gpu import products
from eclip.gpu.topology import Gpu
from full_node import LONGEST, USUAL, full_node, partition, slot_status

ROOM = 512 << 10
"""Bytes."""


def size(node: NodeColocation) -> int:
    return len(json.dumps(node.wire(), separators=(",", ":")))


@pytest.mark.parametrize("text", [USUAL, LONGEST], ids=["usual", "longest"])
def test_a_full_node_fits_half_a_mebibyte(text: dict[str, str]) -> None:
    node = full_node(text)

    assert node.status.summary.used == MOST_GPUS * MOST_SLOTS
    assert size(node) < ROOM


def test_a_full_node_comes_back_as_it_was_written() -> None:
    node = full_node(USUAL)

    assert NodeColocation.read(node.wire()) == node


def test_groups_beyond_sixteen_are_counted() -> None:
    texts = [f"{number}@15" for number in range(1, 21)]

    assert groups_summary(texts).endswith("16@15 +4 more")
    assert groups_summary(texts[:16]).endswith("15@15 16@15")


@pytest.mark.parametrize(
    ("line", "shown", "expected"),
    [
        ("1@15 2@30 3@60", 3, "1@15 2@30 3@60"),
        ("1@15 2@30 3@60", 2, "1@15 2@30 +1 more"),
        ("1@15 2@30 3@60 +7 more", 2, "1@15 2@30 +8 more"),
        ("a: 1@15 2@30; b: 3@60 4@60 5@15 +1 more", 1, "a: 1@15 +1 more; b: 3@60 +3 more"),
        ("a: 1@15 2@30 ...", 1, "a: 1@15 ..."),
    ],
)
def test_a_summary_can_be_made_shorter(line: str, shown: int, expected: str) -> None:
    assert fewer(line, shown) == expected
    assert fewer(expected, shown) == expected


@pytest.mark.parametrize("product", ["MI50", "MI300X", "RX7900XTX"])
def test_a_gpu_comes_back_from_its_status(product: str) -> None:
    gpu = products.gpu_for(product)

    assert GpuStatus.of(gpu, shares=4, health=Health.HEALTHY).gpu == gpu


def test_harvested_units_keep_their_place() -> None:
    active = (((7, 8), (6, 8)), ((8, 8), (5, 7)))
    gpu = partition(0)
    odd = Gpu(**{name: getattr(gpu, name) for name in Gpu.__slots__} | {"active": active})

    assert Topology.of(odd).active == (7, 8, 6, 8, 8, 8, 5, 7)
    assert Topology.of(odd).nested == active


def test_a_topology_names_every_array() -> None:
    topology = {"xccs": 1, "shaderEngines": 4, "arraysPerEngine": 1, "active": [15, 15, 15]}
    status = GpuStatus.of(partition(0), shares=4, health=Health.HEALTHY).wire() | {"topology": topology}

    with pytest.raises(
        InputError, match=r"NodeColocation n: status.gpus\[0\].topology.active: has 3 numbers; the chip has 4"
    ):
        NodeColocation.read({"metadata": {"name": "n"}, "status": {"gpus": [status]}})


def test_the_counts_tell_what_should_be_in_force_from_what_need_not() -> None:
    states = (SlotState.ENFORCED, SlotState.UNMASKED, SlotState.PENDING, SlotState.NOT_ENFORCED)
    slots = tuple(
        slot_status(f"a-s{number:02}", "b", USUAL).model_copy(update={"state": state})
        for number, state in enumerate(states)
    )
    gpu = GpuStatus.of(partition(0), shares=4, health=Health.HEALTHY).model_copy(update={"slots": slots})

    assert summary([gpu]).wire() == {"gpus": 1, "shares": 4, "used": 4, "enforced": "1/3"}


def test_a_new_allocation_is_a_new_occupant() -> None:
    first, second = slot_status("a-s00", "one", USUAL), slot_status("a-s00", "two", USUAL)

    assert first.occupant != second.occupant
    assert first.occupant == slot_status("a-s00", "one", USUAL).occupant
    assert SlotStatus(slot="a-s00", allocation="one", state=SlotState.UNKNOWN).occupant is None


def test_a_slot_says_why_masks_are_not_in_force() -> None:
    wire = {"slot": "a-s00", "allocation": "b", "state": "NotEnforced", "reason": "SlotLost"}

    assert SlotStatus.model_validate(wire).reason is SlotReason.SLOT_LOST


def test_a_spec_names_the_tables_that_it_needs() -> None:
    slots = tuple(
        SlotSpec(slot=f"a-s0{n}", allocation="x", mode="Enforce", table=table) for n, table in enumerate("ppq")
    )
    spec = NodeSpec(gpus=(GpuSpec(id="a", slots=slots),))

    assert spec.tables == {"p", "q"}


def test_what_a_newer_version_added_is_passed_over() -> None:
    wire: dict[str, Any] = {"metadata": {"name": "n", "uid": "u"}, "spec": {"config": "big", "later": 1}, "status": {}}

    assert NodeColocation.read(wire).spec == NodeSpec(config="big")
