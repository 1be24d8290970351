"""`eclip run` when things go wrong around it: kills, a full disk, programs that are no good neighbours."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from eclip import planning
from eclip.emulated import EmulatedGpu
from eclip.host.run import Run
from eclip.slot.lookup import OWN_STREAM


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_run_that_is_killed_leaves_no_program_and_the_next_one_cleans_up(host):
    file = host.colocation(host.serve("a"), host.serve("b"), strategy="static-split")
    first = host.start("run", file)
    host.until(lambda: host.serving("a", "b"), "both to serve")
    pids = [host.pid("a"), host.pid("b")]

    first.signal(signal.SIGKILL)
    first.process.wait()
    host.until(lambda: all(gone(pid) for pid in pids), "the programs to end with their run")
    assert set(host.slots()) == {"a", "b"}

    second = host.start("run", file, "--for", "1", "-o", "json")
    report = second.report()
    assert [event["what"] for event in report["events"][:2]] == [
        "removed slot a of a run that was killed",
        "removed slot b of a run that was killed",
    ]
    assert host.slots() == {}
    assert not list(host.state.glob("emulated/*"))


def test_a_second_run_on_the_same_gpu_is_refused_with_the_name_of_the_first(host):
    emulated = EmulatedGpu("MI50", host.folder / "gpu", time_scale=4).create()
    host.environment |= {"ECLIP_EMULATOR": str(emulated.config_path)}
    file = host.colocation(host.serve("a"))
    first = host.start("run", file)
    host.until(lambda: "planned for a" in first.said, "the first run")

    second = host.start("run", host.colocation(host.serve("b"), name="d.yaml"))

    assert second.end()[0] == 2
    assert f"GPU emulated: eclip run {first.process.pid} of {file} has it" in second.said
    assert second.said.count("\n") == 1
    assert set(host.slots()) == {"a"}


def test_programs_without_hip_and_programs_that_fork_are_run_like_others(host):
    forks = json.dumps(["/bin/sh", "-c", "(sleep 600) & echo forked; exit 0"])
    plain = json.dumps(["/bin/echo", "no kernel"])
    profile = host.profile("alexnet")
    file = host.colocation(
        f"name: forks, command: {forks}, profiles: [{profile}]", f"name: plain, command: {plain}, profiles: [{profile}]"
    )

    report = host.start("run", file, "-o", "json").report()

    (gpu,) = report["gpus"]
    assert [(workload["exitCode"], workload["why"]) for workload in gpu["workloads"]] == [(0, "no program")] * 2
    logs = [Path(workload["log"]).read_text() for workload in gpu["workloads"]]
    assert logs == ["forked\n", "no kernel\n"]
    assert host.slots() == {}


@pytest.mark.skipif(os.getuid() != 0, reason="mounts a file system")
def test_a_full_disk_is_one_line_and_leaves_nothing(host):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", host.state], check=True)
    try:
        (host.state / "ballast").write_bytes(b"x" * 40_000)
        run = host.start("run", host.colocation(host.serve("a")))

        assert run.end()[0] == 1
        assert run.said.strip().count("\n") == 0
        assert "No space left on device" in run.said
        assert host.slots() == {}
    finally:
        subprocess.run(["umount", host.state], check=True)


class Log:
    """A view for tests."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, what: str) -> None:
        self.said.append(what)

    def show(self, run: Run, now: float) -> None:
        """Not looked at."""


def test_programs_are_watched_while_a_plan_is_made(host, monkeypatch):
    """A solve that takes for ever delays no restart, and the end of a run waits for no solve."""
    flag = host.folder / "failed-once"
    fails_once = json.dumps(["/bin/sh", "-c", f"test -e {flag} && exec sleep 600; touch {flag}; exit 1"])
    waits = json.dumps(["/bin/sleep", "600"])
    profile = host.profile("alexnet")
    file = host.colocation(
        f"name: a, command: {fails_once}, profiles: [{profile}]", f"name: b, command: {waits}, profiles: [{profile}]"
    )
    view = Log()
    run = Run(file, host.state, host.folder / "logs", view)
    file.write_text(file.read_text().replace("  gpu", "  strategy: static-split\n  gpu"))
    never, solving = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        solving.set()
        never.wait(60)

    def enough(run: Run) -> bool:
        (gpu,) = run.gpus.values()
        if gpu.lives["a"].starts == 1 and not solving.is_set():
            monkeypatch.setattr(planning, "make_plan", hang)
            os.kill(os.getpid(), signal.SIGHUP)
        return solving.is_set() and gpu.lives["a"].starts == 2

    run.work(60, enough)
    never.set()

    assert "enough was seen" in view.said
    assert f"nothing changed: {file}: the run is ending" in view.said
    assert host.slots() == {}


def test_two_gpus_are_planned_and_used_side_by_side(host):
    """The host's sysfs shows two MI50; each workload sees only its own, as ROCR_VISIBLE_DEVICES tells the runtime."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace of its own")
    emulated = EmulatedGpu("MI50", host.folder / "gpus", time_scale=4, count=2).create()
    host.environment |= emulated.environment(host.environment)
    file = host.colocation(
        host.serve("a", "alexnet", "--requests", "60", more="gpu: 0"),
        host.serve("b", "alexnet", "--requests", "60", more="gpu: 0"),
        host.serve("c", "shufflenet", "--requests", "60", more=f"gpu: {emulated.gpus[1].unique_id:#x}"),
        gpu="0",
        strategy="static-split",
    )

    report = host.start("run", file, "-o", "json", within=emulated.sysfs).report()

    assert [[workload["name"] for workload in gpu["workloads"]] for gpu in report["gpus"]] == [["a", "b"], ["c"]]
    for workload in (workload for gpu in report["gpus"] for workload in gpu["workloads"]):
        assert (workload["inForce"], workload["exitCode"]) == (True, 0)
        assert workload["result"]["checksumMismatches"] == 0
    # Each chip did the work of its own workloads and no other.
    assert emulated.reading(0).packets.dispatch == 2 * 60 * 34
    assert emulated.reading(1).packets.dispatch == sum(
        worker["launches"] for worker in report["gpus"][1]["workloads"][0]["workers"]
    )


def test_a_best_effort_job_takes_the_whole_gpu_while_the_service_is_idle(host):
    """One request of the service every 3 s; the job runs on masked streams beside it, and on none while it is alone."""
    file = host.colocation(
        host.serve("service", "alexnet", "--period-ms", "3000", "--seconds", "1000", more="latency: {p95Micros: 4000}"),
        host.serve("batch", "shufflenet", "--seconds", "1000", more="class: BestEffort"),
    )
    host.start("run", file)
    host.until(lambda: host.serving("batch"), "the job to serve")

    host.until(lambda: host.slots()["batch"].active == 0b11, "the service's request")
    table = host.slots()["batch"].table
    beside, alone = (next(v for v in table.variants if v.active == active) for active in (0b11, 0b10))
    assert {group.stream for group in beside.choices[0]} != {OWN_STREAM}
    assert {group.stream for group in alone.choices[0]} == {OWN_STREAM}
    host.until(lambda: host.slots()["batch"].active == 0b10, "the job alone")
