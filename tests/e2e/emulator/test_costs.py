"""What the chip's parameters cost, read from its trace and its meters."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from eclip.emulated import EmulatedGpu

MakeGpu = Callable[..., EmulatedGpu]


def spins(gpu: EmulatedGpu) -> list[tuple[float, float]]:
    """Begin and end of the one program's test kernels, in order."""
    (program,) = gpu.programs()
    return sorted((kernel.begin, kernel.end) for kernel in program.kernels if kernel.name == "test_spin")


def test_the_front_end_takes_its_time_for_every_dispatch(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"launchMicros": 3.5}, trace=True)
    programs.run(gpu, "ext_launch")
    programs.run(gpu, "four_queues")
    chains: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for program in gpu.programs():
        for kernel in program.kernels:
            if kernel.name == "test_spin":
                chains.setdefault((program.pid, kernel.queue), []).append((kernel.begin, kernel.end))
    gaps = [after[0] - before[1] for chain in chains.values() for before, after in itertools.pairwise(sorted(chain))]
    assert len(gaps) >= 36
    assert sum(gap == pytest.approx(3.5, abs=1e-3) for gap in gaps) >= 36


def test_barrier_packets_take_their_time(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"barrierMicros": 40}, trace=True)
    programs.run(gpu, "cross_stream_wait")
    (program,) = gpu.programs()
    barriers = [packet for packet in program.packets if packet.kind == "barrier_and"]
    assert len(barriers) > 20
    assert all(barrier.end - barrier.begin >= 40 - 1e-3 for barrier in barriers)


def test_further_queues_in_use_cost_every_dispatch(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"streamMicros": 11}, trace=True, virtual_time=True)
    programs.run(gpu, "four_queues")
    (program,) = gpu.programs()
    chain = sorted((k.begin, k.end) for k in program.kernels if k.name == "test_spin" and k.compute_units == 15)
    gaps = {round(after[0] - before[1], 3) for before, after in itertools.pairwise(chain)}
    # Four chains, the gate's queue, and at first the runtime's own: four or five beyond the process's first one.
    assert {44.0, 55.0} & gaps


def test_more_busy_queues_than_slots_take_turns(make_gpu: MakeGpu, programs: Any) -> None:
    enough, short = make_gpu(), make_gpu(costs={"queueSlots": 2, "quantumMicros": 500})
    side_by_side = float(programs.run(enough, "four_queues").split()[0])
    by_turns = float(programs.run(short, "four_queues").split()[0])
    assert side_by_side == pytest.approx(40_000, rel=0.01)
    assert by_turns == pytest.approx(80_000, rel=0.03)
    assert enough.reading().rotations == 0
    assert short.reading().rotations > 100


def test_ten_masked_streams_are_slower_where_there_are_eight_slots(make_gpu: MakeGpu, programs: Any) -> None:
    """The second observation of the ECLIP paper, with its explanation."""
    plenty, paper = make_gpu("MI50"), make_gpu("mi50-paper")
    side_by_side = float(programs.run(plenty, "ten_queues").split()[0])
    by_turns = float(programs.run(paper, "ten_queues").split()[0])
    assert plenty.reading().rotations == 0
    assert paper.reading().rotations > 0
    assert by_turns > 1.1 * side_by_side


def test_setting_a_mask_stops_what_runs_on_the_chip(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"maskIoctl": {"medianMicros": 30_000, "worstMicros": 30_000}}, trace=True)
    programs.run(gpu, "mask_call_beside_a_kernel")
    ((begin, end),) = spins(gpu)
    assert end - begin == pytest.approx(430_000, rel=0.001)
    assert gpu.reading().mask_calls == 1


def test_energy_is_idle_power_and_busy_cus(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"idleWatts": 20, "cuWatts": 4, "byteMicrojoules": 0})
    programs.run(gpu, "sharing")
    reading = gpu.reading()
    assert reading.joules == pytest.approx((20 * reading.micros + 4 * reading.busy_cu_micros) / 1e6, rel=0.001)
    # Three rounds of 20 + 40 + 40 + 40 kernels of 60 CUs times 500 us, and of two chains of 5 kernels.
    assert reading.busy_cu_micros == pytest.approx(3 * 150 * 60 * 500, rel=0.01)


def test_a_profile_is_the_same_at_every_time_scale(make_gpu: MakeGpu, programs: Any) -> None:
    profiles = [
        [float(line.split()[-1]) for line in programs.run(make_gpu(time_scale=n), "profile").splitlines()[:-1]]
        for n in (1, 4, 16)
    ]
    assert len(profiles[0]) == 12
    for profile in profiles[1:]:
        assert profile == pytest.approx(profiles[0], rel=0.05)


def test_packets_are_counted_by_type(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(trace=True)
    programs.run(gpu, "event_ordered_log")
    packets = gpu.reading().packets
    (program,) = gpu.programs()
    assert packets.dispatch == 3
    assert packets.blit == sum(kernel.runtime for kernel in program.kernels) > 0
    assert packets.barrier_and == sum(packet.kind == "barrier_and" for packet in program.packets) >= 4
    before = packets
    programs.run(gpu, "event_ordered_log")
    assert (gpu.reading().packets - before).dispatch == 3
