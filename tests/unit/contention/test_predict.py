"""Predictions from profiles: what kernels demand, which packets stand between them, and how near the truth it comes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip import contention, layout
from eclip.contention import Chip, Loop, Shape, Step, predict
from eclip.contention.demand import Demand, Spread, infer
from eclip.contention.predict import PlannedWorker
from eclip.documents.profile import KernelCall, KernelProfile, StreamKind
from eclip.errors import InputError
from eclip.gpu import products
from eclip.plan import Group, Stream

GPU, ROW = products.gpu_for("MI50"), products.product("MI50")
CHIP = Chip.of(GPU, ROW)
SIZES = (15, 30, 45, 60)
SPREADS = tuple(Spread(size, size // 15, 15) for size in SIZES)
LAYOUTS = {count: layout.layout(GPU, ROW, [SIZES[:3]] * count) for count in (1, 2, 3)}


def call_of(shape: Shape) -> KernelCall:
    """A kernel with its own times, on an idle chip."""
    masks = [*(stream.cu_set for stream in LAYOUTS[1][0]), CHIP.whole]
    times = tuple(contention.load_of(CHIP, shape, mask).solo_micros for mask in masks)
    return KernelCall("k", (int(shape.workgroups), 1, 1), (256, 1, 1), times)


def profile_of(calls: Sequence[KernelCall], streams: tuple[StreamKind, ...] = ("Null",)) -> KernelProfile:
    return KernelProfile("m", "MI50", 60, "Modelled", SIZES, tuple(calls), streams)


def groups_of(sizes: Sequence[int]) -> tuple[Group, ...]:
    groups, first = [], 0
    for size, run in groupby(sizes):
        last = first + len(list(run)) - 1
        groups.append(Group(first, last, size))
        first = last + 1
    return tuple(groups)


def worker_of(profile: KernelProfile, sizes: Sequence[int], streams: Sequence[Stream] = LAYOUTS[1][0]) -> PlannedWorker:
    return PlannedWorker(profile, groups_of(sizes), tuple(streams))


shapes = st.builds(
    Shape,
    workgroups=st.integers(1, 5000).map(float),
    workgroups_per_cu=st.sampled_from([1.0, 2.0, 4.0, 8.0]),
    wave_micros=st.floats(1.5, 30.0),
    bytes=st.just(0.0),
)


@given(shapes)
def test_cu_time_is_recovered_from_times_and_grid_or_overestimated(shape: Shape) -> None:
    call = call_of(shape)
    true = shape.workgroups / shape.workgroups_per_cu * shape.wave_micros
    demand = infer(call, SPREADS)
    assert demand.cu_micros >= true * 0.94
    assert demand.cu_micros <= min(size * micros for size, micros in zip(SIZES, call.micros, strict=True)) * 1.001
    assert demand.memory_micros == 0


@given(shapes, st.floats(1e-3, 1e4))
def test_no_more_cus_are_busy_than_the_kernel_has_or_fills(shape: Shape, micros: float) -> None:
    demand = infer(call_of(shape), SPREADS)
    assert all(demand.busy_cus(size, micros) <= min(size, shape.workgroups) for size in SIZES)


def test_a_curve_that_flattens_although_workgroups_wait_is_limited_by_memory() -> None:
    shape = Shape(4000, 8, 1.5, 1024e3 * 80)
    demand = infer(call_of(shape), SPREADS)
    assert demand.memory_micros == pytest.approx(80.0)
    assert demand.busy_cus(60, 80.0) <= 20


def test_a_curve_that_flattens_because_one_wave_suffices_says_nothing_of_memory() -> None:
    assert infer(call_of(Shape(40, 8, 12.0, 0.0)), SPREADS) == Demand(pytest.approx(40 / 3 * 12.0), 0.0, 40)


def test_times_that_no_reading_explains_mean_full_use_where_the_kernel_uses_cus_best() -> None:
    odd = KernelCall("k", (10_000, 1, 1), (256, 1, 1), (100.0, 140.0, 95.0, 90.0))
    assert infer(odd, SPREADS) == Demand(1500.0, 0.0, 10_000)
    flat = replace(odd, micros=(100.0, 120.0, 90.0, 90.0))
    assert infer(flat, SPREADS).memory_micros == 90.0


LONG = call_of(Shape(60, 1, 100.0, 0.0))


def test_workers_on_the_whole_gpu_take_each_others_cus() -> None:
    worker = worker_of(profile_of([LONG]), [60])
    assert predict.predict(GPU, ROW, [worker]) == pytest.approx((100 + ROW.launch_micros,))
    assert predict.predict(GPU, ROW, [worker, worker]) == pytest.approx((200.0, 200.0), rel=0.01)


def test_workers_on_their_own_halves_take_the_profiled_time() -> None:
    workers = [worker_of(profile_of([LONG]), [30], streams) for streams in LAYOUTS[2]]
    assert predict.predict(GPU, ROW, workers) == pytest.approx((200 + ROW.launch_micros,) * 2)


@pytest.mark.parametrize(
    ("streams", "sizes", "barriers"),
    [
        (("Null",), [15, 15, 15, 15], 0),
        ((), [15, 30, 30, 15], 2 * predict.HOP_BARRIERS),
        (("Null",), [60, 15, 15, 60], 2 * predict.OWN_STREAM_BARRIERS),
        (("Null",), [60, 60, 60, 60], 0),
        (("Blocking",), [60, 60, 60, 60], 0),
        (("Blocking",), [15, 15, 15, 15], 4 * (predict.FORK_BARRIERS + predict.JOIN_BARRIERS)),
        (("NonBlocking",), [60, 15, 15, 60], 2 * (predict.FORK_BARRIERS + predict.JOIN_BARRIERS)),
        (("Null", "Blocking"), [15, 60, 60, 60], predict.FORK_BARRIERS + predict.JOIN_BARRIERS),
    ],
)
def test_a_request_pays_the_packets_that_the_interposer_and_the_runtime_write(
    streams: tuple[StreamKind, ...], sizes: list[int], barriers: int
) -> None:
    row = replace(ROW, barrier_micros=3.0)
    profile = profile_of([LONG] * 4, streams)
    solo = sum(LONG.micros[SIZES.index(size)] for size in sizes)
    expected = solo + 4 * row.launch_micros + barriers * 3.0
    assert predict.predict(GPU, row, [worker_of(profile, sizes)]) == pytest.approx((expected,))


def test_further_streams_in_use_cost_everybody() -> None:
    row = replace(ROW, stream_micros=2.0)
    mate = worker_of(profile_of([LONG]), [15], LAYOUTS[2][1])
    lean = worker_of(profile_of([LONG] * 2), [15, 15], LAYOUTS[2][0])
    wide = worker_of(profile_of([LONG] * 2), [15, 30], LAYOUTS[2][0])
    before, after = (predict.predict(GPU, row, [worker, mate])[1] for worker in (lean, wide))
    assert after - before == pytest.approx(2.0)


def test_the_host_between_requests_is_added_where_it_is_known() -> None:
    worker = worker_of(profile_of([LONG]), [60])
    quick, slow = (predict.forecast(GPU, ROW, [replace(worker, request_gap_micros=gap)]) for gap in (0.0, 50.0))
    assert slow.period_micros[0] - quick.period_micros[0] == pytest.approx(50.0)
    assert slow.watts < quick.watts


def test_measured_times_hold_the_front_ends_time_which_counts_once() -> None:
    calls = [call_of(Shape(40, 8, 12.0, 0.0)), call_of(Shape(500, 1, 1.5, 0.0))]
    times = [tuple(micros + ROW.launch_micros for micros in call.micros) for call in calls]
    seen = [replace(call, micros=micros) for call, micros in zip(calls, times, strict=True)]
    modelled, measured = profile_of(calls), replace(profile_of(seen), origin="Measured")
    told = predict.predict(GPU, ROW, [worker_of(modelled, [60, 60])])
    assert predict.predict(GPU, ROW, [worker_of(measured, [60, 60])]) == pytest.approx(told)
    assert told[0] == pytest.approx(measured.solo_micros)


def test_plans_that_do_not_fit_the_profile_are_refused() -> None:
    profile = profile_of([LONG] * 3)
    with pytest.raises(InputError, match="groups cover 2 kernels, the profile has 3"):
        predict.predict(GPU, ROW, [worker_of(profile, [60, 60])])
    with pytest.raises(InputError, match=r"a group wants 20 CUs, but streams exist for \[15, 30, 45, 60\]"):
        predict.predict(GPU, ROW, [worker_of(profile, [60, 20, 60])])
    odd = [Stream(20, LAYOUTS[1][0][1].cu_set)]
    with pytest.raises(InputError, match=r"size 20 was not profiled; profiled are \[15, 30, 45, 60\]"):
        predict.predict(GPU, ROW, [worker_of(profile, [60, 20, 60], odd)])


def random_shape(random: Random) -> Shape:
    """Tiles of matrix products (one a CU), vector kernels (eight), some of them held back by memory."""
    workgroups = float(int(10 ** random.uniform(0.5, 3.5)))
    if random.random() < 0.5:
        return Shape(workgroups, 1, random.uniform(5, 60), 1e6 * random.uniform(0, 10))
    return Shape(workgroups, 8, random.uniform(1.5, 6), workgroups * 1024 * random.choice([4, 8, 12]))


def truth(all_shapes: Sequence[Sequence[Shape]], sizes: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """The closed loop with the kernels' real demands, which a profile does not show."""
    loops = []
    for index, (mine, own) in enumerate(zip(all_shapes, sizes, strict=True)):
        streams = {stream.compute_units: stream.cu_set for stream in LAYOUTS[len(sizes)][index]} | {60: CHIP.whole}
        loads = [contention.load_of(CHIP, shape, streams[size]) for shape, size in zip(mine, own, strict=True)]
        hops = [2 * ROW.barrier_micros if at and own[at] != own[at - 1] else 0.0 for at in range(len(own))]
        steps = tuple(Step(load, SIZES.index(size), hop) for load, size, hop in zip(loads, own, hops, strict=True))
        solo = sum(load.solo_micros for load in loads)
        loops.append(Loop(steps, start_micros=index / len(sizes) * solo))
    return contention.closed_loop(CHIP, loops, predict.REQUESTS).period_micros


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("how", ["whole-gpu", "static-split", "per-kernel", "any"])
def test_profiles_with_two_percent_of_noise_predict_contention_within_ten_percent(seed: int, how: str) -> None:
    random = Random(seed)
    all_shapes = [[random_shape(random) for _ in range(60)] for _ in range(random.choice([2, 3]))]
    workers, sizes = [], []
    for index, mine in enumerate(all_shapes):
        calls = [call_of(shape) for shape in mine]
        noisy = [
            replace(call, micros=tuple(micros * random.uniform(0.98, 1.02) for micros in call.micros)) for call in calls
        ]
        own = {
            "whole-gpu": [60] * 60,
            "static-split": [30] * 60,
            "per-kernel": list(profile_of(calls).thresholds()),
            "any": [random.choice(SIZES) for _ in calls],
        }[how]
        sizes.append(own)
        workers.append(worker_of(profile_of(noisy), own, LAYOUTS[len(all_shapes)][index]))
    assert predict.predict(GPU, ROW, workers) == pytest.approx(truth(all_shapes, sizes), rel=0.1)
