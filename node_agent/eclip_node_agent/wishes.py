"""What a slot is to have, against what it has: the next step. Pure."""

from dataclasses import dataclass
from enum import Enum

from eclip.api.node import Mode, NodeSpec, SlotSpec
from eclip.slot.table import Table


class Step(Enum):
    """What to do with a slot's table."""

    KEEP = "keep"
    PUBLISH = "publish"
    """The table that the spec names."""
    RELEASE = "release"
    """The same models, no masks."""
    WITHDRAW = "withdraw"
    """No table."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a slot has."""

    name: str | None = None
    """Of the LookupTable; None: none, or whose it was is not known."""
    table: Table | None = None


def wanted(spec: NodeSpec) -> dict[str, SlotSpec]:
    """What the spec says, by allocation."""
    return {slot.allocation: slot for gpu in spec.gpus for slot in gpu.slots}


def mode(slot: SlotSpec | None) -> Mode | None:
    """What is wanted; masks without a table are none."""
    if slot is None:
        return None
    return slot.mode if slot.table else "Unmasked"


def step(slot: SlotSpec | None, now: InForce) -> Step:
    """The next step. A slot that the spec does not name keeps what it has: its occupant may be newer than the spec, and
    a node's object may have been deleted and made again, empty."""
    if slot is None:
        return Step.KEEP
    if mode(slot) != "Unmasked":
        return Step.KEEP if now.name == slot.table else Step.PUBLISH
    if now.table is None:
        return Step.KEEP
    if now.table.profiling:
        return Step.WITHDRAW
    return Step.RELEASE if now.table.streams else Step.KEEP
