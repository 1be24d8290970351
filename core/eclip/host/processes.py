"""Edge: programs as process groups, their output in files."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eclip.errors import InputError

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


class Processes:
    """The programs that this run started, by name of their workload."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def any(self) -> bool:
        """True while a program runs."""
        return bool(self._running)

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
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            with self.log(name).open("ab") as log:
                self._running[name] = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509 - nothing but two calls of libc's
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


def _ends_with(parent: int) -> Callable[[], None]:
    """In a new process: SIGTERM when the parent dies, however it dies. Nobody would watch the program any more."""

    def ask() -> None:
        if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM) == 0 and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)  # the parent died in between

    return ask


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
