"""A mate takes over what an idle neighbour leaves, and gives it back: by the chip's own times."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

SCALE = 16
SECOND = 1e6 / SCALE
"""A second of the wall clock, in GPU microseconds."""
KERNELS = 12
PATIENCE_SECONDS = 120


@pytest.fixture
def gpu_settings() -> Mapping[str, object]:
    return {"trace": True, "time_scale": SCALE}


def requests_of(bench: Any, pid: int) -> list[list[Any]]:
    """The kernels of every whole request of one program, as the chip ran them so far."""
    (program,) = (program for program in bench.gpu.programs() if program.pid == pid)
    kernels = sorted((kernel for kernel in program.kernels if not kernel.runtime), key=lambda kernel: kernel.begin)
    whole = len(kernels) // KERNELS * KERNELS
    return [kernels[at : at + KERNELS] for at in range(0, whole, KERNELS)]


def micros(request: list[Any]) -> float:
    """What its kernels took."""
    return sum(kernel.end - kernel.begin for kernel in request)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


def test_within_a_second_a_mate_is_as_fast_as_alone_and_back_when_its_neighbour_returns(bench: Any) -> None:
    table = bench.table(bench.ONE_STREAM, variants={0b01: [bench.WHOLE_GPU]})
    run = bench.start("null", 1_000_000, table, active=0b01)
    pid = run.process.pid

    def now() -> float:
        return float(bench.gpu.reading().micros)

    def served_since(moment: float, count: int) -> list[list[Any]]:
        """Requests that began after that moment, once there are so many."""
        found: list[list[Any]] = []

        def enough() -> bool:
            found[:] = [request for request in requests_of(bench, pid) if request[0].begin > moment]
            return len(found) >= count

        until(enough)
        return found

    until(lambda: bool(bench.gpu.programs()) and now() > 0 and run.clients != ())
    solo = min(micros(request) for request in served_since(now(), 5))

    neighbour = bench.start("null", 1_000_000, bench.table(((0, 11, 2),)))
    until(lambda: neighbour.clients != () and neighbour.client.current.redirected > KERNELS)
    run.slot.set_active(0b11)
    shared = served_since(now() + SECOND, 5)
    assert {kernel.compute_units for request in shared for kernel in request} == {30}
    assert min(micros(request) for request in shared) > 1.2 * solo

    neighbour.process.kill()
    neighbour.process.communicate()
    run.slot.set_active(0b01)
    alone = served_since(now() + SECOND, 5)
    assert {kernel.compute_units for request in alone for kernel in request} == {60}
    assert all(micros(request) == pytest.approx(solo, rel=0.05) for request in alone)

    neighbour = bench.start("null", 1_000_000, bench.table(((0, 11, 2),)))
    until(lambda: neighbour.clients != () and neighbour.client.current.redirected > KERNELS)
    run.slot.set_active(0b11)
    back = served_since(now() + SECOND, 5)
    assert {kernel.compute_units for request in back for kernel in request} == {30}
