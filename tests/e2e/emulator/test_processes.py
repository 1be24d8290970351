"""Several processes on one chip: they contend as the fluid model says, exactly, and one that dies leaves at once."""

import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eclip import contention
from eclip.emulated import LIBRARIES, EmulatedGpu, clients
from eclip.emulated.trace import Kernel

MakeGpu = Callable[..., EmulatedGpu]
ACCEPTANCE = LIBRARIES / "acceptance"
ALARM_SECONDS = 240
PATTERNS = {"a": "33333333", "b": "cccccccc", "c": "66666666", "d": "ffffffff"}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ALARM_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def contend(gpu: EmulatedGpu, programs: Any, folder: Path, names: str, kernels: int) -> None:
    running = [
        programs.start(
            gpu,
            "contend",
            CONTEND_FOLDER=str(folder),
            CONTEND_NAME=name,
            CONTEND_PATTERN=PATTERNS[name],
            CONTEND_KERNELS=str(kernels),
        )
        for name in names
    ]
    until(lambda: all((folder / f"ready-{name}").exists() for name in names))
    (folder / "go").touch()
    for process in running:
        programs.finish(process)


def shape_of(kernel: Kernel, traced: list[Kernel]) -> contention.Shape:
    """As effects.cpp says; the trace has no arguments, they follow from the kernel's place in its program."""
    if kernel.name == "test_traffic":
        i = sum(1 for k in traced if k.name == "test_mix" and k.packet < kernel.packet) - 1
        return contention.Shape(240, 1, 0, 2e7 * (1 + i % 3))
    i = traced.index(kernel) - sum(1 for k in traced if k.name == "test_traffic" and k.packet < kernel.packet)
    return contention.Shape(kernel.workgroups[0], 1, 50 + 37 * (i % 5), 0)


def replay(gpu: EmulatedGpu) -> list[tuple[float, float]]:
    """(traced end, exact end) of every kernel, by playing the traced beginnings through the model."""
    chip = contention.Chip.of(gpu.gpu, gpu.row)
    starts: list[tuple[float, float, contention.Load]] = []
    for program in gpu.programs():
        masks = {mask.queue: mask.cu_set for mask in program.masks}
        traced = [k for k in program.kernels if k.name in ("test_mix", "test_traffic")][1:]
        for kernel in traced:
            load = contention.load_of(chip, shape_of(kernel, traced), masks[kernel.queue])
            starts.append((kernel.begin, kernel.end, load))
    starts.sort(key=lambda start: start[0])
    fluid = contention.Fluid(chip, starts[0][0])
    traced_end: dict[int, float] = {}
    pairs = []
    for begin, end, load in [*starts, (float("inf"), 0.0, starts[0][2])]:
        while traced_end and fluid.next_finish() <= begin:
            done = fluid.advance(begin)
            assert done is not None
            pairs.append((traced_end.pop(done), fluid.now))
        if begin < float("inf"):
            fluid.advance(begin)
            traced_end[fluid.start(load)] = end
    return pairs


@pytest.mark.parametrize("names", ["ab", "ac", "abcd"])
def test_processes_contend_exactly_as_the_model_says(
    names: str, make_gpu: MakeGpu, programs: Any, tmp_path: Path
) -> None:
    gpu = make_gpu(trace=True)
    contend(gpu, programs, tmp_path, names, kernels=120)
    pairs = replay(gpu)
    assert len(pairs) == len(names) * (120 + 15)
    assert [traced for traced, _ in pairs] == pytest.approx([exact for _, exact in pairs], abs=0.01)


def test_processes_overlap_in_gpu_time(make_gpu: MakeGpu, programs: Any, tmp_path: Path) -> None:
    """Else the test above would compare kernels that ran alone."""
    gpu = make_gpu(trace=True)
    contend(gpu, programs, tmp_path, "ac", kernels=400)
    spans = []
    for program in gpu.programs():
        kernels = [k for k in program.kernels if k.name == "test_mix"][1:]
        spans.append((kernels[0].begin, kernels[-1].end))
    overlap = min(end for _, end in spans) - max(begin for begin, _ in spans)
    assert overlap > 0.3 * min(end - begin for begin, end in spans)


