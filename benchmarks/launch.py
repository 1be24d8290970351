"""What the interposer costs: launch throughput against bare HIP, and packets per transition as the chip sees them.

    python benchmarks/launch.py [--rounds N]

Both over the emulated MI50 at time scale 1. Programs alternate, bare and under the interposer, so that a busy host
slows all of them; the figure is the ratio of the best batches, since what a host adds can only slow a batch down.
"""

import argparse
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from eclip.emulated import LIBRARIES, EmulatedGpu
from eclip.plan import Stream
from eclip.slot import Slot, table
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, StreamGroup, Table, Variant

PROGRAMS = LIBRARIES / "interposer"
INTERPOSER = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or LIBRARIES.parent / "libeclip_hip.so")
GOAL = 0.95
BATCHES = 30
REQUEST = 100
"""Kernels of a request in the throughput programs: between the paper's 44 (alexnet) and 711 (albert)."""
HALF = 0x0555555555555555
OTHER_HALF = 0x0AAAAAAAAAAAAAAA
CHAIN = tuple(
    Kernel(symbol, grid, block, 0)
    for step in range(4)
    for symbol, grid, block in (
        (0, (60 + step, 1, 1), (64, 1, 1)),
        (1, (8, 2, 1), (32, 1, 1)),
        (0, (7, 1, 1), (64, 1, 1)),
    )
)
"""One request of tests/e2e/interposer/chain.hip.cpp; its symbols are mix and twist."""


def lookup_table(symbols: Sequence[str], kernels: Sequence[Kernel], groups: Sequence[tuple[int, int, int]]) -> bytes:
    """One model whose groups run on two masked streams (0, 1) or on the application's own."""
    model = Model("bench", tuple(symbols), (), tuple(kernels), 0)
    streams = tuple(Stream(cu_set.bit_count(), cu_set) for cu_set in (HALF, OTHER_HALF))
    choice = tuple(StreamGroup(*group) for group in groups)
    return table.pack(Table("MI50", 60, streams, (model,), (Variant(0, (choice,)),)))


class Bench:
    """Runs programs on an emulated GPU, each in a slot of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.slots = self.gpus = 0

    def gpu(self, name: str, *, trace: bool = False) -> EmulatedGpu:
        """An MI50 that knows the kernels of one program."""
        self.gpus += 1
        return EmulatedGpu(
            "MI50",
            self.folder / f"gpu{self.gpus}-{name}",
            kernels=(PROGRAMS / f"lib{name}_kernels.so",),
            trace=trace,
            costs={"launchMicros": 0, "barrierMicros": 0, "streamMicros": 0},
        ).create()

    def run(self, gpu: EmulatedGpu, command: Sequence[str], slot_table: bytes | None, mode: str) -> str:
        """Its output. Without a mode it runs bare."""
        environment: dict[str, str] = {**os.environ, **gpu.environment()}
        if mode:
            self.slots += 1
            slot = Slot.create(self.folder / "state", "bench", f"run{self.slots}")
            if slot_table is not None:
                slot.publish(slot_table)
            environment |= {"LD_PRELOAD": str(INTERPOSER), "ECLIP_SLOT": str(slot.folder), "ECLIP_MODE": mode}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout


def throughput(bench: Bench, rounds: int) -> Mapping[str, float]:
    """Best launches per second by way of running."""
    request = (Kernel(0, (60, 1, 1), (64, 1, 1), 0),) * REQUEST
    left = lookup_table(["nothing"], request, [(0, REQUEST - 1, OWN_STREAM)])
    moved = lookup_table(["nothing"], request, [(0, REQUEST - 1, 0)])
    ways = {
        "bare HIP": (None, ""),
        "observe": (left, "observe"),
        "kernels left on their stream": (left, "enforce"),
        "null-stream kernels on one masked stream": (moved, "enforce"),
    }
    gpu = bench.gpu("launches")
    best = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, (slot_table, mode) in ways.items():
            lines = bench.run(gpu, [str(PROGRAMS / "launches"), str(BATCHES)], slot_table, mode).split()
            best[name] = max(best[name], *(float(line) for line in lines[2:]))
    return best


def packets(bench: Bench, variant: str, groups: Sequence[tuple[int, int, int]] | None) -> int:
    """Barrier packets of one run at the chip, the runtime's own included."""
    gpu = bench.gpu("chain", trace=True)
    slot_table = lookup_table(["mix", "twist"], CHAIN, groups) if groups else None
    bench.run(gpu, [str(PROGRAMS / "chain"), variant, "20"], slot_table, "enforce" if groups else "")
    (program,) = gpu.programs()
    return sum(packet.kind.startswith("barrier") for packet in program.packets)


TRANSITIONS: Mapping[str, tuple[str, Sequence[tuple[int, int, int]], int]] = {
    "null stream, kernel stays on its masked stream": ("unsynchronised", ((0, 11, 0),), 240),
    "null stream, masked -> masked (our wait, the runtime's marker)": ("unsynchronised", ((0, 5, 0), (6, 11, 1)), 39),
    "null stream, masked -> own and own -> masked (all the runtime's)": (
        "unsynchronised",
        ((0, 5, 0), (6, 11, -1)),
        39,
    ),
    "user stream, redirected kernel after a redirected one": ("blocking", ((0, 5, 0), (6, 11, 1)), 240),
    "user stream, redirected kernel after one that stayed": (
        "blocking",
        tuple((index, index, index % 2 - 1) for index in range(12)),
        120,
    ),
}
"""What is counted -> program, groups, number of such transitions in 20 requests."""


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="times that every way of running is measured")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        best = throughput(bench, rounds)
        bare = best["bare HIP"]
        print(f"{'launch throughput':<66} {'per second':>12} {'of bare':>8}")
        for name, rate in best.items():
            missed = "" if rate >= GOAL * bare else f"  below the goal of {GOAL}"
            print(f"{name:<66} {rate:>12.0f} {rate / bare:>8.3f}{missed}")
        print(f"\n{'barrier packets added per transition':<66} {'packets':>12}")
        baseline = {variant: packets(bench, variant, None) for variant in ("unsynchronised", "blocking")}
        for name, (variant, groups, count) in TRANSITIONS.items():
            added = packets(bench, variant, groups) - baseline[variant]
            print(f"{name:<66} {added / count:>12.2f}")


if __name__ == "__main__":
    main()
