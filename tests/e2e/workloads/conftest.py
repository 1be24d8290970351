"""The workload programs on an emulated MI50."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import eclip
from eclip.emulated import EmulatedGpu

NATIVE = Path(eclip.__file__).parent / "native"
MODELS = Path(__file__).parents[3] / "native" / "workloads" / "models"
TIMEOUT_S = 240


@dataclass(frozen=True)
class Launch:
    """One kernel launch of a request."""

    function: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]


@dataclass(frozen=True)
class Ended:
    """A program that has ended. `reports` are its lines of JSON, the last one is for the whole program."""

    status: int
    reports: tuple[dict[str, float | str], ...]
    complaints: str

    @property
    def report(self) -> dict[str, float | str]:
        return self.reports[-1]


class Running:
    """A program that serves until it is told to stop."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def end(self) -> Ended:
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        reports = tuple(json.loads(line) for line in out.splitlines() if line.startswith("{"))
        assert reports, f"no report; status {self.process.returncode}: {err}"
        return Ended(self.process.returncode, reports, err)

    def stop(self) -> Ended:
        self.process.send_signal(signal.SIGTERM)
        return self.end()


class Workloads:
    """Starts workload programs on one emulated GPU."""

    def __init__(self, gpu: EmulatedGpu) -> None:
        self.gpu = gpu
        self.started: list[subprocess.Popen[str]] = []

    def start(self, program: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Running:
        process = subprocess.Popen(
            [str(NATIVE / "workloads" / program), *arguments],
            env={**os.environ, **self.gpu.environment(), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return Running(process)

    def run(self, program: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        return self.start(program, *arguments, environment=environment).end()

    def reference(self, program: str, requests: int) -> str:
        """The checksum of a program's first requests, computed on the host."""
        return str(self.run(program, "--requests", str(requests), "--reference").report["checksum"])

    def launches(self, program: str) -> list[Launch]:
        """One request's launches, by the program itself."""
        listing = subprocess.run(
            [str(NATIVE / "workloads" / program), "--list"], capture_output=True, text=True, check=True
        )
        rows = (line.split(",") for line in listing.stdout.splitlines()[1:])
        return [Launch(row[0], (int(row[1]), int(row[2]), int(row[3])), (int(row[4]), 1, 1)) for row in rows]

    def assert_right(self, ended: Ended) -> None:
        """Every request's result is that of an undisturbed run, by the program and by the reference."""
        assert ended.status == 0, ended.complaints
        single = ended.reports[:-1] or ended.reports
        for report in single:
            assert report["checksumMismatches"] == 0
            assert report["checksum"] == self.reference(str(report["model"]), int(report["requests"]))


@pytest.fixture
def workloads(tmp_path: Path):
    made = Workloads(EmulatedGpu("MI50", tmp_path / "gpu", trace=True).create())
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def models():
    """The modules of native/workloads/models, which are scripts beside each other."""
    sys.path.insert(0, str(MODELS))
    try:
        import generate  # noqa: PLC0415
        import profiles  # noqa: PLC0415

        yield {"generate": generate, "profiles": profiles}
    finally:
        sys.path.remove(str(MODELS))
