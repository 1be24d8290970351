"""What the programs on a node's GPU do, moment by moment, from the counters that they write themselves."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kube.cluster import find
from kube.commands import MORTAL, ClusterError
from kube.installation import NAMESPACE, Installation

_WATCH = """
import json, sys, time
from pathlib import Path
from eclip.slot import folders, stats
state, changed, longest, last, told, at = Path(sys.argv[1]), {}, {}, {}, None, 0.0
while True:
    now, generations = time.monotonic(), {}
    for folder in folders(state):
        try:
            clients = [client for client in stats.read(folder / "stats") if client.alive]
        except Exception:
            continue
        if not clients:
            continue
        generations[folder.name] = min(client.current.generation for client in clients)
        counted = tuple((client.current.generation, client.current.launches) for client in clients)
        if last.get(folder.name) != counted:
            longest[folder.name] = max(longest.get(folder.name, 0.0), now - changed.get(folder.name, now))
            changed[folder.name], last[folder.name] = now, counted
    still = {one: max(longest.get(one, 0.0), now - changed[one]) for one in generations}
    if generations != told or now - at > 0.2:
        told, at = generations, now
        print(json.dumps([generations, still]), flush=True)
        longest.clear()
    time.sleep(0.01)
"""
_SEEN_WITHIN_S = 60.0


@dataclass
class Watch:
    """What is known by now."""

    process: "subprocess.Popen[str]"
    generations: dict[str, int] = field(default_factory=dict)
    """The table generation that each allocation's program has acknowledged."""
    standstill: dict[str, float] = field(default_factory=dict)
    """Seconds for which each program's counters stood still at most, since the watch or its latest stretch began."""
    _news: threading.Condition = field(default_factory=threading.Condition)

    def follow(self) -> None:
        """Reads until the watch ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.generations, still = json.loads(line)
                for program, seconds in still.items():
                    self.standstill[program] = max(seconds, self.standstill.get(program, 0.0))
                self._news.notify_all()

    def begin_stretch(self) -> None:
        """Forgets how long anything stood still before."""
        with self._news:
            self.standstill.clear()

    def longest(self) -> float:
        """Seconds for which any program's counters stood still at most in this stretch."""
        self.until("something is counted", lambda seen: bool(seen.standstill), within=_SEEN_WITHIN_S)
        return max(self.standstill.values())

    def until(self, what: str, condition: Callable[["Watch"], bool], *, within: float) -> float:
        """When the condition came true, by the monotonic clock."""
        with self._news:
            if not self._news.wait_for(lambda: condition(self), within):
                raise ClusterError(f"not within {within:g} s: {what}; generations: {self.generations}")
            return time.monotonic()


@contextmanager
def watch(installation: Installation, node: str) -> Iterator[Watch]:
    """On a cluster of ours from outside, so that no component's end disturbs it; elsewhere in the node's agent."""
    ours = find(installation.access.kubeconfig)
    if ours is not None:
        state: str | Path = ours.nodes[node].machine.folder / "lib" / "eclip"
        command: list[str | Path] = [sys.executable, "-c", _WATCH, state]
    else:
        agent = installation.agent(node)
        command = ["kubectl", "--kubeconfig", installation.access.kubeconfig, "exec", "-n", NAMESPACE, agent]
        command += ["-c", "agent", "--", "python3", "-c", _WATCH, "/var/lib/eclip"]
    process = subprocess.Popen([*MORTAL, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    watching = Watch(process)
    reader = threading.Thread(target=watching.follow, daemon=True)
    reader.start()
    try:
        watching.until("a program is seen", lambda seen: bool(seen.generations), within=_SEEN_WITHIN_S)
        yield watching
    finally:
        process.kill()
        process.wait(10)
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()
