"""Real programs beside each other on an emulated MI50 in virtual time, each under its part of a plan."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import eclip
from eclip import planning
from eclip.documents.profile import KernelProfile
from eclip.emulated import EmulatedGpu
from eclip.emulated.trace import Kernel, Program
from eclip.plan import MixPlan
from eclip.slot import Slot, stats, table

NATIVE = Path(eclip.__file__).parent / "native"
INTERPOSER = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or NATIVE / "libeclip_hip.so")
PRELOAD = ":".join(filter(None, (os.environ.get("ECLIP_TEST_PRELOAD_FIRST"), str(INTERPOSER))))
TIME_SCALE = 32.0
PATIENCE_S = 240
WARM_REQUESTS = 2
"""The first ones make streams, which stalls the chip."""

Request = tuple[Kernel, ...]


@dataclass(frozen=True)
class Stage:
    """A chip, and slots on it."""

    folder: Path
    gpu: EmulatedGpu
    slots: list[Slot] = field(default_factory=list)

    def plan(self, models: Sequence[KernelProfile], strategy: str) -> MixPlan:
        """For one worker a model."""
        workers = [planning.Workload(f"w{index}", model) for index, model in enumerate(models)]
        return planning.make_plan(self.gpu.gpu, self.gpu.row, workers, planning.Options(strategy=strategy))

    def periods(self, models: Sequence[KernelProfile], plan: MixPlan, fewest: int) -> list[float]:
        """Mean time of a request of each model's program, in GPU-µs, while all of them are served, each at least
        `fewest` requests."""
        for model, worker in zip(models, plan.full.workers, strict=True):
            self.slots.append(Slot.create(self.folder, worker.name, "a"))
            self.slots[-1].publish(table.encode(self.gpu.gpu, {worker.name: model}, plan))
            self.slots[-1].set_active((1 << len(models)) - 1)
        processes = [self._start(model, slot) for model, slot in zip(models, self.slots, strict=True)]
        try:
            self._wait(models, fewest)
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                _, errors = process.communicate(timeout=PATIENCE_S)
                assert process.returncode == 0, errors
        finally:
            for process in processes:
                process.kill()
        programs = {program.pid: program for program in self.gpu.programs()}
        return _periods(
            [_served(programs[process.pid], model) for process, model in zip(processes, models, strict=True)]
        )

    def _start(self, model: KernelProfile, slot: Slot) -> "subprocess.Popen[str]":
        own = {"LD_PRELOAD": PRELOAD, "ECLIP_SLOT": str(slot.folder), "ECLIP_MODE": "enforce"}
        return subprocess.Popen(
            [str(NATIVE / "workloads" / model.name.partition("-")[0])],
            env={**os.environ, **self.gpu.environment(), **own},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _wait(self, models: Sequence[KernelProfile], fewest: int) -> None:
        """Until all programs are warm, and then until each has served enough."""
        for more in (WARM_REQUESTS, fewest + 1):
            wanted = [seen + more * len(model.kernels) for seen, model in zip(self._launches(), models, strict=True)]
            limit = time.monotonic() + PATIENCE_S
            while any(seen < enough for seen, enough in zip(self._launches(), wanted, strict=True)):
                assert time.monotonic() < limit, f"{self._launches()} kernels in {PATIENCE_S} s, of {wanted}"
                time.sleep(0.02)

    def _launches(self) -> list[int]:
        return [sum(stats.launches(slot.stats)) for slot in self.slots]


@pytest.fixture
def make_stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(time_scale: float = TIME_SCALE) -> Stage:
        folder = tmp_path / str(len(made))
        gpu = EmulatedGpu("MI50", folder / "gpu", time_scale=time_scale, virtual_time=True, trace=True)
        made.append(Stage(folder, gpu.create()))
        return made[-1]

    yield make
    for stage in made:
        for slot in stage.slots:
            slot.close()


def _served(program: Program, model: KernelProfile) -> list[Request]:
    """The program's kernels, cut into requests; they must be those of the profile, in its order."""
    kernels = sorted((kernel for kernel in program.kernels if not kernel.runtime), key=lambda kernel: kernel.begin)
    length = len(model.kernels)
    requests = [tuple(kernels[at : at + length]) for at in range(0, len(kernels) - length + 1, length)]
    assert [kernel.name for kernel in requests[0]] == [call.symbol for call in model.kernels]
    return requests


def _periods(seen: Sequence[Sequence[Request]]) -> list[float]:
    begin = max(requests[WARM_REQUESTS][0].begin for requests in seen)
    end = min(requests[-1][-1].end for requests in seen)
    means = []
    for requests in seen:
        ends = [request[-1].end for request in requests if request[0].begin >= begin and request[-1].end <= end]
        means.append((ends[-1] - ends[0]) / (len(ends) - 1))
    return means
