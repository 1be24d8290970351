"""Profile mode finds a program's request by itself and times its kernels at every size."""

import itertools
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eclip.documents import profile
from eclip.slot import stats
from eclip.slot.lookup import Profiling

WAVE_MICROS = 20.0
SLOW_CHIP = {"time_scale": 8}
"""The program has launched its last kernel long before the chip has run many."""


@pytest.fixture
def gpu_settings(request: pytest.FixtureRequest) -> Mapping[str, object]:
    return getattr(request, "param", {})


def measured(bench: Any, variant: str, requests: int) -> profile.KernelProfile:
    """The profile that a program leaves."""
    run = bench.start(variant, requests, bench.profiling_table(Profiling(1, 5)), mode="profile")
    assert run.result() == bench.bare(variant, requests)
    found = stats.read_profile(run.slot.profile)
    assert found.state == "complete", f"{found.state}, {found.percent} %: {found.text}"
    return profile.parse(found.text, "the slot's profile")


def waves(workgroups: int, size: int) -> int:
    """Waves on `size` CUs dealt over whole shader engines, one workgroup a CU."""
    engines = size // 15
    an_engine = math.ceil(workgroups / engines)
    return math.ceil(an_engine / 15)


@pytest.mark.parametrize(
    ("variant", "kind"), [("null", "Null"), ("blocking", "Blocking"), ("non-blocking", "NonBlocking")]
)
def test_the_request_is_found_and_its_times_are_the_chips(bench: Any, variant: str, kind: str) -> None:
    found = measured(bench, variant, 120)
    assert found.sizes == (15, 30, 45, 60)
    assert found.streams == (kind,)
    assert len(found.kernels) == 12
    assert found.kernels[0].grid == (60, 1, 1)  # where the program waits, the request begins
    times = [
        (micros, size, kernel)
        for kernel in found.kernels
        for micros, size in zip(kernel.micros, found.sizes, strict=True)
    ]
    expected = [WAVE_MICROS * waves(kernel.grid[0] * kernel.grid[1], size) for _, size, kernel in times]
    # On a host so busy that the emulated chip falls behind the clock, a median may be off; most must not.
    right = sum(
        micros == pytest.approx(wanted, rel=0.1) for (micros, _, _), wanted in zip(times, expected, strict=True)
    )
    assert right >= 0.8 * len(times), [micros for micros, _, _ in times]


def test_a_marked_request_is_taken_as_marked(bench: Any) -> None:
    found = measured(bench, "marked-nested", 90)
    assert len(found.kernels) == 24  # two rounds of twelve in one range


@pytest.mark.parametrize("gpu_settings", [SLOW_CHIP], indirect=True)
def test_every_request_counts_however_far_the_program_runs_ahead_of_the_chip(bench: Any) -> None:
    warm_up_and_repeats = 6 * 4  # at four sizes
    to_find_the_request = 8
    found = measured(bench, "marked-nested", warm_up_and_repeats + to_find_the_request)
    assert len(found.kernels) == 24


def test_a_program_that_never_repeats_gets_no_profile_and_is_not_hurt(bench: Any) -> None:
    run = bench.start("null", 2, bench.profiling_table(Profiling(1, 5)), mode="profile")
    assert run.result() == bench.bare("null", 2)
    assert stats.read_profile(run.slot.profile).state == "measuring"


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits until `condition` holds."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


@pytest.mark.parametrize("variant", ["null", "blocking", "null-among-blocking"])
def test_a_running_program_is_profiled_when_its_table_asks_and_goes_back_to_its_plan(bench: Any, variant: str) -> None:
    requests = 1500
    run = bench.start(variant, requests, bench.table(bench.HALVES))
    until(lambda: any(client.current.redirected for client in run.clients), "the first plan is in force")
    assert stats.read_profile(run.slot.profile).state == "empty"

    run.slot.publish(bench.profiling_table(Profiling(1, 3)))
    until(lambda: stats.read_profile(run.slot.profile).state == "complete", "the profile")
    found = profile.parse(stats.read_profile(run.slot.profile).text, "the slot's profile")
    assert (found.sizes, len(found.kernels) % 12) == ((15, 30, 45, 60), 0)
    assert run.client.current.generation == 2

    run.slot.publish(bench.table(bench.EACH))
    until(lambda: run.client.current.generation == 3 and run.client.current.redirected > 0, "the last plan in force")
    assert run.process.poll() is None
    assert run.result() == bench.bare(variant, requests)


@pytest.mark.parametrize("variant", ["null", "threads-on-streams", "threads-share-a-stream", "null-among-blocking"])
def test_profiling_that_comes_and_goes_under_load_changes_no_result(bench: Any, variant: str) -> None:
    requests = 60
    tables = itertools.cycle(
        [bench.profiling_table(Profiling(1, 3)), bench.table(bench.EACH), bench.table(bench.HALVES)]
    )
    run = bench.start(variant, requests, bench.table(bench.HALVES))
    while run.process.poll() is None:
        run.slot.publish(next(tables))
        time.sleep(0.01)
    assert run.result() == bench.bare(variant, requests)
    assert run.client.current.generation > 1
