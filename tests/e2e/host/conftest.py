"""`eclip` as a user starts it, over an emulated MI50, in a state root of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

import eclip
from eclip.host import watching
from eclip.host.watching import Seen

NATIVE = Path(eclip.__file__).parent / "native"
PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
TIME_SCALE = "4"
PATIENCE_S = 120.0

T = TypeVar("T")


class Command:
    """A running `eclip` command."""

    def __init__(
        self, folder: Path, environment: dict[str, str], arguments: tuple[str, ...], within: Path | None = None
    ) -> None:
        self._err = folder / f"stderr-{time.monotonic_ns()}"
        with self._err.open("w") as err:
            self.process = subprocess.Popen(
                [
                    *([NATIVE / "emulator" / "with-sysfs", within] if within else []),
                    sys.executable,
                    "-m",
                    "eclip",
                    *arguments,
                ],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )

    @property
    def said(self) -> str:
        """Standard error so far."""
        return self._err.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Exit code and standard output."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out

    def report(self, code: int = 0) -> dict[str, Any]:
        """The report of a run that ends as expected."""
        ended, out = self.end()
        assert ended == code, self.said
        return json.loads(out)


class Host:
    """A folder with profiles, a state root, and commands."""

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder, self.state = folder, state
        self.environment = {**os.environ, "ECLIP_STATE": str(state), "ECLIP_TIME_SCALE": TIME_SCALE}
        self._commands: list[Command] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def profile(model: str) -> Path:
        """The modelled profile of a model."""
        return next(PROFILES.glob(f"{model}-*.yaml"))

    @staticmethod
    def serve(name: str, model: str = "alexnet", *flags: str, more: str = "", command: bool = True) -> str:
        """A workload that serves alexnet, or another model, without end; or one that somebody else starts."""
        profile = Host.profile(model)
        words = json.dumps([str(NATIVE / "workloads" / model), *(flags or ("--seconds", "1000"))])
        parts = [f"name: {name}", f"command: {words}" if command else "", f"profiles: [{profile}]", more]
        return ", ".join(part for part in parts if part)

    @staticmethod
    def until(condition: Callable[[], T], what: str) -> T:
        """What `condition` gives as soon as it is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.02)
        return found

    def colocation(self, *workloads: str, name: str = "c.yaml", **spec: str) -> Path:
        """A colocation file; workloads in YAML's flow style."""
        fields = {"gpu": "emulated", **spec}
        lines = ["apiVersion: eclip.dev/v1alpha1", "kind: Colocation", "spec:"]
        lines += [f"  {key}: {value}" for key, value in fields.items()]
        lines += ["  workloads:", *(f"  - {{{workload}}}" for workload in workloads)]
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, *arguments: object, within: Path | None = None) -> Command:
        """Start `eclip`; `within` is a tree that it shall see as /sys."""
        command = Command(self.folder, self.environment, tuple(str(argument) for argument in arguments), within)
        self._commands.append(command)
        return command

    def program(self, command: list[str], **environment: object) -> "subprocess.Popen[bytes]":
        """A program that this host starts without `eclip`."""
        more = {name: str(value) for name, value in environment.items()}
        started = subprocess.Popen(command, env={**self.environment, **more}, stdout=subprocess.DEVNULL)
        self._programs.append(started)
        return started

    def slots(self) -> dict[str, Seen]:
        """All slots by name."""
        return {seen.name: seen for seen in watching.look(self.state).values()}

    def pid(self, slot: str) -> int | None:
        """The living program in a slot."""
        seen = self.slots().get(slot)
        return next((client.pid for client in seen.clients if client.alive), None) if seen else None

    def serving(self, *slots: str) -> bool:
        """True when a program in each of these slots has launched kernels under its table."""
        seen = self.slots()
        return all(
            slot in seen and any(client.alive and client.current.redirected > 100 for client in seen[slot].clients)
            for slot in slots
        )

    def close(self) -> None:
        for program in self._programs:
            program.kill()
            program.wait()
        for command in self._commands:
            if command.process.poll() is None:
                command.signal(signal.SIGTERM)
        for command in self._commands:
            try:
                command.process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                command.process.kill()
                command.process.communicate()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    for needed in ("emulator/libhsakmt.so.1", "workloads/alexnet", "libeclip_hip.so"):
        assert (NATIVE / needed).exists(), f"{needed} is not built: make native"
    with tempfile.TemporaryDirectory(prefix="eclip-") as state:  # short: sockets want short paths
        made = Host(tmp_path, Path(state))
        yield made
        made.close()
