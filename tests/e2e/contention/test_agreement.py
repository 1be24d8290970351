"""The emulated chip, under real programs, the real runtime and the interposer, takes the time that a plan predicts.

Programs run beside each other by a plan; the chip's trace tells when every kernel began and ended. The prediction knows
the profiles and the plan alone. What a busy machine adds, the waits of the chip for the host, is played into it, and
the time of a request is what is left: its kernels' times, beside whatever ran at that moment, and its packets.
"""

import heapq
import math
import os
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import eclip
from eclip import planning
from eclip.contention import Chip, Fluid, Step, predict
from eclip.contention.predict import PlannedWorker
from eclip.documents import profile
from eclip.documents.profile import KernelProfile
from eclip.emulated import EmulatedGpu
from eclip.emulated.trace import Kernel, Program
from eclip.gpu import products
from eclip.slot import Slot, table

NATIVE = Path(eclip.__file__).parent / "native"
PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
INTERPOSER = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or NATIVE / "libeclip_hip.so")
PRELOAD = ":".join(filter(None, (os.environ.get("ECLIP_TEST_PRELOAD_FIRST"), str(INTERPOSER))))
GPU, ROW = products.gpu_for("MI50"), products.product("MI50")
TIME_SCALE = 16.0
SECONDS = 6
PATIENCE_S = 240
FEWEST_REQUESTS = 5
MIXES = {"mix-2": ("albert-b1", "densenet201-b4"), "mix-7": ("alexnet-b8",) * 3}
STRATEGIES = ("whole-gpu", "static-split", "model-wise", "per-kernel", "kernel-groups")


@dataclass(frozen=True)
class Served:
    """The requests of one program, as the hardware saw them."""

    requests: tuple[tuple[Kernel, ...], ...]

    def within(self, begin: float, end: float) -> "Served":
        """Those that lie in an interval of GPU time."""
        inside = (request for request in self.requests if request[0].begin >= begin and request[-1].end <= end)
        return Served(tuple(inside))

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return tuple(kernel for request in self.requests for kernel in request)

    @property
    def gaps(self) -> tuple[float, ...]:
        """Between the end of each kernel and the beginning of the next one."""
        pairs = zip(self.kernels, self.kernels[1:], strict=False)
        return tuple(kernel.begin - before.end for before, kernel in pairs)

    def packet_micros(self, leads: Sequence[float]) -> float:
        """Gaps of one request as far as its packets make them. Of kernels with equal `leads` the median is taken, since
        the host was late for some."""
        by_lead: dict[float, list[float]] = {}
        for index, gap in enumerate(self.gaps, start=1):
            if index % len(leads):  # before a request's first kernel there is the host
                by_lead.setdefault(leads[index % len(leads)], []).append(gap)
        return sum(statistics.median(by_lead[lead]) for lead in leads[1:])


@pytest.fixture
def gpu(tmp_path: Path) -> EmulatedGpu:
    return EmulatedGpu("MI50", tmp_path / "gpu", time_scale=TIME_SCALE, trace=True).create()


@pytest.fixture
def slots(tmp_path: Path) -> Iterator[list[Slot]]:
    made: list[Slot] = []
    yield made
    for slot in made:
        slot.close()


def served(program: Program, model: KernelProfile) -> Served:
    """The program's kernels, cut into requests; they must be those of the profile, in its order."""
    kernels = sorted((kernel for kernel in program.kernels if not kernel.runtime), key=lambda kernel: kernel.begin)
    length = len(model.kernels)
    requests = tuple(tuple(kernels[at : at + length]) for at in range(0, len(kernels) - length + 1, length))
    assert len(requests) >= FEWEST_REQUESTS, f"{model.name}: {len(requests)} requests in {SECONDS} s"
    assert [kernel.name for kernel in requests[0]] == [call.symbol for call in model.kernels]
    return Served(requests)


def run(gpu: EmulatedGpu, models: Sequence[KernelProfile], made: Sequence[Slot]) -> list[Served]:
    """One program a slot, all at once; what the hardware did for each while all of them were served."""
    processes = [
        subprocess.Popen(
            [str(NATIVE / "workloads" / model.name.partition("-")[0]), "--seconds", str(SECONDS)],
            env={**os.environ, **gpu.environment(), "LD_PRELOAD": PRELOAD, "ECLIP_SLOT": str(slot.folder),
                 "ECLIP_MODE": "enforce"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for model, slot in zip(models, made, strict=True)
    ]  # fmt: skip
    try:
        for process in processes:
            _, errors = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    programs = {program.pid: program for program in gpu.programs()}
    every = [served(programs[process.pid], model) for process, model in zip(processes, models, strict=True)]
    # The first requests make streams, which stalls the chip.
    begin = max(one.requests[2][0].begin for one in every)
    end = min(one.requests[-1][-1].end for one in every)
    return [one.within(begin, end) for one in every]


def replayed(steps: Sequence[Sequence[Step]], seen: Sequence[Served]) -> list[float]:
    """Sum of every program's kernel times if the same requests come again, with the gaps that were."""
    fluid, running, took = Fluid(Chip.of(GPU, ROW)), {}, [0.0] * len(seen)
    gaps = [one.gaps for one in seen]
    begins = [one.kernels[0].begin for one in seen]
    waiting = [(begin - min(begins), who, 0) for who, begin in enumerate(begins)]
    heapq.heapify(waiting)
    while waiting or running:
        done = fluid.advance(waiting[0][0] if waiting else math.inf)
        if done is None:
            _, who, index = heapq.heappop(waiting)
            running[fluid.start(steps[who][index % len(steps[who])].load)] = (who, index, fluid.now)
            continue
        who, index, began = running.pop(done)
        took[who] += fluid.now - began
        if index < len(gaps[who]):
            heapq.heappush(waiting, (fluid.now + gaps[who][index], who, index + 1))
    return took


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mix", MIXES)
def test_programs_take_the_predicted_time_within_ten_percent(
    mix: str, strategy: str, gpu: EmulatedGpu, slots: list[Slot], tmp_path: Path
) -> None:
    models = [profile.load(PROFILES / f"{name}.yaml") for name in MIXES[mix]]
    workers = [planning.Workload(f"w{index}", model) for index, model in enumerate(models)]
    plan = planning.make_plan(GPU, ROW, workers, planning.Options(strategy=strategy))
    for worker, model in zip(workers, models, strict=True):
        slots.append(Slot.create(tmp_path, worker.name, "a"))
        slots[-1].publish(table.encode(GPU, {worker.name: model}, plan))
        slots[-1].set_active((1 << len(models)) - 1)
    seen = run(gpu, models, slots)
    planned = [
        PlannedWorker(model, own.groups, own.streams) for model, own in zip(models, plan.full.workers, strict=True)
    ]
    loops = predict.loops(GPU, ROW, planned)
    expected, measured = [], []
    for one, loop, kernels in zip(seen, loops, replayed([loop.steps for loop in loops], seen), strict=True):
        leads = [ROW.launch_micros + step.lead_micros for step in loop.steps]
        expected.append(kernels / len(one.requests) + sum(leads[1:]))
        took = sum(kernel.end - kernel.begin for kernel in one.kernels)
        measured.append(took / len(one.requests) + one.packet_micros(leads))
    assert expected == pytest.approx(measured, rel=0.1)
