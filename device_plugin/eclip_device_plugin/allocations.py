"""Edge: allocations on the node's disk. Made here, deleted by the agent alone, never used twice."""

import os
import secrets
import shutil
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from eclip import node
from eclip.errors import EclipError
from eclip.node.record import Injection, Record
from eclip.slot import Slot


def in_use(state: Path) -> dict[str, tuple[str, ...]]:
    """Allocations by slot. A folder without a record was never given to anybody."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for record in sorted(state.glob(f"slots/*/*/{node.RECORD}")):
        if not record.parent.name.startswith("."):
            found[record.parent.parent.name].append(record.parent.name)
    return {slot: tuple(allocations) for slot, allocations in found.items()}


def is_in_use(state: Path, slot: str) -> bool:
    """Whether somebody was given this slot, and the agent has not taken it back."""
    return any(not record.parent.name.startswith(".") for record in state.glob(f"slots/{slot}/*/{node.RECORD}"))


def make(
    state: Path,
    slot: str,
    gpu: str,
    *,
    whole: bool,
    library: str,
    injection: Injection,
    ceiling: str | None,
    laid_out: Path | None = None,
) -> tuple[Path, Record]:
    """A new slot folder, from one that is laid out already if there is one, with its record, which is written last.

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
    with Slot.create(state, slot, record.allocation, laid_out) as made:
        folder = made.folder
    try:
        _write(folder / node.RECORD, record.text())
    except OSError as error:
        # Nobody was told of it.
        shutil.rmtree(folder, ignore_errors=True)
        raise EclipError(f"slot {slot}: allocation {record.allocation} cannot be recorded: {error.strerror}") from error
    return folder, record


def _write(path: Path, text: str) -> None:
    """Kubelet replays our answer after a power cut: the record has to be there then, and all that was made before."""
    unfinished = path.with_name(f".{path.name}.new")
    with unfinished.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
