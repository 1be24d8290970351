"""`eclip run` with real HIP programs on an emulated MI50: start, plan, enforce, adapt, end."""

import os
import signal
from pathlib import Path

import eclip
from eclip.host.watching import Seen

NATIVE = Path(eclip.__file__).parent / "native"
KERNELS = 34
"""Of one request of alexnet."""


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_run_ends_when_its_programs_do_and_reports_what_they_did_in_force(host):
    file = host.colocation(
        host.serve("a", "alexnet", "--requests", "150"),
        host.serve("b", "alexnet", "--requests", "150"),
        strategy="static-split",
    )

    run = host.start("run", file, "-o", "json", "--report", "report.html")
    report = run.report()

    (gpu,) = report["gpus"]
    assert [workload["name"] for workload in gpu["workloads"]] == ["a", "b"]
    for workload in gpu["workloads"]:
        (worker,) = workload["workers"]
        assert (workload["inForce"], workload["exitCode"], workload["starts"]) == (True, 0, 1)
        assert (workload["result"]["requests"], workload["result"]["checksumMismatches"]) == (150, 0)
        assert worker["launches"] == 150 * 34
        assert worker["mismatches"] == 0
    assert gpu["timeScale"] == 4
    assert "<svg" in (host.folder / "report.html").read_text()
    assert host.slots() == {}


def test_sigterm_ends_everything_cleanly(host):
    run = host.start("run", host.colocation(host.serve("a"), host.serve("b"), strategy="static-split"), "-o", "json")
    host.until(lambda: host.serving("a", "b"), "both to serve")
    pids = [host.pid("a"), host.pid("b")]

    run.signal(signal.SIGTERM)
    report = run.report()

    assert all(gone(pid) for pid in pids)
    assert host.slots() == {}
    assert not list(host.state.glob("runs/*"))
    assert not list(host.state.glob("emulated/*"))
    # The programs were asked, not killed: each of them said its last word.
    assert all(workload["result"]["requests"] > 0 for workload in report["gpus"][0]["workloads"])


def test_the_rest_is_planned_anew_when_a_workload_dies_for_good(host):
    file = host.colocation(host.serve("a"), host.serve("b", more="restart: Never"), strategy="static-split")
    run = host.start("run", file)
    host.until(lambda: host.serving("a", "b"), "both to serve")
    before = host.slots()["a"]

    os.kill(host.pid("b"), signal.SIGKILL)

    host.until(lambda: host.slots()["a"].generation > before.generation, "a new table for the one that is left")
    after = host.slots()["a"]
    assert host.pid("a") == before.clients[0].pid
    # Alone it has the whole GPU: no masked stream is left in its table.
    assert (len(before.table.streams) > 0, after.table.streams) == (True, ())
    assert "planned for a:" in run.said


def test_a_workload_that_fails_is_started_again_and_keeps_its_slot(host):
    run = host.start("run", host.colocation(host.serve("a"), host.serve("b"), strategy="static-split"))
    host.until(lambda: host.serving("a", "b"), "both to serve")
    first, generation = host.pid("b"), host.slots()["b"].generation

    os.kill(first, signal.SIGKILL)

    host.until(lambda: host.pid("b") not in (None, first) and host.serving("b"), "its restart")
    assert host.slots()["b"].generation == generation
    assert "b ended by signal 9, starts again in 1 s" in run.said


def test_apply_adds_removes_and_replans_without_a_restart_of_the_others(host):
    file = host.colocation(host.serve("a"), host.serve("b"), strategy="static-split")
    run = host.start("run", file)
    host.until(lambda: host.serving("a", "b"), "both to serve")
    kept, removed, before = host.pid("a"), host.pid("b"), host.slots()["a"].generation

    host.colocation(host.serve("a", more="weight: 3"), host.serve("c"), strategy="static-split")
    assert host.start("apply", file).end()[0] == 0, run.said
    host.until(lambda: host.serving("c") and "b" not in host.slots(), "c to serve and b to be gone")

    assert host.pid("a") == kept
    assert gone(removed)
    assert host.slots()["a"].generation > before


