"""Is the plan in force in a slot? Pure. Everything here rests on what the program says of itself, and on who uses the
GPU without saying anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from eclip.api.node import Mode
from eclip.api.node_status import SlotReason, SlotState
from eclip.slot.clients import ClientRecord


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one occupied slot."""

    wanted: Mode | None
    """By the spec; None: it says nothing about this occupant."""
    generation: int = 0
    """Of the table in force; 0: none."""
    clients: Sequence[ClientRecord] = ()
    """The dead included."""
    lost: bool = False
    """A file of the slot is missing, is no file, or is not ours."""
    foreign: bool = False
    """The slot is of another version of us."""
    tampered: bool = False
    library: bool = True
    """The interposer was put into the container."""
    refused: bool = False
    """The table that the spec names cannot be used."""
    silent_users: bool | None = False
    """A process uses the GPU, and has never shaken hands; None: nobody looks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the status says."""

    state: SlotState
    reason: SlotReason | None = None


def _not(reason: SlotReason) -> Verdict:
    return Verdict(SlotState.NOT_ENFORCED, reason)


def verdict(evidence: Evidence) -> Verdict:
    """The state of a slot; of several things that are wrong the one that explains the others."""
    if damage := _damage(evidence):
        return _not(damage)
    alive = [client for client in evidence.clients if client.alive]
    if not _masks_are_wanted(evidence):
        quiet = evidence.wanted is None and not alive and not evidence.silent_users
        return Verdict(SlotState.PENDING if quiet else SlotState.UNMASKED)
    if bypass := _bypass(evidence):
        return _not(bypass)
    if not alive:
        return Verdict(SlotState.PENDING)
    return Verdict(SlotState.UNMASKED) if evidence.wanted == "Profile" else _proof(alive, evidence)


def _masks_are_wanted(evidence: Evidence) -> bool:
    """By the spec; while there is none, a table that is in force speaks for the last one."""
    return evidence.generation > 0 if evidence.wanted is None else evidence.wanted != "Unmasked"


def _bypass(evidence: Evidence) -> SlotReason | None:
    if not evidence.library:
        return SlotReason.LIBRARY_NOT_LOADED
    return SlotReason.NO_HANDSHAKE if evidence.silent_users else None


def _damage(evidence: Evidence) -> SlotReason | None:
    if evidence.lost:
        return SlotReason.SLOT_LOST
    if evidence.foreign:
        return SlotReason.VERSION_MISMATCH
    return SlotReason.STATS_TAMPERED if evidence.tampered else None


def _proof(alive: Sequence[ClientRecord], evidence: Evidence) -> Verdict:
    if evidence.refused:
        return _not(SlotReason.TABLE_REFUSED)
    verdicts = [_client(client, evidence.generation) for client in alive]
    worst = [found for found in verdicts if found.state is SlotState.NOT_ENFORCED]
    waiting = [found for found in verdicts if found.state is SlotState.PENDING]
    single = [found for found in verdicts if found.state is SlotState.SINGLE_MASK]
    return (worst or waiting or single or verdicts)[0]


def _client(client: ClientRecord, generation: int) -> Verdict:
    if client.mode not in ("enforce", "single-mask"):
        # A program whose runtime lacks what we need is left alone, and says how much of it was there.
        incomplete = client.mode == "off" and client.hooks > 0
        return _not(SlotReason.HOOKS_INCOMPLETE if incomplete else SlotReason.USER_DISABLED)
    if client.tables_refused and client.refused_generation == generation:
        format_differs = client.refused_why == "format"
        return _not(SlotReason.VERSION_MISMATCH if format_differs else SlotReason.TABLE_REFUSED)
    if any(stream.state != "not-created" and not stream.in_force for stream in client.streams):
        return _not(SlotReason.TABLE_REFUSED)
    # Before its first table a program runs as without us. From then on its masks are those of a plan, if not yet of
    # the newest: `acknowledged` tells.
    if not client.current.generation:
        return Verdict(SlotState.PENDING)
    return Verdict(SlotState.SINGLE_MASK if client.mode == "single-mask" else SlotState.ENFORCED)


def acknowledged(clients: Sequence[ClientRecord]) -> int:
    """The newest table that every living program runs under; 0: none, or nobody lives."""
    return min((client.current.generation for client in clients if client.alive), default=0)
