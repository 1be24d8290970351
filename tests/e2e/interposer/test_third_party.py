"""rocRAND and rocSPARSE, as the distribution ships them, profiled and redirected by a table made from that profile."""

from collections.abc import Mapping
from typing import Any

import pytest

from eclip.documents import profile
from eclip.slot import stats
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, Profiling

REQUESTS = 60


@pytest.fixture
def gpu_settings() -> Mapping[str, object]:
    return {"trace": True}


def launches(bench: Any) -> list[tuple[str, tuple[int, int, int], int]]:
    """What ran on the chip since the last call, in order: name, workgroups, CUs of the queue."""
    (program,) = bench.gpu.programs()
    for trace in bench.gpu.trace_folder.iterdir():
        trace.unlink()
    kernels = sorted((kernel for kernel in program.kernels if not kernel.runtime), key=lambda kernel: kernel.begin)
    return [(kernel.name, kernel.workgroups, kernel.compute_units) for kernel in kernels]


def test_libraries_of_others_launch_the_same_kernels_in_the_same_order(bench: Any) -> None:
    expected = bench.bare("third-party", REQUESTS)
    bare = launches(bench)

    profiled = bench.start("third-party", REQUESTS, bench.profiling_table(Profiling(1, 3)), mode="profile")
    assert profiled.result() == expected
    assert [launch[:2] for launch in launches(bench)] == [launch[:2] for launch in bare]
    left = stats.read_profile(profiled.slot.profile)
    assert left.state == "complete", left.text
    found = profile.parse(left.text, "the slot's profile")
    assert len(found.kernels) == 5
    assert found.streams == ("Blocking",)

    symbols = found.symbols
    kernels = tuple(Kernel(symbols.index(call.symbol), call.grid, call.block, call.stream) for call in found.kernels)
    model = Model("libraries", symbols, found.streams, kernels, 0)
    groups = ((0, 1, 0), (2, 3, 1), (4, 4, OWN_STREAM))
    moved = bench.start("third-party", REQUESTS, bench.table(groups, models=[model]))
    assert moved.result() == expected
    redirected = launches(bench)
    assert [launch[:2] for launch in redirected] == [launch[:2] for launch in bare]
    assert {launch[2] for launch in bare} == {60}
    widths = [launch[2] for launch in redirected]
    assert (widths.count(15), widths.count(30)) == (2 * REQUESTS, 2 * REQUESTS)
    assert moved.client.current.redirected == 4 * REQUESTS
