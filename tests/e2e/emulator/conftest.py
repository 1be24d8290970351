"""HIP programs over an emulated GPU: how they are started, and what is expected of all of them."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eclip.emulated import LIBRARIES, EmulatedGpu

ACCEPTANCE = LIBRARIES / "acceptance"
ALARM_SECONDS = 240
"""A hang is a failure."""

MakeGpu = Callable[..., EmulatedGpu]


@dataclass
class Programs:
    """Starts test programs and ends those that are left."""

    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, gpu: EmulatedGpu, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Starts one test of the acceptance program, or, if it is a path, another program."""
        program = command if "/" in command[0] else (str(ACCEPTANCE), *command)
        process = subprocess.Popen(
            program,
            env={**os.environ, "ACCEPTANCE_MODULE": f"{ACCEPTANCE}.hsaco", **gpu.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> str:
        """Its output; fails if it fails or hangs."""
        output, _ = process.communicate(timeout=ALARM_SECONDS)
        assert process.returncode == 0, output
        return output

    def run(self, gpu: EmulatedGpu, *command: str, **environment: str) -> str:
        """Starts a program and waits for its end."""
        return self.finish(self.start(gpu, *command, **environment))

    def end(self) -> None:
        """Kills what still runs."""
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Test programs of this test."""
    running = Programs()
    yield running
    running.end()


@pytest.fixture
def make_gpu(tmp_path: Path) -> MakeGpu:
    """Makes an emulated GPU that knows the tests' kernels. Costs are zero unless given."""

    def make(product: str = "MI50", costs: Mapping[str, Any] | None = None, **options: Any) -> EmulatedGpu:
        free = {"launchMicros": 0, "barrierMicros": 0, "maskIoctl": {"medianMicros": 0, "worstMicros": 0}}
        number = len(list(tmp_path.glob("gpu*")))
        return EmulatedGpu(
            product,
            tmp_path / f"gpu{number}",
            kernels=(LIBRARIES / "libeclip_test_kernels.so",),
            costs={**free, **(costs or {})},
            **options,
        ).create()

    return make
