"""The last moments of a chip's trace, small enough for a report: a file that Perfetto opens."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eclip import atomic
from eclip.emulated.trace import Program, chrome

EXCERPT_MICROS = 30_000.0


def write(programs: Sequence[Program], to: Path) -> None:
    """Write what the chip did in the middle of its programs' lives, `EXCERPT_MICROS` of it."""
    ends = [kernel.end for program in programs for kernel in program.kernels]
    if not ends:
        return
    middle = (min(ends) + max(ends)) / 2
    excerpt = [_within(program, middle, middle + EXCERPT_MICROS) for program in programs]
    atomic.write(to, json.dumps(chrome(excerpt)))


def _within(program: Program, first: float, last: float) -> Program:
    return replace(
        program,
        kernels=tuple(kernel for kernel in program.kernels if first <= kernel.begin < last),
        packets=tuple(packet for packet in program.packets if first <= packet.begin < last),
    )
