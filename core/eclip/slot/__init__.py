"""The slot folder, from the node's side: made, given tables, taken away. The layout is native/include/eclip/slot.h.

    <state>/slots/<name>/<allocation>/config/control        read-only for the program
                                      config/table.<n>
                                      stats, profile        written by the program

A folder is never used twice: a new allocation has no table and no statistics of an older one.
"""

import contextlib
import fcntl
import mmap
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from eclip import documents
from eclip.errors import EclipError, InputError
from eclip.slot import records

_READ_ONLY, _SHARED, _FOLDER = 0o644, 0o666, 0o755
_GENERATION_WORD, _ACTIVE_WORD = 1, 2
"""Places of these fields in the control page, counted in 64-bit words."""
_TABLES_KEPT = 2
"""A program that has just read a generation still finds its table when one more has been published."""


def state_root(environment: Mapping[str, str] = os.environ, uid: int | None = None) -> Path:
    """Where slots live: ECLIP_STATE, else /run/eclip for root, else $XDG_RUNTIME_DIR/eclip.

    Raises:
        InputError: the variables give no absolute folder.
    """
    if chosen := environment.get("ECLIP_STATE"):
        root = Path(chosen)
    elif (os.getuid() if uid is None else uid) == 0:
        root = Path("/run/eclip")
    elif runtime := environment.get("XDG_RUNTIME_DIR"):
        root = Path(runtime) / "eclip"
    else:
        raise InputError("XDG_RUNTIME_DIR is not set; set it, or set ECLIP_STATE to a folder of your own")
    if not root.is_absolute():
        raise InputError(f"ECLIP_STATE={root}: is a relative path; give it an absolute one")
    return root


def folders(root: Path) -> tuple[Path, ...]:
    """The folders of all slots under a state root, by name and allocation."""
    found = (control.parent.parent for control in root.glob("slots/*/*/config/control"))
    return tuple(sorted(folder for folder in found if not folder.name.startswith(".")))


