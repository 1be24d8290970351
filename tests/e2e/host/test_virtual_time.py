"""`eclip run` on a chip whose time waits for its programs."""

import signal
from typing import Any

import pytest

from eclip.emulated import EmulatedGpu

KERNELS = 34
"""Of one request of alexnet."""
REQUESTS = 25


def test_reported_times_are_those_of_the_plan_however_busy_the_host(host: Any) -> None:
    gpu = EmulatedGpu("MI50", host.folder / "gpu", time_scale=16, virtual_time=True, trace=True).create()
    host.environment["ECLIP_EMULATOR"] = str(gpu.config_path)
    names = ("a", "b", "c")
    run = host.start("run", host.colocation(*map(host.serve, names), strategy="static-split"), "-o", "json")

    def launches(name: str) -> int:
        seen = host.slots().get(name)
        return max((client.current.launches for client in seen.clients), default=0) if seen else 0

    host.until(lambda: all(launches(name) > REQUESTS * KERNELS for name in names), "some requests of all")
    run.signal(signal.SIGTERM)
    (reported,) = run.report()["gpus"]

    assert reported["virtualTime"]
    assert gpu.reading().passed_over == 0
    for (worker,) in (workload["workers"] for workload in reported["workloads"]):
        assert [worker["p50Micros"], worker["p95Micros"]] == pytest.approx([worker["predictedMicros"]] * 2, rel=0.1)
