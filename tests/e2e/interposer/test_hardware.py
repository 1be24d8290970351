"""What arrives at the chip: the masks that the table asks for, and no more packets than promised."""

from collections.abc import Mapping
from typing import Any

import pytest

from eclip.documents.profile import KernelCall, KernelProfile
from eclip.gpu import masks, products
from eclip.planning import Options, Workload, make_plan
from eclip.slot import table

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


@pytest.mark.parametrize("ceiling", [0x0CCCCCCCCCCCCCCC, 0x0CCCCCCCCCCCCCCC | 0x1111], ids=["engines", "cut-engine"])
def test_under_a_ceiling_kernels_run_on_exactly_the_planned_cus(bench: Any, ceiling: int) -> None:
    """The back half of the engines, and with four CUs of another: masked streams inside it, own stream all of it."""
    steep, flat = (900.0, 450.0, 300.0, 225.0), (110.0, 106.0, 103.0, 101.0)
    model = bench.model()
    calls = [
        KernelCall(model.symbols[kernel.symbol], kernel.grid, kernel.block, steep if index % 6 < 3 else flat)
        for index, kernel in enumerate(model.kernels)
    ]
    chain = KernelProfile("chain", "MI50", 60, "Modelled", (15, 30, 45, 60), tuple(calls))
    gpu, product = products.gpu_for("MI50"), products.product("MI50")
    workers = [Workload("chain", chain, ceiling=ceiling), Workload("beside", chain)]
    plan = make_plan(gpu, product, workers, Options(hop_micros=0.0, stream_micros=0.0))
    mine, beside = plan.full.workers
    sets = {stream.compute_units: stream.cu_set for stream in mine.streams} | {ceiling.bit_count(): ceiling}
    assert len({group.compute_units for group in mine.groups} & set(sets)) > 1
    assert all(cu_set & ~ceiling == 0 for cu_set in sets.values())
    assert beside.streams[0].cu_set & ceiling in (0, 0x1111)
    value = masks.format_hsa_cu_mask({0: ceiling})

    run = bench.start("null", REQUESTS, table.encode(gpu, {"chain": chain}, plan), active=0b11, HSA_CU_MASK=value)

    trace = program(bench, run)
    assert run.client.current.models[0].mismatches == 0
    cu_sets = {mask.queue: mask.cu_set for mask in trace.masks}
    kernels = sorted((kernel for kernel in trace.kernels if not kernel.runtime), key=lambda kernel: kernel.begin)
    planned = [sets[group.compute_units] for group in mine.groups for _ in range(group.first, group.last + 1)]
    assert [cu_sets[kernel.queue] for kernel in kernels] == planned * REQUESTS
    assert [kernel.compute_units for kernel in kernels] == [cu_set.bit_count() for cu_set in planned] * REQUESTS


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
