"""Who uses an emulated chip: the marks that its programs keep in the chip's file (native/emulator/life_lock.h)."""

import fcntl
import os
import struct
from pathlib import Path

from eclip import documents
from eclip.errors import InputError

_MOST, _BYTES = 64, 64
"""Clients of a chip, and bytes of an allocation's name (chip_file.h)."""
_NAMES_AT = 200
_MARKS_AT = (1 << 40) + 1
_RANGE = struct.Struct("hhqqi4x")
"""struct flock: type, whence, start, length, pid."""


def allocations(chip: Path) -> tuple[str, ...]:
    """The allocation of every living program on the chip, as its ECLIP_ALLOCATION says; "" for one without.

    The names are those that the programs gave: one that could not be an allocation's reads as "" too.

    Raises:
        InputError: the chip's file cannot be read.
    """
    try:
        file = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"{chip}: cannot be read: {error.strerror}") from error
    try:
        names = os.pread(file, _MOST * _BYTES, _NAMES_AT)
        alive = [client for client in range(_MOST) if _is_marked(file, client)]
    finally:
        os.close(file)
    return tuple(_name(names[client * _BYTES : (client + 1) * _BYTES]) for client in alive)


def _is_marked(file: int, client: int) -> bool:
    asked = _RANGE.pack(fcntl.F_WRLCK, os.SEEK_SET, _MARKS_AT + client, 1, 0)
    found = _RANGE.unpack(fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))
    return bool(found[0] != fcntl.F_UNLCK)


def _name(field: bytes) -> str:
    text = field.split(b"\0", 1)[0].decode("ascii", errors="replace")
    return "" if documents.name_fault(text) else text
