"""Traces of the emulated GPU: parsed whatever way the program ended, exported for Perfetto."""

import struct

import pytest

from eclip.emulated import trace
from eclip.errors import InputError

HEADER = struct.pack("<8sIIdq32s", b"ECLTRACE", 1, 48, 4.0, 77, b"alexnet")


Times = tuple[float, float, float]


def record(kind: int, detail: int = 0, times: Times = (0, 0, 0), extra: bytes = b"") -> bytes:
    padded = extra + bytes(-len(extra) % 8)
    return struct.pack("<HHIIIdddQ", kind, 0, 48 + len(padded), 1, detail, *times, 5) + padded


def kernel_extra(blit: int = 0) -> bytes:
    return struct.pack("<3I3III", 64, 1, 1, 256, 1, 1, 30, blit)


TRACE = (
    HEADER
    + record(2, detail=4096)
    + record(3, extra=(0x0333).to_bytes(128, "little"))
    + record(1, detail=9, extra=b"_Z4gemmPfS_\0")
    + record(4, detail=9, times=(10, 12, 40), extra=kernel_extra())
    + record(5, detail=2, times=(10, 40, 55))
)


def test_a_trace_tells_kernels_packets_masks_and_queues() -> None:
    program = trace.parse(TRACE + bytes(4096), "a.trace")
    assert (program.pid, program.command, program.time_scale, program.queues) == (77, "alexnet", 4.0, (1,))
    (kernel,) = program.kernels
    assert (kernel.name, kernel.workgroups, kernel.block) == ("_Z4gemmPfS_", (64, 1, 1), (256, 1, 1))
    assert (kernel.compute_units, kernel.runtime, kernel.begin, kernel.end) == (30, False, 12, 40)
    assert [(packet.kind, packet.begin, packet.end) for packet in program.packets] == [("barrier_and", 40, 55)]
    assert [mask.cu_set for mask in program.masks] == [0x0333]


def test_a_trace_that_ends_in_mid_air_is_read_up_to_there() -> None:
    """The emulator writes a record's kind last: what a killed program was about to write has none."""
    unfinished = bytearray(record(4, detail=9, extra=kernel_extra()))
    unfinished[0:2] = b"\0\0"
    assert len(trace.parse(TRACE + bytes(unfinished), "a.trace").kernels) == 1


@pytest.mark.parametrize("data", [b"", b"ECLTRACE", HEADER.replace(b"ECLTRACE", b"ECLTRASH")])
def test_what_is_no_trace_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"a\.trace: no trace"):
        trace.parse(data, "a.trace")


def test_a_damaged_record_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match=r"a\.trace: damaged at byte 64"):
        trace.parse(HEADER + struct.pack("<HHI", 99, 0, 48) + bytes(40), "a.trace")


def test_perfetto_gets_a_process_per_program_and_a_thread_per_queue() -> None:
    events = trace.chrome([trace.parse(TRACE, "a.trace")])["traceEvents"]
    names = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert names == ["alexnet (77)", "queue 1 (6 CUs)"]
    spans = {event["name"]: (event["ts"], event["dur"]) for event in events if event["ph"] == "X"}
    assert spans == {"_Z4gemmPfS_": (12, 28), "barrier_and": (40, 15)}
