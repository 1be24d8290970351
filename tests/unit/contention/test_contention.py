"""The fluid model of native/contention against its definition, written here a second time, one CU set at a time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip import contention
from eclip.contention import Chip, Fluid, Load, Loop, Shape, Step, abi
from eclip.errors import EclipError, InputError
from eclip.gpu import products

BANDWIDTH = 1000.0


def chip_of(engines: Sequence[int]) -> Chip:
    """A chip whose bit b is on shader engine engines[b]."""
    return Chip(
        engine_of=tuple(engines),
        bytes_per_micro=BANDWIDTH,
        cu_bytes_per_micro=200.0,
        launch_micros=1.0,
        barrier_micros=0.5,
        stream_micros=0.25,
        queue_slots=24,
        quantum_micros=1000.0,
        idle_watts=20.0,
        cu_watts=4.0,
        byte_microjoules=0.01,
    )


MI50 = Chip.of(products.gpu_for("MI50"), products.product("MI50"))
ENGINES = tuple(sum(1 << bit for bit, at in enumerate(MI50.engine_of) if at == engine) for engine in range(4))


@dataclass
class Kernel:
    need: dict[int, float]
    """CUs at full speed, by engine."""
    memory: float
    speed: float = 0.0
    growing: bool = True


Classes = dict[tuple[int, frozenset[int]], list[int]]


def classes_of(chip: Chip, loads: Sequence[Load]) -> Classes:
    classes: Classes = {}
    for cu, engine in enumerate(chip.engine_of):
        users = frozenset(i for i, load in enumerate(loads) if load.cu_set >> cu & 1)
        classes.setdefault((engine, users), []).append(cu)
    return classes


def kernel_of(chip: Chip, load: Load) -> Kernel:
    on_engine: dict[int, int] = {}
    for cu, engine in enumerate(chip.engine_of):
        if load.cu_set >> cu & 1:
            on_engine[engine] = on_engine.get(engine, 0) + 1
    need = min(load.busy_cus / len(on_engine), *on_engine.values())
    return Kernel(dict.fromkeys(on_engine, need), min(1.0, load.bytes_per_micro / chip.bytes_per_micro))


def max_min(left: float, claims: dict[int, float]) -> dict[int, float]:
    """Offers: in order of the claims, each gets the smaller of his claim and an equal part of what is left then."""
    offers = {}
    for rank, who in enumerate(sorted(claims, key=claims.__getitem__)):
        offers[who] = min(claims[who], left / (len(claims) - rank))
        left -= offers[who]
    return offers


def speeds_by_definition(chip: Chip, loads: Sequence[Load]) -> list[float]:
    kernels = [kernel_of(chip, load) for load in loads]
    classes = classes_of(chip, loads)
    left = dict.fromkeys(classes, 1.0)
    memory_left = 1.0
    for _ in range(100):
        growing = [i for i, kernel in enumerate(kernels) if kernel.growing]
        if not growing:
            break
        offers = {
            key: max_min(
                left[key],
                {i: (1 - kernels[i].speed) * kernels[i].need[key[0]] / len(cus) for i in growing if i in key[1]},
            )
            for key, cus in classes.items()
        }
        memory = max_min(
            memory_left, {i: (1 - kernels[i].speed) * kernels[i].memory for i in growing if kernels[i].memory > 0}
        )
        for i in growing:
            kernel = kernels[i]
            bounds = [1 - kernel.speed]
            for engine, need in kernel.need.items():
                mine = [key for key in classes if key[0] == engine and i in key[1]]
                bounds.append(sum(len(classes[key]) * offers[key][i] for key in mine) / need)
            if i in memory:
                bounds.append(memory[i] / kernel.memory)
            growth = min(bounds)
            kernel.growing = growth > 1e-9
            if not kernel.growing:
                continue
            for engine, need in kernel.need.items():
                mine = [key for key in classes if key[0] == engine and i in key[1]]
                take(growth * need, {key: offers[key][i] for key in mine}, classes, left)
            memory_left = max(0.0, memory_left - growth * kernel.memory)
            kernel.speed += growth
            if kernel.speed >= 1 - 1e-9:
                kernel.speed, kernel.growing = 1.0, False
    return [kernel.speed for kernel in kernels]


def take(
    cus: float,
    offers: dict[tuple[int, frozenset[int]], float],
    classes: Classes,
    left: dict[tuple[int, frozenset[int]], float],
) -> None:
    while cus > 0 and any(offer > 0 for offer in offers.values()):
        best = max(offers.values())
        tied = [key for key, offer in offers.items() if offer >= best * (1 - 1e-9)]
        amount = sum(len(classes[key]) * offers[key] for key in tied)
        part = min(1.0, cus / amount)
        for key in tied:
            left[key] = max(0.0, left[key] - part * offers.pop(key))
        cus -= amount


@st.composite
def scenes(draw: st.DrawFn, most_kernels: int = 5) -> tuple[Chip, list[Load]]:
    """A small chip and kernels on it, with masks of any kind."""
    engines = draw(st.lists(st.integers(0, 2), min_size=1, max_size=9))
    chip = chip_of(engines)
    loads = []
    for _ in range(draw(st.integers(1, most_kernels))):
        cu_set = draw(st.integers(1, chip.whole))
        busy = draw(st.floats(0.05, 1.0)) * cu_set.bit_count()
        memory = draw(st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.9, 1.0]))
        loads.append(Load(cu_set, draw(st.floats(0.5, 50)), busy, memory * BANDWIDTH))
    return chip, loads


def started(chip: Chip, loads: Sequence[Load]) -> tuple[Fluid, list[float]]:
    fluid = Fluid(chip)
    ids = [fluid.start(load) for load in loads]
    speeds = fluid.speeds
    return fluid, [speeds[kernel] for kernel in ids]


def finishes(chip: Chip, loads: Sequence[Load], now: float = 0.0) -> dict[int, float]:
    """When each load is done, counted from the common start."""
    fluid = Fluid(chip, now)
    index_of = {fluid.start(load): index for index, load in enumerate(loads)}
    times = {}
    while (kernel := fluid.advance()) is not None:
        times[index_of[kernel]] = fluid.now - now
    return times


@given(scenes())
def test_speeds_are_those_of_the_definition(scene: tuple[Chip, list[Load]]) -> None:
    chip, loads = scene
    _, speeds = started(chip, loads)
    assert speeds == pytest.approx(speeds_by_definition(chip, loads), abs=1e-6)


@given(scenes())
def test_no_cu_and_no_bandwidth_is_given_away_twice(scene: tuple[Chip, list[Load]]) -> None:
    chip, loads = scene
    fluid, speeds = started(chip, loads)
    busy = fluid.busy()
    assert all(-1e-9 <= part <= 1 + 1e-9 for part in busy)
    kernels = [kernel_of(chip, load) for load in loads]
    used = sum(speed * sum(kernel.need.values()) for speed, kernel in zip(speeds, kernels, strict=True))
    assert sum(busy) == pytest.approx(used, abs=1e-6)
    assert sum(speed * kernel.memory for speed, kernel in zip(speeds, kernels, strict=True)) <= 1 + 1e-9


@given(scenes())
def test_a_slowed_kernel_has_a_full_engine_or_full_bandwidth(scene: tuple[Chip, list[Load]]) -> None:
    chip, loads = scene
    fluid, speeds = started(chip, loads)
    busy = fluid.busy()
    kernels = [kernel_of(chip, load) for load in loads]
    memory = sum(speed * kernel.memory for speed, kernel in zip(speeds, kernels, strict=True))
    for load, kernel, speed in zip(loads, kernels, speeds, strict=True):
        engines = {
            engine: [busy[cu] for cu, at in enumerate(chip.engine_of) if at == engine and load.cu_set >> cu & 1]
            for engine in kernel.need
        }
        full_engine = any(min(parts) >= 1 - 1e-3 for parts in engines.values())
        full_memory = kernel.memory > 0 and memory >= 1 - 1e-3
        assert speed == pytest.approx(1) or full_engine or full_memory


@given(scenes())
def test_nobody_gets_less_than_an_equal_part_of_his_cus_and_of_bandwidth(scene: tuple[Chip, list[Load]]) -> None:
    chip, loads = scene
    _, speeds = started(chip, loads)
    users = [sum(load.cu_set >> cu & 1 for load in loads) for cu in range(chip.compute_units)]
    for load, speed in zip(loads, speeds, strict=True):
        kernel = kernel_of(chip, load)
        parts = [1.0]
        for engine, need in kernel.need.items():
            mine = [cu for cu, at in enumerate(chip.engine_of) if at == engine and load.cu_set >> cu & 1]
            parts.append(sum(1 / users[cu] for cu in mine) / need)
        if kernel.memory:
            parts.append(1 / sum(other.bytes_per_micro > 0 for other in loads) / kernel.memory)
        assert speed >= min(parts) - 1e-9


@given(scenes(), st.randoms())
def test_the_order_of_the_kernels_does_not_matter(scene: tuple[Chip, list[Load]], random: Random) -> None:
    chip, loads = scene
    order = list(range(len(loads)))
    random.shuffle(order)
    _, speeds = started(chip, loads)
    _, shuffled = started(chip, [loads[index] for index in order])
    assert shuffled == pytest.approx([speeds[index] for index in order], abs=1e-6)


@given(scenes(), st.floats(0, 1e6))
def test_the_time_of_day_does_not_matter(scene: tuple[Chip, list[Load]], now: float) -> None:
    chip, loads = scene
    assert finishes(chip, loads, now) == pytest.approx(finishes(chip, loads), rel=1e-6, abs=1e-6)


@given(scenes(most_kernels=1))
def test_a_kernel_alone_takes_its_solo_time(scene: tuple[Chip, list[Load]]) -> None:
    chip, loads = scene
    assert finishes(chip, loads) == pytest.approx({0: loads[0].solo_micros})


@given(scenes(most_kernels=1), st.integers(2, 6))
def test_equal_kernels_that_fill_their_cus_share_them_equally(scene: tuple[Chip, list[Load]], count: int) -> None:
    chip, (load,) = scene
    full = replace(load, busy_cus=float(load.cu_set.bit_count()), bytes_per_micro=0.0)
    kernel = kernel_of(chip, full)
    smallest = min(
        sum(at == engine and load.cu_set >> cu & 1 for cu, at in enumerate(chip.engine_of)) for engine in kernel.need
    )
    crowd = finishes(chip, [full] * count)
    assert max(crowd.values()) == pytest.approx(load.solo_micros * count)
    assert kernel.need == dict.fromkeys(kernel.need, smallest)


def test_two_kernels_on_the_same_cus_take_twice_the_time_and_on_disjoint_ones_their_own() -> None:
    whole = Load(MI50.whole, 100.0, 60.0, 0.0)
    assert finishes(MI50, [whole, whole]) == pytest.approx({0: 200.0, 1: 200.0})
    half, other = (Load(ENGINES[0] | ENGINES[1], 100.0, 30.0, 0.0), Load(ENGINES[2] | ENGINES[3], 70.0, 30.0, 0.0))
    assert finishes(MI50, [half, other]) == pytest.approx({0: 100.0, 1: 70.0})


def test_disjoint_kernels_still_share_bandwidth() -> None:
    left = Load(ENGINES[0], 100.0, 5.0, MI50.bytes_per_micro)
    right = Load(ENGINES[1], 100.0, 5.0, MI50.bytes_per_micro)
    assert finishes(MI50, [left, right]) == pytest.approx({0: 200.0, 1: 200.0})


def test_what_a_narrow_kernel_cannot_use_goes_to_the_wide_one() -> None:
    _, speeds = started(MI50, [Load(MI50.whole, 100.0, 20.0, 0.0), Load(MI50.whole, 100.0, 60.0, 0.0)])
    assert speeds == pytest.approx([1.0, 2 / 3])


def test_the_slowest_engine_sets_the_speed_and_leaves_the_others_to_those_who_can_use_them() -> None:
    everywhere = Load(MI50.whole, 100.0, 60.0, 0.0)
    _, speeds = started(MI50, [everywhere, Load(ENGINES[0], 100.0, 15.0, 0.0), Load(ENGINES[1], 100.0, 15.0, 0.0),
                               Load(ENGINES[1], 100.0, 15.0, 0.0)])  # fmt: skip
    assert speeds == pytest.approx([1 / 3, 2 / 3, 1 / 3, 1 / 3])


def test_a_small_kernel_makes_way_on_contested_cus_when_it_has_others() -> None:
    chip = chip_of([0] * 8)
    wide, narrow = Load(0xFF, 10.0, 4.0, 0.0), Load(0x0F, 10.0, 4.0, 0.0)
    _, speeds = started(chip, [wide, narrow])
    assert speeds == pytest.approx([1.0, 1.0])


def test_the_smallest_engine_of_a_mask_decides_the_solo_time() -> None:
    fifteen = contention.load_of(MI50, Shape(60, 1, 10.0, 0.0), ENGINES[0])
    uneven = contention.load_of(MI50, Shape(60, 1, 10.0, 0.0), ENGINES[0] | ENGINES[1] & -ENGINES[1])
    assert fifteen.solo_micros == pytest.approx(40.0)
    assert uneven.solo_micros == pytest.approx(300.0)  # 16 CUs, but one of them has half of the work
    assert uneven.busy_cus == pytest.approx(2.0)


def test_the_last_wave_leaves_cus_idle() -> None:
    load = contention.load_of(MI50, Shape(90, 1, 10.0, 0.0), MI50.whole)
    assert (load.solo_micros, load.busy_cus) == pytest.approx((20.0, 45.0))


def test_memory_limits_a_kernel_on_the_chip_and_on_few_cus() -> None:
    whole = contention.load_of(MI50, Shape(600, 10, 1.0, 1024e3 * 50), MI50.whole)
    assert whole.solo_micros == pytest.approx(50.0)
    assert whole.bytes_per_micro == pytest.approx(MI50.bytes_per_micro)
    assert whole.busy_cus == pytest.approx(MI50.bytes_per_micro / MI50.cu_bytes_per_micro)
    four = contention.load_of(MI50, Shape(600, 10, 1.0, 1024e3 * 50), 0b1111)
    assert four.solo_micros == pytest.approx(1024e3 * 50 / (4 * MI50.cu_bytes_per_micro))
    assert four.busy_cus == pytest.approx(4.0)


def test_a_mask_without_a_cu_of_the_chip_means_all_of_them() -> None:
    chip = chip_of([0, 1])
    load = Load(1 << 5, 10.0, 2.0, 0.0)
    _, speeds = started(chip, [load, load])
    assert speeds == pytest.approx([0.5, 0.5])


def test_a_kernel_that_goes_away_leaves_its_cus_to_the_others() -> None:
    fluid = Fluid(MI50)
    stays, goes = (fluid.start(Load(MI50.whole, 100.0, 60.0, 0.0)) for _ in range(2))
    assert fluid.advance(50.0) is None
    fluid.remove(goes)
    fluid.remove(goes)
    assert fluid.speeds == pytest.approx({stays: 1.0})
    assert fluid.advance() == stays
    assert fluid.now == pytest.approx(125.0)


def test_energy_is_idle_power_busy_cus_and_bytes() -> None:
    chip = chip_of([0, 0, 1, 1])
    fluid = Fluid(chip)
    fluid.start(Load(0b1111, 100.0, 2.0, 500.0))
    assert fluid.advance(300.0) is not None
    assert fluid.advance(300.0) is None
    assert fluid.microjoules == pytest.approx(20.0 * 300 + (4.0 * 2 + 0.01 * 500) * 100)


def test_a_full_chip_says_so() -> None:
    fluid = Fluid(MI50)
    for _ in range(abi.MAX_RUNNING):
        fluid.start(Load(MI50.whole, 100.0, 60.0, 0.0))
    with pytest.raises(InputError, match="256 kernels"):
        fluid.start(Load(MI50.whole, 100.0, 60.0, 0.0))
    assert sum(fluid.speeds.values()) == pytest.approx(1.0)


def loop_of(*loads: Load, streams: Sequence[int] = (), leads: Sequence[float] = (), gap: float = 0.0) -> Loop:
    steps = (
        Step(load, streams[index] if streams else 0, leads[index] if leads else 0.0) for index, load in enumerate(loads)
    )
    return Loop(tuple(steps), request_gap_micros=gap)


HALF = Load(ENGINES[0] | ENGINES[1], 50.0, 30.0, 0.0)
OTHER_HALF = Load(ENGINES[2] | ENGINES[3], 30.0, 30.0, 0.0)


def test_a_lone_worker_pays_dispatches_barriers_and_the_host() -> None:
    loop = loop_of(HALF, HALF, leads=(0.0, 2.0), gap=7.0)
    outcome = contention.closed_loop(MI50, [loop], 10)
    assert outcome.period_micros == pytest.approx((50 + 50 + 2 * MI50.launch_micros + 2.0 + 7.0,))
    assert outcome.slowest_micros == pytest.approx(outcome.period_micros)
    assert outcome.requests_per_second == pytest.approx((1e6 / outcome.period_micros[0],))


def test_each_further_queue_makes_every_dispatch_dearer_for_everybody() -> None:
    chip = replace(MI50, stream_micros=0.5)
    alone = loop_of(OTHER_HALF)
    lean = contention.closed_loop(chip, [loop_of(HALF, HALF), alone], 10).period_micros
    wide = contention.closed_loop(chip, [loop_of(HALF, HALF, streams=(0, 1)), alone], 10).period_micros
    assert [after - before for before, after in zip(lean, wide, strict=True)] == pytest.approx([2 * 0.5, 0.5])


def test_workers_on_disjoint_halves_keep_their_speed_and_fill_the_chip() -> None:
    outcome = contention.closed_loop(replace(MI50, launch_micros=0.0), [loop_of(HALF), loop_of(OTHER_HALF)], 20)
    assert outcome.period_micros == pytest.approx((50.0, 30.0))
    assert outcome.busy_cus == pytest.approx(60.0)
    assert outcome.watts == pytest.approx(MI50.idle_watts + 60 * MI50.cu_watts)


def test_workers_on_the_same_cus_take_twice_as_long() -> None:
    chip = replace(MI50, launch_micros=0.0)
    whole = loop_of(Load(MI50.whole, 40.0, 60.0, 0.0))
    outcome = contention.closed_loop(chip, [whole, whole], 20)
    assert outcome.period_micros == pytest.approx((80.0, 80.0))
    assert outcome.busy_cus == pytest.approx(60.0)


@pytest.mark.parametrize(
    "loop",
    [
        Loop(()),
        loop_of(replace(HALF, solo_micros=0.0)),
        loop_of(replace(HALF, solo_micros=math.nan)),
        loop_of(HALF, streams=(abi.MAX_LOOP_STREAMS,)),
        loop_of(HALF, leads=(-1.0,)),
        loop_of(HALF, gap=-1.0),
    ],
)
def test_a_loop_that_cannot_run_is_refused(loop: Loop) -> None:
    with pytest.raises(InputError, match="closed loop of 1 workers and 5 requests"):
        contention.closed_loop(MI50, [loop], 5)


def test_too_many_workers_are_refused() -> None:
    with pytest.raises(InputError, match="33 workers: the contention model takes 1 to 32"):
        contention.closed_loop(MI50, [loop_of(HALF)] * 33, 5)


def test_a_missing_library_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EclipError, match=r"missing\.so is missing: run `make native`"):
        abi.load(tmp_path / "missing.so")


def test_a_file_that_is_no_library_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bad.so").write_text("text")
    with pytest.raises(EclipError, match=r"bad\.so cannot be used .*: run `make native`"):
        abi.load(tmp_path / "bad.so")


def test_the_constants_are_those_of_the_header() -> None:
    header = (Path(__file__).parents[3] / "native/include/eclip/contention.h").read_text(encoding="utf-8")
    defines = dict(line.split()[1:3] for line in header.splitlines() if line.startswith("#define ECLIP_MAX_"))
    names = ("MAX_CUS", "MAX_ENGINES", "MAX_RUNNING", "MAX_WORKERS", "MAX_LOOP_STREAMS")
    assert {f"ECLIP_{name}": str(getattr(abi, name)) for name in names} == defines
