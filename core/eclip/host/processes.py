"""Edge: programs as process groups, their output in files."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from eclip.errors import InputError


class Processes:
    """The programs that this run started, by name of their workload."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        """Where the output of a workload goes; a restart appends."""
        return self._logs / f"{name}.log"

    def pid(self, name: str) -> int | None:
        """The process id while it runs."""
        process = self._running.get(name)
        return process.pid if process else None

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start a program in a process group of its own.

        Raises:
            InputError: the program cannot be executed.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            with self.log(name).open("ab") as log:
                self._running[name] = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise InputError(f"workload {name}: '{command[0]}' cannot be started ({error.strerror})") from error

    def stop(self, name: str, *, force: bool) -> None:
        """Ask the whole group to end, or end it."""
        process = self._running.get(name)
        if process:
            _signal_group(process.pid, signal.SIGKILL if force else signal.SIGTERM)

    def ended(self) -> list[tuple[str, int]]:
        """Names and exit codes (negative: signal) of the programs that ended since the last look."""
        found = []
        for name, process in list(self._running.items()):
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # Before the leader is reaped, or its group's number could belong to somebody else.
            _signal_group(process.pid, signal.SIGKILL)
            found.append((name, process.wait()))
            del self._running[name]
        return found


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
