"""From what is wanted of a slot to the next step."""

import pytest

from eclip.api.node import GpuSpec, NodeSpec, SlotSpec
from eclip.plan import Stream
from eclip.slot import table
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, Profiling, StreamGroup, Table, Variant
from eclip_node_agent import wishes
from eclip_node_agent.wishes import InForce, Step

MODEL = Model("m", ("k",), (), (Kernel(0, (1, 1, 1), (1, 1, 1), 0),), 0)
MASKED = Table("MI50", 60, (Stream(15, 0x7FFF),), (MODEL,), (Variant(1, ((StreamGroup(0, 0, 0),),)),))
PROFILING = Table("MI50", 60, (Stream(15, 0x7FFF),), (), (), Profiling())
FREE = table.released(MASKED)


def wish(mode: str = "Enforce", name: str | None = "t1") -> SlotSpec:
    return SlotSpec(slot="1-s00", allocation="a", mode=mode, table=name)


@pytest.mark.parametrize(
    ("wanted", "now", "step"),
    [
        (None, InForce("t1", MASKED), Step.KEEP),
        (wish(), InForce(), Step.PUBLISH),
        (wish(), InForce("t1", MASKED), Step.KEEP),
        (wish(), InForce("t0", MASKED), Step.PUBLISH),
        (wish(), InForce(None, MASKED), Step.PUBLISH),
        (wish("Profile"), InForce("t0", MASKED), Step.PUBLISH),
        (wish("Unmasked", None), InForce("t1", MASKED), Step.RELEASE),
        (wish("Enforce", None), InForce("t1", MASKED), Step.RELEASE),
        (wish("Unmasked", "t1"), InForce("t1", MASKED), Step.RELEASE),
        (wish("Unmasked", None), InForce("t1", PROFILING), Step.WITHDRAW),
        (wish("Unmasked", None), InForce(None, FREE), Step.KEEP),
        (wish("Unmasked", None), InForce(), Step.KEEP),
    ],
)
def test_the_next_step(wanted: SlotSpec | None, now: InForce, step: Step) -> None:
    assert wishes.step(wanted, now) is step


def test_a_released_table_masks_nothing() -> None:
    assert {group.stream for groups in FREE.variants[0].choices for group in groups} == {OWN_STREAM}


def test_a_wish_is_for_one_allocation_only() -> None:
    spec = NodeSpec(gpus=(GpuSpec(id="1", slots=(wish(),)),))

    assert wishes.wanted(spec) == {"a": wish()}


def test_a_mask_without_a_table_is_none() -> None:
    assert wishes.mode(wish()) == "Enforce"
    assert wishes.mode(wish(name=None)) == "Unmasked"
    assert wishes.mode(wish("Unmasked", "t1")) == "Unmasked"
    assert wishes.mode(None) is None
