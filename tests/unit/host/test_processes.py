"""Real, short-lived processes: started in groups, logged, ended with everything they started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eclip.errors import InputError
from eclip.host.processes import Processes


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


def start(processes: Processes, tmp_path: Path, script: str) -> None:
    processes.start("a", ["/bin/sh", "-c", script], os.environ, tmp_path)


def test_output_goes_to_the_log_and_the_exit_code_comes_back(tmp_path):
    processes = Processes(tmp_path / "logs")
    start(processes, tmp_path, "echo out; echo err >&2; exit 3")

    assert until(processes.ended) == [("a", 3)]
    assert sorted(processes.log("a").read_text().split()) == ["err", "out"]
    assert processes.pid("a") is None


def test_stop_asks_and_force_ends(tmp_path):
    processes = Processes(tmp_path)
    start(processes, tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    until(lambda: processes.log("a").read_text())

    processes.stop("a", force=False)
    assert processes.pid("a") is not None
    processes.stop("a", force=True)
    assert until(processes.ended) == [("a", -signal.SIGKILL)]


def test_what_a_program_started_ends_with_it(tmp_path):
    processes = Processes(tmp_path)
    start(processes, tmp_path, "sleep 1000 & echo $!; exit 0")
    until(processes.ended)
    child = int(processes.log("a").read_text())

    until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_a_program_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match=r"workload a: '\./no-such-program' cannot be started \(No such file"):
        Processes(tmp_path).start("a", ["./no-such-program"], os.environ, tmp_path)


def test_programs_end_with_whoever_started_them_even_if_that_is_killed(tmp_path):
    starter = (
        "import os, sys; from pathlib import Path; from eclip.host.processes import Processes;"
        "processes = Processes(Path(sys.argv[1]));"
        "processes.start('a', ['/bin/sh', '-c', 'echo $$; exec sleep 600'], os.environ, Path('/'));"
        "sys.stdin.read()"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter, str(tmp_path)], stdin=subprocess.PIPE)
    log = tmp_path / "a.log"
    until(lambda: log.exists() and log.read_text().endswith("\n"))

    parent.kill()
    parent.communicate()

    until(lambda: gone(int(log.read_text())))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
