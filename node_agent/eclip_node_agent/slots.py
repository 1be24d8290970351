"""Edge: the allocations of this node that are in use, each held open, looked at, and kept in order."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eclip.api.conditions import NodeReason
from eclip.api.node import SlotSpec
from eclip.api.table import LookupTable
from eclip.errors import EclipError, InputError
from eclip.slot.clients import ClientRecord
from eclip.slot.held import ForeignVersionError
from eclip_node_agent import figures, wishes
from eclip_node_agent.conditions import Trouble
from eclip_node_agent.figures import Figures, Sample
from eclip_node_agent.live import LiveSlot
from eclip_node_agent.store import Allocation
from eclip_node_agent.tally import Tally
from eclip_node_agent.wishes import InForce, Step

log = logging.getLogger(__name__)
TAMPERED_S = 60.0
"""A slot that was meddled with is called so for this long, and until a program shows up in it again."""


@dataclass
class Seat:
    """One allocation and what is known of it."""

    allocation: Allocation
    live: LiveSlot | None = None
    """None: `fault` says why."""
    fault: str = ""
    foreign: bool = False
    tampered_at: float | None = None
    restored: int = 0
    """Times that a file of the program's was put back."""
    clients: tuple[ClientRecord, ...] = ()
    tally: Tally = field(default_factory=Tally)
    samples: tuple[Sample, ...] = ()
    figures: Figures = field(default_factory=Figures)
    trouble: Trouble | None = None
    waiting: bool = False
    """Its table has not come yet."""

    @property
    def name(self) -> str:
        """Of the allocation."""
        return self.allocation.name

    @property
    def in_force(self) -> InForce:
        """The table."""
        return self.live.in_force if self.live else InForce()

    @property
    def handshakes(self) -> int:
        """Living programs."""
        return sum(client.alive for client in self.clients)

    @property
    def marked(self) -> bool:
        """Whether all that was measured of its requests goes from their start to their end."""
        models = [model for client in self.clients if client.alive for model in client.current.models if model.requests]
        return bool(models) and all(model.marked for model in models)

    def tampered(self, now: float) -> bool:
        """Whether the program's files were meddled with lately."""
        if self.tampered_at is None:
            return False
        return now - self.tampered_at < TAMPERED_S or not self.handshakes


class Slots:
    """All seats by allocation."""

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}

    def meet(self, allocations: Mapping[str, Allocation]) -> None:
        """Opens what is new or could not be opened, lets go of what is gone."""
        for name in self.seats.keys() - allocations.keys():
            self.let_go(name)
        for name, allocation in allocations.items():
            seat = self.seats.setdefault(name, Seat(allocation))
            if seat.live is None:
                _open(seat)

    def let_go(self, name: str) -> None:
        """Closes one; its program goes on."""
        seat = self.seats.pop(name, None)
        if seat and seat.live:
            seat.live.close()

    def guard(self, now: float) -> None:
        """Puts back what programs did to their files, and notices what became of ours."""
        for seat in self.seats.values():
            if seat.live:
                _guard(seat, seat.live, now)

    def look(self, names: Iterable[str], now: float) -> None:
        """Reads what the programs in these allocations report."""
        for seat in (self.seats[name] for name in names):
            if seat.live:
                seat.clients = seat.live.clients()
                seat.tally = seat.tally.noted(seat.clients, seat.live.generation)
                sample = Sample(now, seat.tally.total)
                seat.figures = figures.figures(seat.samples, sample)
                seat.samples = figures.kept(seat.samples, sample)

    def close(self) -> None:
        """Lets go of all."""
        for name in list(self.seats):
            self.let_go(name)


def program(seat: Seat, wanted: SlotSpec | None, tables: Mapping[str, LookupTable], missing: Iterable[str]) -> None:
    """Gives a slot what the spec wants, as far as it is there; `trouble` and `waiting` say what is left to do."""
    seat.trouble, seat.waiting = None, False
    if seat.live is None:
        return
    try:
        match wishes.step(wanted, seat.live.in_force):
            case Step.PUBLISH if wanted and wanted.table:
                _publish(seat, seat.live, wanted.table, tables, missing)
            case Step.RELEASE:
                seat.live.release()
            case Step.WITHDRAW:
                seat.live.withdraw()
    except EclipError as error:
        seat.trouble = Trouble(seat.allocation.record.slot, NodeReason.WRITE_FAILED, str(error))


def _publish(seat: Seat, live: LiveSlot, name: str, tables: Mapping[str, LookupTable], missing: Iterable[str]) -> None:
    slot = seat.allocation.record.slot
    if name in tables:
        found = tables[name]
        if not found.genuine:
            forged = f"LookupTable {name} has another content than its name says"
            seat.trouble = Trouble(slot, NodeReason.TABLE_INVALID, forged)
            return
        try:
            live.publish(name, found.spec.data)
        except InputError as error:
            seat.trouble = Trouble(slot, NodeReason.TABLE_INVALID, f"LookupTable {name}: {error}")
    elif name in missing:
        seat.trouble = Trouble(slot, NodeReason.TABLE_MISSING, f"there is no LookupTable {name}")
    else:
        seat.waiting = True


def _open(seat: Seat) -> None:
    try:
        seat.live = LiveSlot(seat.allocation.folder)
    except ForeignVersionError as error:
        _note(seat, str(error), foreign=True)
    except (EclipError, OSError) as error:
        _note(seat, str(error), foreign=False)
    else:
        seat.fault, seat.foreign = "", False


def _note(seat: Seat, fault: str, *, foreign: bool) -> None:
    if fault != seat.fault:
        log.warning("allocation %s cannot be used: %s", seat.name, fault)
    seat.fault, seat.foreign = fault, foreign


def _guard(seat: Seat, live: LiveSlot, now: float) -> None:
    if live.lost():
        live.close()
        seat.live = None
        _note(seat, f"{live.folder}: a file that only the node writes is gone or was replaced", foreign=False)
        return
    try:
        meddled = live.put_back()
    except OSError as error:
        log.warning("allocation %s cannot be put in order: %s", seat.name, error)
        meddled = True
    if meddled:
        seat.tampered_at = now
        seat.restored += 1


def pulse(seat: Seat) -> tuple[int, ...]:
    """Launches by model of the slot's table."""
    return seat.live.pulse() if seat.live else ()
