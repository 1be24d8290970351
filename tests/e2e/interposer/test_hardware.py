"""What arrives at the chip: the masks that the table asks for, and no more packets than promised."""

from collections.abc import Mapping
from typing import Any

import pytest

REQUESTS = 20


@pytest.fixture
def gpu_settings() -> Mapping[str, object]:
    return {"trace": True}


def program(bench: Any, run: Any) -> Any:
    """The hardware's trace of one run."""
    assert run.result()
    (found,) = bench.gpu.programs()
    return found


def test_kernels_run_on_the_cus_that_the_table_names_and_the_read_back_proves_it(bench: Any) -> None:
    run = bench.start("null", REQUESTS, bench.table(bench.HALVES))
    trace = program(bench, run)
    masks = {mask.queue: mask.cu_set for mask in trace.masks}
    assert set(bench.CU_SETS) <= set(masks.values())
    kernels = [kernel for kernel in trace.kernels if not kernel.runtime]
    widths = [kernel.compute_units for kernel in sorted(kernels, key=lambda kernel: kernel.begin)]
    assert widths == [15] * 4 + [30] * 4 + [60] * 2 + [45] * 2 + widths[12:]
    assert widths == widths[:12] * REQUESTS
    in_force = [stream for stream in run.client.streams if stream.in_force]
    assert {stream.asked for stream in in_force} == set(bench.CU_SETS)


def test_a_mask_is_clipped_by_the_environment_first(bench: Any) -> None:
    run = bench.start("null", REQUESTS, bench.table(bench.ONE_STREAM), HSA_CU_MASK="0:0-29")
    assert run.result()
    (stream,) = (stream for stream in run.client.streams if stream.state != "not-created")
    assert stream.asked == bench.CU_SETS[1] & ((1 << 30) - 1)
    assert run.client.current.redirected == 12 * REQUESTS


def barriers(bench: Any, run: Any) -> int:
    """Barrier packets of a run, the runtime's own included."""
    return sum(packet.kind.startswith("barrier") for packet in program(bench, run).packets)


def bare_barriers(bench: Any, variant: str) -> int:
    """The same without redirection."""
    assert bench.bare(variant, REQUESTS)
    (found,) = bench.gpu.programs()
    for trace in bench.gpu.trace_folder.iterdir():
        trace.unlink()
    return sum(packet.kind.startswith("barrier") for packet in found.packets)


def test_a_hop_on_the_null_stream_costs_our_wait_and_the_runtimes_own_marker(bench: Any) -> None:
    """HIP 5.2.3 writes a marker behind any kernel that another queue waits for, whatever event it carries."""
    before = bare_barriers(bench, "unsynchronised")
    run = bench.start("unsynchronised", REQUESTS, bench.table(((0, 5, 0), (6, 11, 1))))
    hops = 2 * REQUESTS - 1
    added = barriers(bench, run) - before
    assert run.client.current.models[0].hops == hops
    # What is left over is the end of the program and the masked streams' first use, not the hops.
    assert added <= 2 * hops + 4


def test_null_stream_kernels_that_stay_on_one_masked_stream_cost_nothing(bench: Any) -> None:
    before = bare_barriers(bench, "unsynchronised")
    run = bench.start("unsynchronised", REQUESTS, bench.table(bench.ONE_STREAM))
    assert barriers(bench, run) - before <= 4
    assert run.client.current.redirected == 12 * REQUESTS


def test_a_redirected_kernel_of_a_user_stream_costs_at_most_three_packets(bench: Any) -> None:
    before = bare_barriers(bench, "blocking")
    run = bench.start("blocking", REQUESTS, bench.table(((0, 3, 0), (4, 7, 1), (8, 11, 2))))
    added = barriers(bench, run) - before
    assert run.client.current.redirected == 12 * REQUESTS
    assert added <= 3 * 12 * REQUESTS + 4


def test_a_fork_from_a_kernel_on_the_users_own_stream_costs_one_packet_more(bench: Any) -> None:
    before = bare_barriers(bench, "blocking")
    run = bench.start("blocking", REQUESTS, bench.table(bench.EACH))
    added = barriers(bench, run) - before
    counters = run.client.current
    assert added <= 3 * counters.redirected + counters.passed["whole-gpu"] + 4
