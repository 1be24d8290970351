"""Edge: who has a GPU. One run at a time: each of them plans for the whole of it."""

import fcntl
import os
from pathlib import Path
from typing import Self

from eclip.errors import EclipError, InputError


class Claim:
    """A GPU in this process's hands, until `release` or the end of the process, whichever way that comes."""

    def __init__(self, root: Path, key: str, what: str, holder: str) -> None:
        """`key` is a file name that all who mean this GPU agree on; `what` is told to who finds it taken.

        Raises:
            InputError: somebody else has it; says who.
            EclipError: the state root cannot be written.
        """
        path = root / "gpus" / f"{key}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise EclipError(f"{path}: cannot be opened ({error.strerror})") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = os.pread(self._file, 4096, 0).decode(errors="replace").strip() or "another eclip process"
            os.close(self._file)
            raise InputError(f"{what}: {who} has it; end that, or put all workloads into one file") from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, holder.encode(), 0)

    def release(self) -> None:
        """Let others have it."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
