"""Edge: slot folders laid out ahead of time, so that kubelet does not wait for the disk.

They lie below `prepared/<version of their layout>` of the state root, were never given to anybody, and are good for the
next process too.
"""

import contextlib
import logging
import secrets
import shutil
from pathlib import Path

from eclip.errors import EclipError
from eclip.slot import lay_out, records

STOCK = 8
"""As many as a GPU has shares."""
_log = logging.getLogger(__name__)


class Stock:
    """Folders to make slots of. One thread fills it, any may take."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "prepared" / str(records.VERSION)
        self._ready: list[Path] = []
        self._full = False
        self._adopt()

    def take(self) -> Path:
        """A folder that is laid out; if none is left, it is done now.

        Raises:
            EclipError: the file system refuses.
        """
        with contextlib.suppress(IndexError):
            while not (folder := self._ready.pop()).is_dir():
                _log.warning("%s is gone", folder)
            return folder
        return self._lay_out()

    def fill(self) -> None:
        """Lays out one folder, if one is missing. A disk that is full is tried again."""
        if len(self._ready) >= STOCK:
            return
        try:
            self._ready.append(self._lay_out())
        except EclipError as error:
            if not self._full:
                _log.warning("slots cannot be laid out ahead: %s", error)
            self._full = True
            return
        self._full = False

    def _lay_out(self) -> Path:
        folder = self._folder / secrets.token_hex(8)
        lay_out(folder)
        return folder

    def _adopt(self) -> None:
        """What an earlier process left: whole folders are kept, others and those of other versions go."""
        with contextlib.suppress(OSError):
            for version in self._folder.parent.iterdir():
                if version != self._folder:
                    shutil.rmtree(version, ignore_errors=True)
            for folder in self._folder.iterdir():
                if folder.name.startswith("."):
                    shutil.rmtree(folder, ignore_errors=True)
                else:
                    self._ready.append(folder)
