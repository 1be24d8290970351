"""What can end on a cluster of ours, how it comes back, and how long until it does its work again."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kube.cluster import Cluster
from kube.commands import until
from kube.machine import Machine

RUNS_AGAIN_WITHIN_S = 60.0


@dataclass(frozen=True)
class Fault:
    """The sudden end of one component."""

    component: str
    goal: float
    """Seconds that it should take from its process running again to its work done again."""
    end: Callable[[], None]
    """Kills it."""
    back: Callable[[], None]
    """Returns once its process runs again."""

    def recovery(self, works: Callable[[], object]) -> float:
        """Kills it; seconds from its process running again until `works` returns."""
        self.end()
        self.back()
        begin = time.monotonic()
        works()
        return time.monotonic() - begin


def daemon_of_node(cluster: Cluster, node: str, daemon: str, goal: float) -> Fault:
    """kubelet or containerd, started again as the host's init would."""
    machine = cluster.nodes[node].machine
    return Fault(daemon, goal, lambda: machine.kill(daemon), lambda: cluster.nodes[node].restart(daemon))


def daemon_of_control_plane(cluster: Cluster, daemon: str, goal: float) -> Fault:
    """etcd or the API server."""
    plane = cluster.control_plane
    return Fault(daemon, goal, lambda: plane.machine.kill(daemon), lambda: plane.start(daemon))


def container(cluster: Cluster, program: str, goal: float, nodes: tuple[str, ...]) -> Fault:
    """A program in a container, which kubelet starts again. It runs on one of the nodes."""
    machines = [cluster.nodes[node].machine for node in nodes]
    killed: set[int] = set()

    def end() -> None:
        killed.update(pid for machine in machines for pid in processes(machine, program))
        assert killed, f"{program} runs nowhere"
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def back() -> None:
        until(
            f"{program} runs again",
            lambda: {pid for machine in machines for pid in processes(machine, program)} - killed,
            within=RUNS_AGAIN_WITHIN_S,
            every=0.02,
        )

    return Fault(program, goal, end, back)


def processes(machine: Machine, program: str) -> list[int]:
    """Host pids of the processes on a machine that run `program`, started by its interpreter or not."""
    found = []
    for pid in machine.group.processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:2]
            if any(word.rpartition(b"/")[2] == program.encode() for word in words):
                found.append(pid)
    return found
