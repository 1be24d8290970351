"""Edge: allocations on the node's disk. Made here, deleted by the agent alone, never used twice."""

import contextlib
import os
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path

from eclip import node
from eclip.errors import EclipError, InputError
from eclip.node.record import Injection, Record
from eclip.plan import CuSet
from eclip.slot import place


def in_use(state: Path) -> dict[str, tuple[str, ...]]:
    """Allocations by slot. A folder without a record was never given to anybody."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for record in sorted(state.glob(f"slots/*/*/{node.RECORD}")):
        if not record.parent.name.startswith("."):
            found[record.parent.parent.name].append(record.parent.name)
    return {slot: tuple(allocations) for slot, allocations in found.items()}


def is_in_use(state: Path, slot: str) -> bool:
    """Whether somebody was given this slot, and the agent has not taken it back."""
    with contextlib.suppress(FileNotFoundError):
        found = (state / "slots" / slot).iterdir()
        return any(not entry.name.startswith(".") and (entry / node.RECORD).exists() for entry in found)
    return False


def ceilings(state: Path, slots: Iterable[str]) -> tuple[CuSet, ...]:
    """The CU sets that the newest occupants of these slots can get at, of those that have a ceiling."""
    found = []
    for slot in slots:
        records = [_read(path) for path in (state / "slots" / slot).glob(f"[!.]*/{node.RECORD}")]
        newest = max((record for record in records if record), key=lambda record: record.created_at, default=None)
        if newest and newest.reach is not None:
            found.append(newest.reach)
    return tuple(found)


def _read(path: Path) -> Record | None:
    """None: the agent has just deleted it, or it is damaged, and says nothing."""
    with contextlib.suppress(OSError, UnicodeDecodeError, InputError):
        return _record(path)
    return None


@lru_cache(maxsize=256)
def _record(path: Path) -> Record:
    """A record is never changed, and no other one is ever written in its place."""
    return Record.parse(path.read_text(encoding="utf-8"), str(path))


def make(
    state: Path,
    slot: str,
    gpu: str,
    *,
    whole: bool,
    library: str,
    injection: Injection,
    ceiling: str | None,
    laid_out: Path,
) -> tuple[Path, Record]:
    """A new slot folder, made of one that is laid out, with its record, which is written last.

    Raises:
        EclipError: the file system refuses; nothing is left behind.
    """
    record = Record(
        slot=slot,
        allocation=secrets.token_hex(8),
        gpu=gpu,
        whole=whole,
        created_at=datetime.now(UTC),
        library=library,
        injection=injection,
        ceiling=ceiling,
    )
    folder = place(laid_out, state, slot, record.allocation)
    try:
        _write(folder, record.text().encode())
    except OSError as error:
        # Nobody was told of it.
        shutil.rmtree(folder, ignore_errors=True)
        raise EclipError(f"slot {slot}: allocation {record.allocation} cannot be recorded: {error.strerror}") from error
    return folder, record


def _write(folder: Path, record: bytes) -> None:
    """Kubelet replays our answer after a power cut: the record has to be there then, and all that was made before.

    Who looks meanwhile sees the whole record or none. A power cut in this very moment may leave an empty one, of an
    allocation that nobody was told of. The record is renamed before it is synchronized, so that a journal carries all
    of it at once: the folder's own turn, which file systems without one need, then costs nothing.
    """
    unfinished = f".{node.RECORD}.new"
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with open(unfinished, "xb", opener=partial(os.open, mode=0o644, dir_fd=place)) as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(record)
            file.flush()
            os.rename(unfinished, node.RECORD, src_dir_fd=place, dst_dir_fd=place)
            os.fsync(file.fileno())
        os.fsync(place)
    finally:
        os.close(place)
