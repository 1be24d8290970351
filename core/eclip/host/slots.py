"""Edge: the slots of one run, those it made and those it adopted."""

from pathlib import Path

from eclip.errors import InputError
from eclip.host import leftovers
from eclip.slot import Slot, folders, stats
from eclip.slot.clients import ClientRecord


class Slots:
    """Slots by workload. What a program does to its statistics file never stops the run: it reads as empty then."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[str, Slot] = {}
        self._adopted: set[str] = set()

    def make(self, name: str, *, adopt: bool) -> None:
        """A fresh slot, or the one that `eclip slot create` made for a program of somebody else.

        Raises:
            InputError: there is nothing to adopt, or another process has it.
        """
        if not adopt:
            self._open[name] = Slot.create(self._root, name, leftovers.allocation())
            return
        self._open[name] = Slot(self.made_by_others(name))
        self._adopted.add(name)

    def made_by_others(self, name: str) -> Path:
        """The folder of the slot to adopt.

        Raises:
            InputError: there is none.
        """
        found = [folder for folder in folders(self._root) if folder.parent.name == name]
        if len(found) != 1:
            raise InputError(f"workload {name}: has no command and no slot; make one with 'eclip slot create {name}'")
        return found[0]

    def folder(self, name: str) -> Path:
        """Where the slot is."""
        return self._open[name].folder

    def generation(self, name: str) -> int:
        """The table in force."""
        return self._open[name].generation

    def publish(self, name: str, table: bytes) -> None:
        """Put a table in force."""
        self._open[name].publish(table)

    def set_active(self, bits: int) -> None:
        """Tell all slots which workers of the mix are busy."""
        for slot in self._open.values():
            if slot.active != bits:
                slot.set_active(bits)

    def launches(self, name: str) -> tuple[int, ...]:
        """The pulse of the slot's models."""
        try:
            return stats.launches(self._open[name].stats)
        except InputError:
            return ()

    def clients(self, name: str) -> tuple[ClientRecord, ...]:
        """What the slot's programs report."""
        try:
            return stats.read(self._open[name].stats)
        except InputError:
            return ()

    def release(self, name: str, alone: int) -> None:
        """Take a slot away that this run made; let go of one that it adopted, whose program goes on as if `alone` (its
        own bits of the active set) were busy: on the whole GPU, as without us."""
        slot = self._open.pop(name)
        if name in self._adopted:
            self._adopted.discard(name)
            slot.set_active(alone)
            slot.close()
        else:
            slot.remove()