def test_a_file_that_is_no_good_changes_nothing(host):
    file = host.colocation(host.serve("a"), host.serve("b"), strategy="static-split")
    run = host.start("run", file)
    host.until(lambda: host.serving("a", "b"), "both to serve")
    before = {name: (seen.generation, host.pid(name)) for name, seen in host.slots().items()}

    file.write_text(file.read_text().replace("static-split", "magic"))
    refused = host.start("apply", file)

    assert refused.end()[0] == 2
    assert refused.said.count("\n") == 1
    assert "strategy" in refused.said
    assert {name: (seen.generation, host.pid(name)) for name, seen in host.slots().items()} == before
    assert "nothing changed" in run.said


def test_sighup_reads_the_file_again(host):
    file = host.colocation(host.serve("a"), host.serve("b"), strategy="static-split")
    run = host.start("run", file)
    host.until(lambda: host.serving("a", "b"), "both to serve")
    before, pid = host.slots()["a"].generation, host.pid("a")

    host.colocation(host.serve("a"), host.serve("b"), strategy="whole-gpu")
    run.signal(signal.SIGHUP)

    host.until(lambda: host.slots()["a"].generation > before, "a new table")
    assert host.slots()["a"].table.streams == ()
    assert host.pid("a") == pid


def test_an_idle_neighbour_leaves_the_active_set_and_comes_back(host):
    """One request every 3 s: most of the time only `busy` is busy, and sees so."""
    file = host.colocation(
        host.serve("busy"),
        host.serve("seldom", "alexnet", "--period-ms", "3000", "--seconds", "1000"),
        strategy="static-split",
    )
    host.start("run", file)
    host.until(lambda: host.serving("busy"), "the busy one to serve")

    looks = []
    host.until(lambda: _whole_gpu_while_alone(looks, host.slots()["busy"]), "the whole GPU while it is alone")
    host.until(lambda: host.slots()["busy"].active == 0b11, "the neighbour's return")
    host.until(lambda: host.slots()["busy"].active == 0b01, "its next silence")


def _whole_gpu_while_alone(looks: list[tuple[int, int]], seen: Seen) -> bool:
    """Two requests after it was left alone, its launches go on and no further one goes to a masked stream."""
    counters = seen.clients[0].current
    if seen.active != 0b01:
        looks.clear()
        return False
    looks.append((counters.launches, counters.redirected))
    settled = [look for look in looks if look[0] >= looks[0][0] + 2 * KERNELS]
    return bool(settled) and settled[-1][0] >= settled[0][0] + KERNELS and settled[-1][1] == settled[0][1]


def test_a_program_of_somebody_else_is_adopted_and_outlives_the_run(host):
    made = host.start("slot", "create", "other").end()
    assert made[0] == 0
    file = host.colocation(host.serve("a"), host.serve("other", command=False), strategy="static-split")
    run = host.start("run", file)
    host.until(lambda: "planned for a, other" in run.said, "the plan")

    shell = f"{made[1]}\nexec {NATIVE}/workloads/alexnet --seconds 1000"
    emulator = next(host.state.glob("emulated/*/emulator.json"))
    program = host.program(["/bin/sh", "-c", shell], LD_LIBRARY_PATH=NATIVE / "emulator", ECLIP_EMULATOR=emulator)
    host.until(lambda: host.serving("other", "a"), "the adopted program to serve under its table")
    run.signal(signal.SIGTERM)

    assert run.end()[0] == 0, run.said
    assert program.poll() is None
    assert set(host.slots()) == {"other"}


def test_an_infeasible_file_ends_with_3_and_leaves_nothing(host):
    run = host.start("run", host.colocation(host.serve("a", more="latency: {p95Micros: 0.5}")))

    assert run.end()[0] == 3
    assert run.said.count("\n") == 1
    assert host.slots() == {}


def test_a_program_that_fails_for_good_makes_the_run_fail(host):
    run = host.start("run", host.colocation(host.serve("a", "alexnet", "--no-such-flag", "1", more="restart: Never")))

    assert run.end()[0] == 1
    assert "workload a: ended with 2; see" in run.said
