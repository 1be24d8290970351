"""A file that a program may write, held open by the node: read by its descriptor, put back when it was meddled with.

The program has the file itself (a mount of one file), so that it can grow, shrink and fill it; it cannot reach the
folder. What stands in the file's place anyway was put there by somebody else on the node, and is replaced as well.
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

import numpy as np

from eclip import slot
from eclip.errors import InputError
from eclip.slot import records, stats


class ForeignVersionError(InputError):
    """A file of another version of the slot folder: whoever made it can use it, we cannot."""


class HeldFile:
    """One of a slot's `slot.PROGRAM_FILES`, opened once. `close` lets go of it."""

    def __init__(self, folder: Path, name: str) -> None:
        """Opens it. What is wrong with it stays so until `put_back`.

        Raises:
            ForeignVersionError: it belongs to another version of the slot folder.
            InputError: it is not there, or is no regular file.
        """
        self._folder, self._name = folder, name
        self._shape = slot.PROGRAM_FILES[name]
        self._file = stats.open_file(folder / name, os.O_RDWR)
        found = np.frombuffer(os.pread(self._file, 8, 0).ljust(8, b"\0"), "<u4")
        ours = np.frombuffer(self._shape.header[:8], "<u4")
        if found[0] == ours[0] and found[1] != ours[1]:
            os.close(self._file)
            raise ForeignVersionError(f"{folder / name}: is of version {found[1]}; this is version {records.VERSION}")

    @property
    def descriptor(self) -> int:
        """To read from, by `pread` only."""
        return self._file

    def put_back(self) -> bool:
        """Gives the file its size, header and mode back, and its place in the folder. True if anything was wrong.

        Raises:
            OSError: the file system refuses; asked again, it is tried again.
        """
        found = os.fstat(self._file)
        wrong = False
        if found.st_size != self._shape.size or stat.S_IMODE(found.st_mode) != self._shape.mode:
            wrong = True
            self._resize(found.st_size)
            os.fchmod(self._file, self._shape.mode)
        if os.pread(self._file, len(self._fixed), 0) != self._fixed:
            wrong = True
            os.pwrite(self._file, self._fixed, 0)
        return self._put_in_place(found) or wrong

    def close(self) -> None:
        """The file stays."""
        os.close(self._file)

    @property
    def _fixed(self) -> bytes:
        """What of the header never changes: of a profile only magic and version, the rest is its progress."""
        return self._shape.header if self._name == "stats" else self._shape.header[:8]

    def _resize(self, size: int) -> None:
        if size > self._shape.size:
            os.ftruncate(self._file, self._shape.size)
            return
        try:
            os.posix_fallocate(self._file, 0, self._shape.size)
        except OSError:  # a full disk; a hole is better than a mapping without a file behind it
            os.ftruncate(self._file, self._shape.size)

    def _put_in_place(self, held: os.stat_result) -> bool:
        path = self._folder / self._name
        with contextlib.suppress(FileNotFoundError):
            there = path.lstat()
            if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino):
                return False
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        beside = self._folder / f".{self._name}.back"
        beside.unlink(missing_ok=True)
        try:
            # With a folder given, even if unused, Python has the kernel follow the link to the file itself.
            os.link(f"/proc/self/fd/{self._file}", beside, src_dir_fd=self._file)
        except OSError:
            self._replace(path)
        else:
            beside.rename(path)
        return True

    def _replace(self, path: Path) -> None:
        """A new file for programs to come, and for us: the one that is held has lost its last name."""
        slot.lay_out_file(self._folder, self._name)
        fresh = stats.open_file(path, os.O_RDWR)
        os.close(self._file)
        self._file = fresh
