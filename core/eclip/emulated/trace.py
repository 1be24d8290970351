"""What an emulated GPU did, from the traces of its programs (native/emulator/trace.h). Times in GPU microseconds."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclip.errors import InputError
from eclip.plan import CuSet

_HEADER = struct.Struct("<8sIIdq32s")
_RECORD = struct.Struct("<HHIIIdddQ")
_KERNEL = struct.Struct("<3I3III")
_VERSION = 1
_END, _NAME, _QUEUE, _MASK, _KERNEL_KIND, _BARRIER, _OTHER, _QUEUE_GONE = range(8)
PACKET_KINDS = ("dispatch", "blit", "barrier_and", "barrier_or", "barrier_value", "vendor", "other")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that ran."""

    gpu: int
    queue: int
    packet: int
    """Index of its packet in the queue."""
    name: str
    workgroups: tuple[int, int, int]
    block: tuple[int, int, int]
    compute_units: int
    """CUs of the queue's mask."""
    runtime: bool
    """One of the runtime's own: a copy or a fill."""
    arrived: float
    """When the chip first saw the packet."""
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that is no kernel."""

    gpu: int
    queue: int
    packet: int
    kind: str
    """One of PACKET_KINDS."""
    arrived: float
    begin: float
    """When it came to the head of its queue."""
    end: float
    """When what it waited for had come."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A queue's mask was set."""

    gpu: int
    queue: int
    cu_set: CuSet
    at: float


@dataclass(frozen=True, slots=True)
class Program:
    """One process, events in the order in which the chip was done with them."""

    pid: int
    command: str
    time_scale: float
    kernels: tuple[Kernel, ...]
    packets: tuple[Packet, ...]
    masks: tuple[Mask, ...]
    queues: tuple[int, ...]
    """Every queue it made, in order."""


def read(folder: Path) -> tuple[Program, ...]:
    """The programs whose traces are in `folder`, in order of their start. InputError names a damaged file."""
    paths = sorted(folder.glob("*.trace"), key=lambda path: int(path.stem.partition("-")[2] or 0))
    return tuple(parse(path.read_bytes(), str(path)) for path in paths)


def parse(data: bytes, source: str) -> Program:
    """One program's trace; a program that still runs, or was killed, has left a whole one as well."""
    if len(data) < _HEADER.size or not data.startswith(b"ECLTRACE"):
        raise InputError(f"{source}: no trace of an emulated GPU")
    _, version, _, time_scale, pid, command = _HEADER.unpack_from(data)
    if version != _VERSION:
        raise InputError(f"{source}: trace version {version}, this program reads {_VERSION}")
    names: dict[int, str] = {}
    kernels: list[Kernel] = []
    packets: list[Packet] = []
    masks: list[Mask] = []
    queues: list[int] = []
    for (kind, gpu, _, queue, detail, arrived, begin, end, packet), extra in _records(data, source):
        if kind == _NAME:
            names[detail] = extra.rstrip(b"\0").decode(errors="replace")
        elif kind == _QUEUE:
            queues.append(queue)
        elif kind == _MASK:
            masks.append(Mask(gpu, queue, int.from_bytes(extra, "little"), begin))
        elif kind == _KERNEL_KIND:
            *grid, cus, blit = _KERNEL.unpack_from(extra)
            workgroups, block = tuple(grid[:3]), tuple(grid[3:])
            name = names.get(detail, "?")
            kernels.append(Kernel(gpu, queue, packet, name, workgroups, block, cus, bool(blit), arrived, begin, end))
        elif kind in (_BARRIER, _OTHER):
            packets.append(Packet(gpu, queue, packet, PACKET_KINDS[detail], arrived, begin, end))
    label = command.partition(b"\0")[0].decode(errors="replace")
    return Program(pid, label, time_scale, tuple(kernels), tuple(packets), tuple(masks), tuple(queues))


def _records(data: bytes, source: str) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    offset = _HEADER.size
    while offset + _RECORD.size <= len(data):
        record = _RECORD.unpack_from(data, offset)
        if record[0] == _END:
            return
        size = record[2]
        if record[0] > _QUEUE_GONE or size < _RECORD.size or offset + size > len(data):
            raise InputError(f"{source}: damaged at byte {offset}")
        yield record, data[offset + _RECORD.size : offset + size]
        offset += size


def chrome(programs: Iterable[Program]) -> dict[str, Any]:
    """The trace as Chrome's JSON object: a process per program, a thread per queue, times in GPU microseconds."""
    events: list[dict[str, Any]] = []
    for number, program in enumerate(programs, start=1):
        events.append(_label("process_name", number, 0, f"{program.command} ({program.pid})"))
        masks = {mask.queue: mask.cu_set for mask in program.masks}
        for queue in program.queues:
            cus = masks[queue].bit_count() if queue in masks else None
            events.append(_label("thread_name", number, queue, f"queue {queue}" + (f" ({cus} CUs)" if cus else "")))
        events.extend(_kernel_event(number, kernel) for kernel in program.kernels)
        events.extend(_packet_event(number, packet) for packet in program.packets)
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def _label(what: str, process: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


def _kernel_event(process: int, kernel: Kernel) -> dict[str, Any]:
    arguments = {
        "workgroups": kernel.workgroups,
        "block": kernel.block,
        "computeUnits": kernel.compute_units,
        "waitedMicros": round(kernel.begin - kernel.arrived, 3),
        "packet": kernel.packet,
    }
    return _span(process, kernel, kernel.name, "runtime" if kernel.runtime else "kernel", arguments)


def _packet_event(process: int, packet: Packet) -> dict[str, Any]:
    return _span(process, packet, packet.kind, "packet", {"packet": packet.packet})


def _span(process: int, of: Kernel | Packet, name: str, category: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "ph": "X",
        "name": name,
        "cat": category,
        "pid": process,
        "tid": of.queue,
        "ts": round(of.begin, 3),
        "dur": round(max(0.0, of.end - of.begin), 3),
        "args": arguments,
    }
