"""HIP programs under the interposer, over an emulated MI50."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from eclip.emulated import LIBRARIES, EmulatedGpu
from eclip.plan import Stream
from eclip.slot import Slot, stats, table
from eclip.slot.clients import ClientRecord
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, Profiling, StreamGroup, Table, Variant

TESTS = LIBRARIES / "interposer"
INTERPOSER = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or LIBRARIES.parent / "libeclip_hip.so")
PRELOAD = ":".join(filter(None, (os.environ.get("ECLIP_TEST_PRELOAD_FIRST"), str(INTERPOSER))))
"""A sanitizer's runtime comes first where the interposer is built with one."""
THIRD_PARTY = "third-party"
TIMEOUT_SECONDS = 240

CU_SETS = (0x0111111111111111, 0x0555555555555555, 0x0777777777777777)
"""15, 30 and 45 CUs of an MI50."""
CHAIN: tuple[tuple[int, tuple[int, int, int], tuple[int, int, int]], ...] = tuple(
    launch
    for step in range(4)
    for launch in ((0, (60 + step, 1, 1), (64, 1, 1)), (1, (8, 2, 1), (32, 1, 1)), (0, (7, 1, 1), (64, 1, 1)))
)
"""One request of chain.hip.cpp: symbol, grid, block."""

Groups = Sequence[tuple[int, int, int]]
HALVES: Groups = ((0, 3, 0), (4, 7, 1), (8, 9, OWN_STREAM), (10, 11, 2))
EACH: Groups = tuple((index, index, index % 4 - 1) for index in range(len(CHAIN)))
ONE_STREAM: Groups = ((0, 11, 1),)
WHOLE_GPU: Groups = ((0, 11, OWN_STREAM),)


def chain_model(streams: Sequence[str] = ()) -> Model:
    """The model of chain.hip.cpp's request, all on one application stream of the kind given."""
    kernels = tuple(Kernel(symbol, grid, block, 0) for symbol, grid, block in CHAIN)
    return Model("chain", ("mix", "twist"), tuple(streams), kernels, 0)  # type: ignore[arg-type]


def make_table(
    *choices: Groups, models: Sequence[Model] = (), variants: Mapping[int, Sequence[Groups]] | None = None
) -> bytes:
    """A table: the groups of each model, by default one model, the chain."""
    every = {0: tuple(choices), **(variants or {})}
    return table.pack(
        Table(
            "MI50",
            60,
            tuple(Stream(cu_set.bit_count(), cu_set) for cu_set in CU_SETS),
            tuple(models) or (chain_model(),),
            tuple(
                Variant(active, tuple(tuple(StreamGroup(*group) for group in groups) for groups in model_groups))
                for active, model_groups in every.items()
            ),
        )
    )


def profiling_table(profiling: Profiling) -> bytes:
    """The table of a slot in profile mode."""
    return table.pack(Table("MI50", 60, tuple(Stream(s.bit_count(), s) for s in CU_SETS), (), (), profiling))


def command(variant: str, requests: int) -> list[str]:
    """The chain program, or the one that uses the distribution's libraries."""
    if variant == THIRD_PARTY:
        return [str(LIBRARIES / "third_party"), str(requests)]
    return [str(TESTS / "chain"), variant, str(requests)]


@dataclass
class Run:
    """A program in a slot."""

    process: subprocess.Popen[str]
    slot: Slot

    def result(self) -> str:
        """What the program computed; fails if it fails, hangs or complains."""
        output, errors = self.process.communicate(timeout=TIMEOUT_SECONDS)
        assert self.process.returncode == 0, f"{self.process.returncode}: {errors}"
        assert not errors, errors
        return output.strip().splitlines()[-1]

    @property
    def clients(self) -> tuple[ClientRecord, ...]:
        """The slot's statistics."""
        return stats.read(self.slot.stats)

    @property
    def client(self) -> ClientRecord:
        """The statistics of its one process."""
        (only,) = self.clients
        return only


@dataclass
class Bench:
    """Starts chain programs with and without the interposer."""

    CU_SETS: ClassVar = CU_SETS
    HALVES: ClassVar = HALVES
    EACH: ClassVar = EACH
    ONE_STREAM: ClassVar = ONE_STREAM
    WHOLE_GPU: ClassVar = WHOLE_GPU
    table = staticmethod(make_table)
    model = staticmethod(chain_model)
    profiling_table = staticmethod(profiling_table)

    gpu: EmulatedGpu
    folder: Path
    runs: list[Run] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        """What every program gets."""
        libraries = self.gpu.environment()["LD_LIBRARY_PATH"]
        return {
            **os.environ,
            **self.gpu.environment(),
            "LD_LIBRARY_PATH": f"{libraries}:{TESTS}",
            "CHAIN_CODE_OBJECT": str(TESTS / "chain.hsaco"),
            **more,
        }

    def bare(self, variant: str, requests: int) -> str:
        """The result without the interposer."""
        done = subprocess.run(
            command(variant, requests),
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
        return done.stdout.strip().splitlines()[-1]

    def start(
        self,
        variant: str,
        requests: int,
        table_bytes: bytes | None,
        mode: str = "enforce",
        active: int = 1,
        **more: str,
    ) -> Run:
        """Starts it under the interposer, in a slot of its own."""
        slot = Slot.create(self.folder / "state", "chain", f"run{len(self.runs)}")
        if table_bytes is not None:
            slot.publish(table_bytes)
        slot.set_active(active)
        slot_variables = {"LD_PRELOAD": PRELOAD, "ECLIP_SLOT": str(slot.folder), "ECLIP_MODE": mode}
        process = subprocess.Popen(
            command(variant, requests),
            env=self.environment(**slot_variables, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.runs.append(Run(process, slot))
        return self.runs[-1]

    def end(self) -> None:
        """Kills what still runs."""
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
            run.process.communicate()


@pytest.fixture
def gpu_settings() -> Mapping[str, object]:
    """Overridden by tests that want another emulated GPU."""
    return {}


@pytest.fixture
def bench(tmp_path: Path, gpu_settings: Mapping[str, object]) -> Iterator[Bench]:
    """An emulated MI50 of this test's own, and programs on it."""
    kernels = (TESTS / "libchain_kernels.so",)
    gpu = EmulatedGpu("MI50", tmp_path / "gpu", kernels=kernels, **gpu_settings).create()  # type: ignore[arg-type]
    running = Bench(gpu, tmp_path)
    yield running
    running.end()