def test_a_process_killed_in_mid_kernel_frees_its_share(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(trace=True)
    victim = programs.start(gpu, "endless")
    until(lambda: gpu.reading().packets.dispatch == 1)
    assert gpu.reading().vram_used_bytes > 1 << 30
    beside = programs.run(gpu, "profile")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    alone = programs.run(gpu, "profile")
    for line_beside, line_alone in zip(beside.splitlines()[:-1], alone.splitlines()[:-1], strict=True):
        slowdown = float(line_beside.split()[-1]) / float(line_alone.split()[-1])
        # On three engines 20 workgroups each run on 15 CUs: two waves, which leave a third of the CUs idle.
        assert slowdown == pytest.approx(4 / 3 if "77777777" in line_alone else 2, rel=0.02)
    assert gpu.reading().vram_used_bytes < 1 << 30


def test_a_process_killed_beside_a_running_one_speeds_it_up(make_gpu: MakeGpu, programs: Any, tmp_path: Path) -> None:
    """The survivor's kernel runs at half speed until the other one dies, then at full speed."""
    gpu = make_gpu(trace=True, time_scale=4)
    victim = programs.start(gpu, "endless")
    until(lambda: gpu.reading().packets.dispatch == 1)
    survivor = programs.start(gpu, "queries")
    until(lambda: gpu.reading().packets.dispatch == 2)
    begun = gpu.reading().micros
    until(lambda: gpu.reading().micros > begun + 300_000)
    killed_at = gpu.reading().micros
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    programs.finish(survivor)
    (kernel,) = [k for program in gpu.programs() for k in program.kernels if k.name == "test_spin"]
    half_speed = killed_at - kernel.begin
    assert kernel.end - kernel.begin == pytest.approx(half_speed + (500_000 - half_speed / 2), rel=0.05)


def state(task: Path) -> str:
    return (task / "stat").read_text().rsplit(")", 1)[1].split()[0]


def stopped_outside_the_lock(pid: int, gpu: EmulatedGpu) -> bool:
    """Stops a process, unless it holds the chip's lock just then: nobody can pass over one that does."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: all(state(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir()))
    with gpu.chip_path().open("rb") as file:
        file.seek(8192)  # ChipFile.lock: the low bits of its word name the holder
        free = struct.unpack("<I", file.read(4))[0] & 0x7F == 0
    if not free:
        os.kill(pid, signal.SIGCONT)
    return free


def test_a_stopped_process_does_not_stop_its_neighbour(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    stopped = programs.start(gpu, "threads")
    until(lambda: gpu.reading().packets.dispatch > 10)
    until(lambda: stopped_outside_the_lock(stopped.pid, gpu))
    try:
        programs.run(gpu, "copies")
    finally:
        stopped.send_signal(signal.SIGCONT)
    programs.finish(stopped)


def test_killing_processes_at_any_moment_leaves_the_chip_whole(make_gpu: MakeGpu, programs: Any) -> None:
    """Twenty processes are killed in full work, some of them surely while they hold the chip's lock."""
    gpu = make_gpu()
    for round_number in range(20):
        process = programs.start(gpu, "threads")
        before = gpu.reading().packets.dispatch
        until(lambda: gpu.reading().packets.dispatch > before + 20)  # noqa: B023
        time.sleep(0.001 * (round_number % 5))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    programs.run(gpu, "sharing")


AS_ROOT = () if os.getuid() == 0 else ("--map-root-user",)
IN_ITS_OWN = ("/usr/bin/unshare", *AS_ROOT, "--pid", "--fork", "--kill-child=KILL")
"""Runs a program as process 1 of a PID namespace, as a container does: all have the same ids then."""


def test_clients_in_different_pid_namespaces_do_not_collide(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    chip = gpu.chip_path()
    first = programs.start(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "endless", ECLIP_ALLOCATION="first")
    until(lambda: clients.allocations(chip) == ("first",))
    second = programs.start(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "endless", ECLIP_ALLOCATION="second")
    until(lambda: sorted(clients.allocations(chip)) == ["first", "second"] and gpu.reading().packets.dispatch == 2)
    assert gpu.reading().programs == 2
    first.kill()
    first.wait()
    until(lambda: clients.allocations(chip) == ("second",))
    until(lambda: gpu.reading().programs == 1)
    third = programs.start(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "endless", ECLIP_ALLOCATION="Not/A\nName")
    until(lambda: sorted(clients.allocations(chip)) == ["", "second"])
    for process in (second, third):
        process.kill()
        process.wait()
    until(lambda: clients.allocations(chip) == ())


def test_killing_containers_at_any_moment_leaves_the_chip_whole(make_gpu: MakeGpu, programs: Any) -> None:
    """One of two programs with the same ids is killed again and again; the other one goes on."""
    gpu = make_gpu()
    survivor = programs.start(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "threads")
    for round_number in range(10):
        victim = programs.start(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "threads")
        before = gpu.reading().packets.dispatch
        until(lambda: gpu.reading().packets.dispatch > before + 20)  # noqa: B023
        time.sleep(0.001 * (round_number % 5))
        victim.kill()
        victim.wait()
    programs.finish(survivor)
    programs.run(gpu, *IN_ITS_OWN, str(ACCEPTANCE), "sharing")


def test_a_child_of_a_fork_does_not_keep_its_parent_on_the_chip(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    program = 'import ctypes, os, time; ctypes.CDLL("libamdhip64.so.5").hipInit(0); os.fork(); time.sleep(600)'
    parent = programs.start(gpu, sys.executable, "-c", program)
    until(lambda: gpu.reading().programs == 1 and len(children(parent.pid)) == 1)
    (child,) = children(parent.pid)
    parent.kill()
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
    try:
        until(lambda: clients.allocations(gpu.chip_path()) == ())
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_memory_is_one_for_all_processes(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    programs.start(gpu, "endless")
    until(lambda: gpu.reading().packets.dispatch == 1)
    process = programs.start(gpu, "bigalloc")
    output, _ = process.communicate(timeout=ALARM_SECONDS)
    assert process.returncode == 0, output
    assert gpu.reading().vram_used_bytes <= gpu.gpu.vram_bytes


def test_another_configuration_is_refused_while_the_chip_is_in_use(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    programs.start(gpu, "endless")
    until(lambda: gpu.reading().packets.dispatch == 1)
    gpu.config_path.write_text(gpu.config_path.read_text().replace('"timeScale": 1.0', '"timeScale": 2.0'))
    output, _ = programs.start(gpu, "basic").communicate(timeout=ALARM_SECONDS)
    assert "in use by programs with another configuration" in output
