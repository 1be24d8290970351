"""Real HIP programs in what a container runtime would make of the plugin's answers: own PID and mount namespaces."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubelet_contract import SHARE, Admitted, until

from eclip.emulated import WORKLOAD_KERNELS, clients
from eclip.slot import stats

MakeNode = Callable[..., Any]
PROGRAM = WORKLOAD_KERNELS.parent / "alexnet"
AS_ROOT = () if os.getuid() == 0 else ("--map-root-user",)
PRIVATE = ("/usr/local/lib", "/run")
"""Folders that get mount points."""


class Container:
    """A program with the mounts and variables of an allocation, process 1 of its namespace."""

    def __init__(self, given: Admitted, *command: str, **environment: str) -> None:
        lines = [f"mount -t tmpfs tmpfs {folder}" for folder in PRIVATE]
        for place, (source, read_only) in given.mounts.items():
            target, host = shlex.quote(place), shlex.quote(str(source))
            lines += [f"mkdir -p $(dirname {target})", f"[ -d {host} ] && mkdir -p {target} || touch {target}"]
            lines += [f"mount --bind {host} {target}"]
            lines += [f"mount -o remount,bind,ro {target}"] if read_only else []
        added = {**given.environment, **environment}
        variables = shlex.join(f"{name}={value}" for name, value in added.items())
        script = "set -e\n" + "\n".join(lines) + f"\nexec env {variables} {shlex.join(command)}"
        self.process = subprocess.Popen(
            ["unshare", *AS_ROOT, "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )

    def output(self) -> str:
        text, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, text
        return text

    def pid_inside(self) -> int:
        """As its own namespace counts."""
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (line,) = (line for line in Path(f"/proc/{child}/status").read_text().splitlines() if line.startswith("NSpid:"))
        return int(line.split()[-1])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def run() -> Iterator[Callable[..., Container]]:
    started: list[Container] = []

    def start(given: Admitted, *command: str, **environment: str) -> Container:
        started.append(Container(given, *command, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


def slot(node: Any, given: Admitted) -> Path:
    folder: Path = node.state / "slots" / given.devices[0] / given.allocation
    return folder


def test_two_containers_share_a_chip_each_in_its_slot(one: Any, run: Callable[..., Container]) -> None:
    chip = one.source.gpu.chip_path()
    first, second = (one.kubelet.admit(name, SHARE) for name in ("first", "second"))
    containers = {given.allocation: run(given, str(PROGRAM), "--seconds", "60") for given in (first, second)}
    until("both are on the chip", lambda: set(clients.allocations(chip)) == set(containers))
    for given in (first, second):
        until("a handshake", lambda given=given: stats.read(slot(one, given) / "stats"))  # type: ignore[misc]
    assert {one.pid_inside() for one in containers.values()} == {1}, "or the test tests nothing"
    containers[first.allocation].kill()
    until("the killed one has left the chip", lambda: clients.allocations(chip) == (second.allocation,))


def test_a_program_gives_the_same_result_with_and_without_us(one: Any, run: Callable[..., Container]) -> None:
    given = one.kubelet.admit("one", SHARE)
    masked = run(given, str(PROGRAM), "--requests", "3").output()
    plain = run(given, str(PROGRAM), "--requests", "3", ECLIP_MODE="off").output()
    assert checksum(masked) == checksum(plain)


def checksum(output: str) -> object:
    return json.loads(output.splitlines()[-1])["checksum"]


def test_a_container_cannot_write_what_only_the_node_may(one: Any, run: Callable[..., Container]) -> None:
    given = one.kubelet.admit("one", SHARE)
    script = "for f in /run/eclip/slot/config/x /usr/local/lib/eclip/libeclip_hip.so; do ! echo >>$f || exit 1; done"
    run(given, "sh", "-c", script, LD_PRELOAD="").output()
    run(given, "sh", "-c", "echo >>/run/eclip/slot/stats", LD_PRELOAD="").output()
