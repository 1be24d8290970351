"""Edge: what a run that was killed could not take away. Its programs were ended by the kernel (`processes`)."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from eclip.errors import EclipError, InputError
from eclip.slot import Slot, folders, stats

RUN = "run-"
"""How the allocations of slots begin that a run makes. Slots of `eclip slot create` wait for their user."""

LOGS_KEPT = 20
"""Folders of programs' output that stay after their runs, the newest ones: to be read, not to fill a disk."""


def logs(root: Path, kind: str = "") -> Path:
    """Where this process keeps the output of its programs; it takes away what too many before it have left."""
    past = [folder for folder in root.glob("logs/*") if not _lives(folder.name.rpartition("-")[2])]
    for folder in sorted(past, key=_changed, reverse=True)[LOGS_KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
    return root / "logs" / f"{kind}{os.getpid()}"


def allocation() -> str:
    """For a slot of this run; a folder is never used twice."""
    return f"{RUN}{uuid.uuid4().hex[:12]}"


def sweep(root: Path, say: Callable[[str], None]) -> None:
    """Remove slots of runs that are gone, and the files of emulated GPUs that nobody uses any more."""
    for folder in folders(root):
        if folder.name.startswith(RUN):
            _remove(folder, say)
    if not any(_programs(folder) for folder in folders(root)):
        for folder in root.glob("emulated/*"):
            if not _lives(folder.name):
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, say: Callable[[str], None]) -> None:
    try:
        slot = Slot(folder)
    except InputError:  # its run lives
        return
    programs = _programs(folder)
    with contextlib.suppress(EclipError):
        slot.remove()
        left = f"; its program {', '.join(map(str, programs))} still runs, without a plan" if programs else ""
        say(f"removed slot {folder.parent.name} of a run that was killed{left}")


def _programs(folder: Path) -> list[int]:
    try:
        return [client.pid for client in stats.read(folder / "stats") if client.alive]
    except (InputError, OSError):
        return []


def _changed(folder: Path) -> float:
    """When; for one that another run takes away at this moment: long ago."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0


def _lives(process: str) -> bool:
    return not process.isdecimal() or Path("/proc", process).exists()
