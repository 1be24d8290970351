"""What the agent knows after a look, put together from its parts. Pure."""

from collections.abc import Iterable, Mapping

from eclip.api.node_status import SlotReason, SlotState
from eclip.slot.activity import Activity
from eclip_node_agent import active
from eclip_node_agent.active import Pulse, Worker
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.reports import Seen
from eclip_node_agent.state import Verdict

LOST = "lost"
"""In place of the name of an allocation of which nothing is left."""


def gpu_of(slot: str) -> str:
    """The GPU of a share, from its name `<gpu>-s<nn>`, or `<gpu>-all` for all of them."""
    return slot.rpartition("-")[0]


def lost(slots: Mapping[str, Occupant], seated: Iterable[Occupant]) -> tuple[Seen, ...]:
    """Who was given a share of which nothing is left, and sits nowhere else."""
    there = set(seated)
    verdict = Verdict(SlotState.NOT_ENFORCED, SlotReason.SLOT_LOST)
    return tuple(
        Seen(slot, LOST, gpu_of(slot), occupant, None, verdict)
        for slot, occupant in slots.items()
        if occupant not in there
    )


def by_gpu(pulses: Iterable[tuple[str, Pulse]]) -> dict[str, list[Pulse]]:
    """Pulses of each GPU's workers."""
    found: dict[str, list[Pulse]] = {}
    for gpu, pulse in pulses:
        found.setdefault(gpu, []).append(pulse)
    return found


def active_sets(seen: Mapping[Worker, Activity], pulses: Mapping[str, list[Pulse]]) -> dict[str, int]:
    """By GPU: who is busy."""
    return {gpu: active.active_set(seen, every) for gpu, every in pulses.items()}