class Slot:
    """A slot that this process writes. One process at a time; `close` or leave the `with` block to let it go."""

    def __init__(self, folder: Path) -> None:
        """Takes over a folder that exists.

        Raises:
            InputError: it is no slot folder of this version, or another process writes it.
        """
        self.folder = folder
        self._control = _map_control(folder / "config" / "control")
        self._words = memoryview(self._control).cast("Q")

    @classmethod
    def create(cls, root: Path, name: str, allocation: str) -> Self:
        """Makes the folder of a new slot under a state root, and opens it.

        Raises:
            InputError: a name cannot be used, or the folder exists.
            EclipError: the file system refuses.
        """
        folder = _new_folder(root, name, allocation)
        if folder.exists():
            raise InputError(f"slot {name}: {folder} exists; remove it, or take another allocation")
        lay_out(folder)
        return cls(folder)

    @property
    def name(self) -> str:
        """The slot's name."""
        return self.folder.parent.name

    @property
    def allocation(self) -> str:
        """Which use of the slot this is."""
        return self.folder.name

    @property
    def stats(self) -> Path:
        """The file that the program's counters are in; see `stats.read`."""
        return self.folder / "stats"

    @property
    def profile(self) -> Path:
        """The file that profile mode writes; see `stats.read_profile`."""
        return self.folder / "profile"

    @property
    def generation(self) -> int:
        """Number of the newest table; 0 if there is none."""
        return int(self._words[_GENERATION_WORD])

    @property
    def active(self) -> int:
        """The set of active workers that the program sees."""
        return int(self._words[_ACTIVE_WORD])

    def publish(self, table_bytes: bytes) -> int:
        """Puts a new table in force and returns its generation. Whoever sees the number finds the whole table."""
        generation = self._last_table() + 1
        config = self.folder / "config"
        try:
            _write(config / f"table.{generation}", table_bytes)
        except OSError as error:
            raise EclipError(f"slot {self.name}: table {generation} cannot be written: {error.strerror}") from error
        self._words[_GENERATION_WORD] = generation
        for number, path in self._tables():
            if number <= generation - _TABLES_KEPT:
                path.unlink(missing_ok=True)
        return generation

    def withdraw(self) -> None:
        """Leaves the slot without a table, as it began; the next one counts on."""
        self._words[_GENERATION_WORD] = 0

    def set_active(self, bits: int) -> None:
        """Says which workers of the mix are busy (bit i: worker i); programs change variant between requests."""
        self._words[_ACTIVE_WORD] = bits

    def remove(self) -> None:
        """Takes the slot away. A program that still runs in it goes on without a table."""
        self._words[_GENERATION_WORD] = 0
        self.close()
        gone = self.folder.with_name(f".{self.folder.name}.gone")
        try:
            self.folder.rename(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise EclipError(f"slot {self.name}: {self.folder} cannot be removed: {error.strerror}") from error
        # Another allocation of this slot may be in use.
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def close(self) -> None:
        """Lets go of the folder, which stays."""
        self._words.release()
        self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tables(self) -> list[tuple[int, Path]]:
        paths = (self.folder / "config").glob("table.*")
        return [(int(path.suffix[1:]), path) for path in paths if path.suffix[1:].isdecimal()]

    def _last_table(self) -> int:
        # The page says what is in force; a file beyond it was left by a writer that died before it said so.
        return max([self.generation, *(number for number, _ in self._tables())])


def _map_control(path: Path) -> mmap.mmap:
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise InputError(f"{path.parent.parent}: is no slot folder of yours: {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        page = mmap.mmap(file, records.CONTROL_BYTES)
    except BlockingIOError as error:
        raise InputError(f"{path.parent.parent}: is in use by another eclip process") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is no control page: it has not {records.CONTROL_BYTES} bytes") from error
    finally:
        os.close(file)
    control = np.frombuffer(page[: records.CONTROL.itemsize], records.CONTROL)[0]
    if (control["magic"], control["version"]) != (records.CONTROL_MAGIC, records.VERSION):
        page.close()
        raise InputError(f"{path}: is no control page of version {records.VERSION}")
    return page


def place(laid_out: Path, root: Path, name: str, allocation: str) -> Path:
    """Makes a folder of `lay_out`, on the file system of a state root, that of a new slot, which takes no time.

    Raises:
        InputError: a name cannot be used.
        EclipError: the file system refuses; a folder that has something in it is never replaced.
    """
    folder = _new_folder(root, name, allocation)
    try:
        try:
            laid_out.rename(folder)
        except FileNotFoundError:  # the slot's first allocation
            folder.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
            laid_out.rename(folder)
    except OSError as error:
        raise EclipError(f"slot {name}: {folder} cannot be made: {error.strerror}") from error
    return folder


def _new_folder(root: Path, name: str, allocation: str) -> Path:
    for what, text in (("slot", name), ("allocation", allocation)):
        if fault := documents.name_fault(text):
            raise InputError(f"{what} {fault}")
    return root / "slots" / name / allocation


def lay_out(folder: Path) -> None:
    """Makes a folder that a slot can be created from, whole or not at all.

    Raises:
        EclipError: the file system refuses.
    """
    unfinished = folder.with_name(f".{folder.name}.new")
    try:
        folder.parent.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        _lay_out(unfinished)
        unfinished.rename(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise EclipError(f"{folder} cannot be made: {error.strerror}") from error


def _lay_out(folder: Path) -> None:
    for path in (folder, folder / "config"):
        path.mkdir()
        path.chmod(_FOLDER)
    control = _header(records.CONTROL, magic=records.CONTROL_MAGIC)
    _write(folder / "config" / "control", control, size=records.CONTROL_BYTES)
    for name in PROGRAM_FILES:
        lay_out_file(folder, name)


def lay_out_file(folder: Path, name: str) -> None:
    """Makes one of the files that the program writes (a key of `PROGRAM_FILES`), empty, in place of what is there.

    Raises:
        OSError: the file system refuses.
    """
    shape = PROGRAM_FILES[name]
    _write(folder / name, shape.header, mode=shape.mode, size=shape.size)


@dataclass(frozen=True, slots=True)
class ProgramFile:
    """What a file that the program writes is like when nobody has written it."""

    header: bytes
    size: int
    mode: int = _SHARED


def _header(layout: np.dtype[np.void], **fields: int) -> bytes:
    header = np.zeros((), layout)
    for name, value in {"version": records.VERSION, **fields}.items():
        header[name] = value
    return header.tobytes()


PROGRAM_FILES = {
    "stats": ProgramFile(
        _header(
            records.STATS_HEADER, magic=records.STATS_MAGIC, clients=records.CLIENTS, record_bytes=records.CLIENT_BYTES
        ),
        records.STATS_BYTES,
    ),
    "profile": ProgramFile(_header(records.PROFILE_HEADER, magic=records.PROFILE_MAGIC), records.PROFILE_BYTES),
}
"""By name in the slot's folder."""


def _write(path: Path, data: bytes, *, mode: int = _READ_ONLY, size: int | None = None) -> None:
    """Whole or not at all: written beside its place, then renamed into it."""
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with unfinished.open("wb") as file:
            # The umask of whoever runs us must not keep the program in the slot out.
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            if size:
                # Not a hole: a program that writes into its mapping must not be killed because the disk is full.
                os.posix_fallocate(file.fileno(), 0, size)
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
