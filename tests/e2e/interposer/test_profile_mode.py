"""Profile mode finds a program's request by itself and times its kernels at every size."""

from typing import Any

import pytest

from eclip import profile, stats
from eclip.lookup import Profiling

WAVES = {15: 15, 30: 30, 45: 45, 60: 60}
WAVE_MICROS = 20.0


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
    return -(-(-(-workgroups // engines)) // 15)


@pytest.mark.parametrize(("variant", "kind"), [("null", "Null"), ("blocking", "Blocking"), ("non-blocking", "NonBlocking")])
def test_the_request_is_found_and_its_times_are_the_chips(bench: Any, variant: str, kind: str) -> None:
    found = measured(bench, variant, 120)
    assert found.sizes == (15, 30, 45, 60)
    assert found.streams == (kind,)
    assert len(found.kernels) == 12
    assert found.kernels[0].grid == (60, 1, 1)  # where the program waits, the request begins
    for kernel in found.kernels:
        groups = kernel.grid[0] * kernel.grid[1]
        expected = [WAVE_MICROS * waves(groups, size) for size in found.sizes]
        assert kernel.micros == pytest.approx(expected, rel=0.3)


def test_a_marked_request_is_taken_as_marked(bench: Any) -> None:
    found = measured(bench, "marked-nested", 90)
    assert len(found.kernels) == 24  # two rounds of twelve in one range


def test_a_program_that_never_repeats_gets_no_profile_and_is_not_hurt(bench: Any) -> None:
    run = bench.start("null", 2, bench.profiling_table(Profiling(1, 5)), mode="profile")
    assert run.result() == bench.bare("null", 2)
    assert stats.read_profile(run.slot.profile).state == "measuring"
