"""Edge: an allocation that is in use: its control page, its table, and the two files that the program writes."""

import contextlib
import os
from pathlib import Path

from eclip import node
from eclip.errors import EclipError, InputError
from eclip.slot import Slot, stats, table
from eclip.slot.clients import ClientRecord
from eclip.slot.held import HeldFile
from eclip.slot.table import Table
from eclip_node_agent.wishes import InForce


class LiveSlot:
    """One allocation, held open. `close` lets go of it; its program goes on."""

    def __init__(self, folder: Path) -> None:
        """Takes it over with the table that is in force.

        Raises:
            ForeignVersionError: it is of another version of the slot folder.
            InputError: a file is missing, is none of ours, or another process has the slot.
        """
        self.folder = folder
        self._stats = HeldFile(folder, "stats")
        try:
            self._profile = HeldFile(folder, "profile")
            try:
                self._slot = Slot(folder)
            except EclipError:
                self._profile.close()
                raise
        except EclipError:
            self._stats.close()
            raise
        self._control = _identity(folder / "config" / "control")
        self._living: tuple[int, ...] = ()
        self.in_force = InForce(None, self._table())

    @property
    def generation(self) -> int:
        """Of the table in force; 0: none."""
        return self._slot.generation

    @property
    def stats_inode(self) -> int:
        """Of the statistics file, as /proc/locks names it."""
        return os.fstat(self._stats.descriptor).st_ino

    def lost(self) -> bool:
        """Whether a file that only the node writes is gone, or is another one."""
        path = self.folder / "config" / "control"
        return _identity(path) != self._control or not (self.folder / node.RECORD).is_file()

    def put_back(self) -> bool:
        """Undoes what was done to the program's files; True if anything had to be.

        Raises:
            OSError: the file system refuses.
        """
        # Both, whatever the first one says.
        return any([self._stats.put_back(), self._profile.put_back()])

    def clients(self) -> tuple[ClientRecord, ...]:
        """What programs report."""
        found = stats.clients(self._stats.descriptor)
        self._living = tuple(client.index for client in found if client.alive)
        return found

    def pulse(self) -> tuple[int, ...]:
        """Launches by model of the table, of the programs that were alive when `clients` was last asked."""
        return stats.pulse(self._stats.descriptor, self._living)

    def publish(self, name: str, data: bytes) -> None:
        """Puts the table of this name in force; the same bytes as before are no new generation.

        Raises:
            InputError: the bytes are no table.
            EclipError: they cannot be written.
        """
        made = table.decode(data)
        if self.in_force.table != made or self._bytes() != data:
            self._slot.publish(data)
        self.in_force = InForce(name, made)

    def release(self) -> None:
        """No masks from the next request on; requests are counted still.

        Raises:
            EclipError: the table for that cannot be written.
        """
        if self.in_force.table:
            freed = table.released(self.in_force.table)
            self._slot.publish(table.pack(freed))
            self.in_force = InForce(None, freed)

    def withdraw(self) -> None:
        """No table any more."""
        self._slot.withdraw()
        self.in_force = InForce()

    def set_active(self, bits: int) -> None:
        """Who is busy on this slot's GPU."""
        if self._slot.active != bits:
            self._slot.set_active(bits)

    def close(self) -> None:
        """The folder stays."""
        self._slot.close()
        self._stats.close()
        self._profile.close()

    def _table(self) -> Table | None:
        with contextlib.suppress(InputError):
            return table.decode(self._bytes()) if self.generation else None
        return None

    def _bytes(self) -> bytes:
        with contextlib.suppress(OSError):
            return (self.folder / "config" / f"table.{self.generation}").read_bytes()
        return b""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
