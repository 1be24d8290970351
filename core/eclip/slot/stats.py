"""What programs in slots report. Their files are hostile input: fixed offsets, bounded reads, every value clamped.

Files are read, never mapped: a program that truncates its file must not be able to kill the reader.
"""

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclip.errors import InputError
from eclip.slot import records
from eclip.slot.clients import ClientRecord, Counters, Histogram, ModelCounters, StreamProof

__all__ = ["ClientRecord", "ProfileProgress", "launches", "read", "read_profile"]

_LARGEST = (1 << 53) - 1
"""Counters are cut here: what JSON can carry, and 100 years of nanoseconds and more."""
_ATTEMPTS = 8
_FLOCK = "hhqqi4x"
"""struct flock of Linux on 64-bit machines."""


@dataclass(frozen=True, slots=True)
class ProfileProgress:
    """What profile mode has to show so far."""

    state: str
    """A word of `records.PROFILE_STATES`."""
    percent: int
    text: str
    """YAML of a KernelProfile when complete, the reason when failed. Not yet validated."""


def read(path: Path) -> tuple[ClientRecord, ...]:
    """All processes that have used the slot of this stats file, dead ones included until their record is taken over.

    Raises:
        InputError: the file is not there or is no stats file of this version.
    """
    with opened(path) as file:
        if not header_fits(file):
            raise InputError(f"{path}: is no statistics file of version {records.VERSION}")
        return clients(file)


def header_fits(file: int) -> bool:
    """True if the open file starts as a statistics file of this version does."""
    header = _record(file, 0, records.STATS_HEADER)
    expected = (records.STATS_MAGIC, records.VERSION, records.CLIENTS, records.CLIENT_BYTES)
    return header is not None and tuple(int(value) for value in header) == expected


def clients(file: int) -> tuple[ClientRecord, ...]:
    """The records of an open statistics file; what cannot be read of it is not there."""
    found = (_client(file, index) for index in _in_use(file))
    return tuple(client for client in found if client)


def pulse(file: int, indices: Iterable[int] | None = None) -> tuple[int, ...]:
    """Launches by model of the table, as of `launches`, of an open statistics file: of these records, or of all that
    are in use."""
    total = np.zeros(records.MODELS, np.uint64)
    for index in _in_use(file) if indices is None else indices:
        record = _record(file, _offset(index), records.CLIENT)
        if record is not None:
            total += record["counters"]["models"]["launches"].sum(axis=0, dtype=np.uint64)
    return tuple(int(count) for count in total)


def _in_use(file: int) -> list[int]:
    """Records whose start is not zero."""
    heads = ((index, os.pread(file, 16, _offset(index))) for index in range(records.CLIENTS))
    return [index for index, head in heads if len(head) == 16 and any(head[8:])]


def _offset(index: int) -> int:
    return records.STATS_HEADER_BYTES + index * records.CLIENT_BYTES


def launches(path: Path) -> tuple[int, ...]:
    """Launches by model of the table, over all processes and both tables: a pulse, cheap enough to be felt many times a
    second. It falls when a process or a table goes; what it tells is that it moved.

    Raises:
        InputError: the file is not there or too short.
    """
    with opened(path) as file:
        size = os.fstat(file).st_size
        if size != records.STATS_BYTES:
            raise InputError(f"{path}: has {size} bytes, a statistics file has {records.STATS_BYTES}")
        return pulse(file)


