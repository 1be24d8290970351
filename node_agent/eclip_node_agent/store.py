"""Edge: what lies under the state root: allocations, the plugin's report, library versions."""

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from eclip import atomic, node
from eclip.errors import EclipError, InputError
from eclip.node import record, report
from eclip.node.record import Record
from eclip.node.report import Report
from eclip.slot import stats
from eclip_node_agent import garbage
from eclip_node_agent.occupants import Age


@dataclass(frozen=True, slots=True)
class Allocation:
    """A complete allocation on disk."""

    record: Record
    folder: Path
    age: Age

    @property
    def name(self) -> str:
        """Random, unique."""
        return self.folder.name


@dataclass(frozen=True, slots=True)
class Shelf:
    """All allocations on disk, by name."""

    complete: Mapping[str, Allocation]
    others: Mapping[str, Path]
    """Folders without a record that can be read: not complete yet, or damaged."""


class Store:
    """One node's state root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[Path, Allocation] = {}

    def shelf(self) -> Shelf:
        """As of now."""
        complete, others = {}, {}
        for folder in self._folders():
            try:
                complete[folder.name] = self._allocation(folder)
            except InputError:
                others[folder.name] = folder
        self._read = {found.folder: found for found in complete.values()}
        return Shelf(complete, others)

    def report(self) -> Report | None:
        """The plugin's last report; None if there is none that can be read."""
        path = self.root / node.REPORT
        try:
            return report.Report.parse(_text(path, record.MOST_BYTES * 16), str(path))
        except InputError:
            return None

    def follow_config(self, name: str) -> None:
        """Tells the plugin which node config holds.

        Raises:
            EclipError: it cannot be written.
        """
        path = self.root / node.NODE_CONFIG
        if _text_or_nothing(path) != name:
            atomic.write(path, name)

    def old_libraries(self) -> tuple[str, ...]:
        """Versions of the interposer that were installed longer ago than garbage has to wait."""
        oldest = time.time() - garbage.UNLISTED_S
        found = (path for path in _entries(self.root / "lib") if path.is_dir() and not path.name.startswith("."))
        return tuple(sorted(path.name for path in found if path.stat().st_mtime < oldest))

    def remove_allocation(self, folder: Path) -> None:
        """Deletes the folder of an allocation whose slot nobody holds open.

        Raises:
            EclipError: the file system refuses.
        """
        gone = folder.with_name(f".{folder.name}.gone")
        try:
            if folder.exists():
                folder.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise EclipError(f"{folder}: cannot be removed ({error.strerror})") from error

    def remove_library(self, version: str) -> None:
        """Deletes a version. Programs that have it mapped keep it.

        Raises:
            EclipError: the file system refuses.
        """
        try:
            shutil.rmtree(self.root / "lib" / version)
        except OSError as error:
            raise EclipError(f"{self.root / 'lib' / version}: cannot be removed ({error.strerror})") from error

    def _allocation(self, folder: Path) -> Allocation:
        """Records never change: what was read once is looked at again only when the file is another one."""
        known = self._read.get(folder)
        return known if known and known.age.written_ns == _written(folder / node.RECORD) else _allocation(folder)

    def _folders(self) -> list[Path]:
        slots = [entry for entry in _entries(self.root / "slots") if not entry.name.startswith(".")]
        folders = (entry for slot in slots for entry in _entries(slot) if not entry.name.startswith("."))
        return sorted(folder for folder in folders if folder.is_dir() and not folder.is_symlink())


def _allocation(folder: Path) -> Allocation:
    path = folder / node.RECORD
    found = record.Record.parse(_text(path, record.MOST_BYTES), str(path))
    if (found.slot, found.allocation) != (folder.parent.name, folder.name):
        raise InputError(f"{path}: is the record of slot {found.slot}, allocation {found.allocation}")
    return Allocation(found, folder, Age(found.created_at, _written(path)))


def _written(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path, most: int) -> str:
    with stats.opened(path) as file:
        return os.pread(file, most, 0).decode(errors="replace")


def _text_or_nothing(path: Path) -> str | None:
    try:
        return _text(path, record.MOST_BYTES).strip()
    except InputError:
        return None
