"""What the interposer costs: launch throughput against bare HIP, and packets per transition as the chip sees them.

    python benchmarks/launch.py [--rounds N]

Both over the emulated MI50 at time scale 1. Runs alternate, bare and under the interposer, so that a busy host slows
both; each figure is the median of the ratios of such pairs. Processor time is that of the launching thread: it leaves
out the emulator's threads, which a machine of few cores makes the launching thread wait for.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eclip.emulated import LIBRARIES, EmulatedGpu
from eclip.plan import Stream
from eclip.slot import Slot, table
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, StreamGroup, Table, Variant

PROGRAMS = LIBRARIES / "interposer"
INTERPOSER = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or LIBRARIES.parent / "libeclip_hip.so")
BATCHES = 200
WARM_UP = 10
LENGTHS = (1, 34, 100)
"""Kernels of a request. With one, every launch is also the start of a request, which takes a look at the clock."""
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


@dataclass(frozen=True)
class Cost:
    """What one launch takes a program, in nanoseconds: the lower decile of its batches. A host can only add to it."""

    wall: float
    processor: float


def launch_cost(bench: Bench, gpu: EmulatedGpu, slot_table: bytes | None, mode: str, *arguments: str) -> Cost:
    """One run of the launching program; its first batches, in which HIP loads the kernel, are left out."""
    command = [str(PROGRAMS / "launches"), str(BATCHES), *arguments]
    lines = bench.run(gpu, command, slot_table, mode).splitlines()[WARM_UP:]
    batches = [[float(value) for value in line.split()] for line in lines]
    return Cost(*(statistics.quantiles(column, n=10)[0] for column in zip(*batches, strict=True)))


@dataclass(frozen=True)
class Way:
    """One way of running under the interposer, and the arguments of the bare program that it is held against."""

    name: str
    mode: str
    stream: int
    """Of the table, for all kernels."""
    bare: tuple[str, ...] = ()


WAYS = (
    Way("observe", "observe", OWN_STREAM),
    Way("kernels left on their stream", "enforce", OWN_STREAM),
    Way("null stream, all on one masked stream", "enforce", 0),
    Way("the same against HIP's own masked stream", "enforce", 0, ("masked",)),
)


def compare(bench: Bench, gpu: EmulatedGpu, length: int, way: Way, rounds: int) -> tuple[list[Cost], list[Cost]]:
    """Runs without and with the interposer, in turn."""
    request = (Kernel(0, (60, 1, 1), (64, 1, 1), 0),) * length
    slot_table = lookup_table(["nothing"], request, [(0, length - 1, way.stream)])
    pairs = [
        (launch_cost(bench, gpu, None, "", *way.bare), launch_cost(bench, gpu, slot_table, way.mode))
        for _ in range(rounds)
    ]
    return [bare for bare, _ in pairs], [ours for _, ours in pairs]


def ratios(bare: Sequence[float], ours: Sequence[float]) -> str:
    """Throughput of ours in parts of bare: median and range over the rounds."""
    values = sorted(one / other for one, other in zip(bare, ours, strict=True))
    return f"{statistics.median(values):.3f} ({values[0]:.2f}-{values[-1]:.2f})"


def print_throughput(bench: Bench, rounds: int) -> None:
    """Launch throughput of every way of running, each beside bare runs of its own."""
    gpu = bench.gpu("launches")
    print("launch throughput in parts of bare HIP, pairs of runs in turn: median (lowest-highest); goal 0.95")
    print(f"{'kernels of a request, way':<46} {'by wall clock':>22} {'by processor time':>22} {'ns bare, ours':>14}")
    for length in LENGTHS:
        for way in WAYS:
            bare, ours = compare(bench, gpu, length, way, rounds)
            wall = ratios([cost.wall for cost in bare], [cost.wall for cost in ours])
            processor = ratios([cost.processor for cost in bare], [cost.processor for cost in ours])
            nanoseconds = [statistics.median(cost.processor for cost in costs) for costs in (bare, ours)]
            print(
                f"{length:>4}, {way.name:<40} {wall:>22} {processor:>22} {nanoseconds[0]:>7.0f}{nanoseconds[1]:>7.0f}"
            )


def packets(bench: Bench, variant: str, groups: Sequence[tuple[int, int, int]] | None) -> int:
    """Barrier packets of one run at the chip, the runtime's own included."""
    gpu = bench.gpu("chain", trace=True)
    slot_table = lookup_table(["mix", "twist"], CHAIN, groups) if groups else None
    bench.run(gpu, [str(PROGRAMS / "chain"), variant, "20"], slot_table, "enforce" if groups else "")
    (program,) = gpu.programs()
    return sum(packet.kind.startswith("barrier") for packet in program.packets)


@dataclass(frozen=True)
class Transition:
    """A program of which most barrier packets belong to transitions of one kind."""

    variant: str
    groups: Sequence[tuple[int, int, int]]
    count: int
    """Such transitions in 20 requests of 12 kernels."""
    why: str


TRANSITIONS: Mapping[str, Transition] = {
    "null stream, kernel stays on its masked stream": Transition(
        "unsynchronised", ((0, 11, 0),), 240, "nothing to wait for: both queues are in order"
    ),
    "null stream, masked -> masked": Transition(
        "unsynchronised",
        ((0, 5, 0), (6, 11, 1)),
        39,
        "our wait on the new stream; HIP 5.2.3 writes a marker on the old one for any kernel that is waited for",
    ),
    "null stream, masked -> own and own -> masked": Transition(
        "unsynchronised", ((0, 5, 0), (6, 11, OWN_STREAM)), 39, "the runtime's own order of the null stream"
    ),
    "null stream, masked kernel behind a pending copy": Transition(
        "behind-copies", ((0, 11, 0),), 240, "the runtime's, for every launch until the copy is known to be over"
    ),
    "user stream, redirected kernel after a redirected one": Transition(
        "blocking", ((0, 5, 0), (6, 11, 1)), 240, "the join: our wait, and the marker that HIP 5.2.3 writes for it"
    ),
    "user stream, redirected kernel after one that stayed": Transition(
        "blocking",
        tuple((index, index, index % 2 - 1) for index in range(12)),
        120,
        "the join's two, and the fork: a record and a wait",
    ),
}


def print_packets(bench: Bench) -> None:
    """Barrier packets that each transition adds to those of the bare program."""
    title = "barrier packets at the chip, the runtime's own included"
    print(f"\n{title:<58} {'bare':>6} {'ours':>6} {'per transition':>15}")
    for name, transition in TRANSITIONS.items():
        bare = packets(bench, transition.variant, None)
        ours = packets(bench, transition.variant, transition.groups)
        print(f"{name:<58} {bare:>6} {ours:>6} {(ours - bare) / transition.count:>15.2f}  {transition.why}")
    print("docs/adr/0008-packets-of-a-change-of-stream.md shows the runtime's part in them.")


def main() -> None:
    """Prints both tables. A busy host makes ranges wide, so that no figure is a failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs, without and with the interposer")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        print_throughput(bench, rounds)
        print_packets(bench)


if __name__ == "__main__":
    main()