def read_profile(path: Path) -> ProfileProgress:
    """How far profile mode is.

    Raises:
        InputError: the file is not there or is no profile file of this version.
    """
    with opened(path) as file:
        header = _record(file, 0, records.PROFILE_HEADER)
        if header is None or (header["magic"], header["version"]) != (records.PROFILE_MAGIC, records.VERSION):
            raise InputError(f"{path}: is no profile file of version {records.VERSION}")
        state = _word(records.PROFILE_STATES, header["state"])
        room = records.PROFILE_BYTES - records.PROFILE_HEADER.itemsize
        text = os.pread(file, min(int(header["bytes"]), room), records.PROFILE_HEADER.itemsize)
    return ProfileProgress(state, min(100, int(header["percent"])), text.decode(errors="replace"))


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The descriptor of a program's file, for as long as the block lasts. Errors as of `open_file`."""
    file = open_file(path)
    try:
        yield file
    finally:
        os.close(file)


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a file that a program may have meddled with; whoever asks closes it.

    Raises:
        InputError: it is not there, or is a link, a folder or a pipe.
    """
    try:
        # A program may have put a link, or a pipe that blocks, in the place of its file.
        file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        reason = "is a link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
        raise InputError(f"{path}: {reason}") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise InputError(f"{path}: is no regular file")
    return file


def _record(file: int, offset: int, layout: np.dtype[np.void]) -> Any:
    data = os.pread(file, layout.itemsize, offset)
    return np.frombuffer(data, layout)[0] if len(data) == layout.itemsize else None


def _client(file: int, index: int) -> ClientRecord | None:
    offset = _offset(index)
    record, settled = _settled(file, offset)
    if record is None or record["started_ns"] == 0:
        return None
    holder = _holder(file, offset)
    current, previous = _blocks(record["counters"])
    return ClientRecord(
        index=index,
        alive=holder is not None,
        pid=holder or _count(record["pid"]),
        started_ns=_count(record["started_ns"]),
        executable=_text(record["executable"]),
        hip_version=max(0, int(record["hip_version"])),
        mode=_word(records.MODES, record["mode"]),
        hooks=_count(record["hooks"]),
        compute_units=min(int(record["compute_units"]), 32 * records.MASK_WORDS),
        way=_word(records.WAYS, record["way"]),
        tables_refused=_count(record["tables_refused"]),
        refused_generation=_count(record["refused_generation"]),
        refused_why=_word(records.REFUSALS, record["refused_why"]),
        refused_text=_text(record["refused_text"]),
        streams=tuple(_proof(stream) for stream in record["streams"] if stream["state"]),
        current=current,
        previous=previous,
        settled=settled,
    )


def _settled(file: int, offset: int) -> tuple[Any, bool]:
    """A record that did not change its shape while it was read, if there is one to be had in a few attempts."""
    record = None
    for _ in range(_ATTEMPTS):
        record = _record(file, offset, records.CLIENT)
        if record is None:
            return None, False
        again = os.pread(file, 8, offset)
        if record["sequence"] % 2 == 0 and again == record["sequence"].tobytes():
            return record, True
        os.sched_yield()
    return record, False


def _holder(file: int, offset: int) -> int | None:
    """Pid of the process that holds the lock on a record: 0 if it is in another pid namespace, None if nobody does."""
    query = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, offset, records.CLIENT_BYTES, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, query))
    return None if kind == fcntl.F_UNLCK else max(0, pid)


def _blocks(blocks: Sequence[Any]) -> tuple[Counters, Counters | None]:
    older, newer = sorted((_counters(block) for block in blocks), key=lambda counters: counters.generation)
    return newer, older if older.launches or older.generation else None


def _counters(block: Any) -> Counters:
    models = [_model(model) for model in block["models"]]
    while models and not models[-1].launches:
        models.pop()
    passed = zip(records.PASS_REASONS, block["passed"], strict=False)
    return Counters(
        generation=_count(block["generation"]),
        launches=_count(block["launches"]),
        redirected=_count(block["redirected"]),
        passed={reason: _count(count) for reason, count in passed if count},
        models=tuple(models),
    )


def _model(model: Any) -> ModelCounters:
    counts = tuple(int(count) for count in model["request_micros"])
    return ModelCounters(
        launches=_count(model["launches"]),
        requests=_count(model["requests"]),
        hops=_count(model["hops"]),
        mismatches=_count(model["mismatches"]),
        resyncs=_count(model["resyncs"]),
        first_ns=_count(model["first_ns"]),
        last_ns=_count(model["last_ns"]),
        marked=bool(model["marked"]),
        request_micros=Histogram(counts, _count(model["request_micros_sum"])),
    )


def _proof(stream: Any) -> StreamProof:
    return StreamProof(
        compute_units=min(int(stream["compute_units"]), 32 * records.MASK_WORDS),
        state=_word(records.STREAM_STATES, stream["state"]),
        asked=int.from_bytes(stream["asked"].tobytes(), "little"),
        read_back=int.from_bytes(stream["read_back"].tobytes(), "little"),
    )


def _count(value: Any) -> int:
    return min(int(value), _LARGEST)


def _word(words: Sequence[str], value: Any) -> str:
    return words[int(value)] if int(value) < len(words) else "unknown"


def _text(value: bytes) -> str:
    """Printable ASCII only: it ends up in terminals and logs."""
    text = value.split(b"\0", 1)[0].decode("ascii", errors="replace")
    return "".join(char if char.isprintable() and char != "\ufffd" else "?" for char in text)
