"""Simulated mixes do what the contention model, queueing theory and arithmetic say."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from eclip import contention, simulate
from eclip.contention import Chip, Load, Loop, Step
from eclip.errors import InputError
from eclip.gpu import products
from eclip.simulate import Arrivals, Worker, arrivals
from eclip.simulate.outcome import Outcome, outcome

CHIP = replace(
    Chip.of(products.gpu_for("MI50"), products.product("MI50")),
    launch_micros=0.0,
    barrier_micros=0.0,
    quantum_micros=500.0,
)
LEFT, RIGHT = (sum(1 << cu for cu, engine in enumerate(CHIP.engine_of) if engine // 2 == half) for half in (0, 1))
CLOSED = Arrivals()


def step(micros: float, cu_set: int = CHIP.whole, stream: int = 0, lead: float = 0.0) -> Step:
    return Step(Load(cu_set, micros, float(cu_set.bit_count()), 0.0), stream, lead)


def worker(*steps: Step, arrivals: Arrivals = CLOSED, masks: Sequence[float] = (), gap: float = 0.0) -> Worker:
    return Worker(Loop(steps, request_gap_micros=gap), arrivals, tuple(masks))


def run(workers: Sequence[Worker], requests: int = 20, seed: int = 0, chip: Chip = CHIP) -> Outcome:
    return outcome(simulate.play(chip, workers, requests, seed))


def test_alone_a_request_takes_its_kernels_barriers_front_end_and_gap() -> None:
    chip = replace(CHIP, launch_micros=1.5)
    found = run([worker(step(10), step(20, lead=4), gap=3)], chip=chip)
    assert found.workers[0].mean_micros == pytest.approx(10 + 20 + 4 + 2 * 1.5 + 3)
    assert found.workers[0].requests_per_second == pytest.approx(1e6 / 40)


def test_a_closed_loop_is_what_the_contention_model_makes_of_it() -> None:
    mix = [
        worker(*(step(7.0 + number % 5, LEFT) for number in range(40))),
        worker(*(step(11.0 + number % 3) for number in range(30))),
    ]
    told = contention.closed_loop(CHIP, [one.loop for one in mix], 50)
    found = run(mix, 50)
    assert [one.mean_micros for one in found.workers] == pytest.approx(told.period_micros, rel=5e-3)
    assert found.watts == pytest.approx(told.watts, rel=5e-3)


def test_kernels_on_the_same_cus_take_twice_the_time_those_on_other_cus_do_not() -> None:
    same = run([worker(step(100, LEFT)), worker(step(100, LEFT))])
    apart = run([worker(step(100, LEFT)), worker(step(100, RIGHT))])
    assert [one.mean_micros for one in same.workers] == pytest.approx([200, 200])
    assert [one.mean_micros for one in apart.workers] == pytest.approx([100, 100])


def test_interference_slows_by_what_others_keep_busy() -> None:
    found = outcome(simulate.play(CHIP, [worker(step(100, LEFT)), worker(step(100, RIGHT))], 20, 0, interference=0.4))
    alone = outcome(simulate.play(CHIP, [worker(step(100, LEFT))], 20, 0, interference=0.4))
    assert [one.mean_micros for one in found.workers] == pytest.approx([120, 120])
    assert alone.workers[0].mean_micros == pytest.approx(100)


def test_every_further_queue_costs_each_launch() -> None:
    chip = replace(CHIP, stream_micros=2.0)
    found = run([worker(step(100, LEFT), step(100, LEFT, stream=1)), worker(step(50, RIGHT))], chip=chip)
    assert [one.mean_micros for one in found.workers] == pytest.approx([204, 52])


def test_the_same_seed_plays_the_same_and_another_one_does_not() -> None:
    mix = [worker(step(90), step(35, LEFT), arrivals=Arrivals("poisson", 4000.0)), worker(step(70))]
    assert run(mix, seed=3) == run(mix, seed=3)
    assert run(mix, seed=3).workers != run(mix, seed=4).workers


def test_random_arrivals_wait_as_queueing_theory_says() -> None:
    """M/D/1 at half load: mean time = service x (1 + 0.5 / (2 x 0.5))."""
    found = run([worker(step(100), arrivals=Arrivals("poisson", 5000.0))], 20_000).workers[0]
    assert found.mean_micros == pytest.approx(150, rel=0.03)
    assert found.requests_per_second == pytest.approx(5000, rel=0.03)


def test_bursts_wait_longer_at_the_same_rate() -> None:
    smooth, bursts = (
        run([worker(step(100), arrivals=arrivals.parse(text))], 4000).workers[0]
        for text in ("fixed:4000", "bursty:4000:8")
    )
    assert smooth.p99_micros == pytest.approx(100)
    assert bursts.requests_per_second == pytest.approx(4000, rel=0.1)
    assert bursts.p50_micros > 300


def test_recorded_arrivals_come_when_they_came_and_again() -> None:
    recorded = arrivals.recorded([0.0, 10.0, 500.0], "file")
    played = simulate.play(CHIP, [worker(step(100), arrivals=recorded)], 5, 0)
    assert played.arrivals[0] == [0, 10, 500, 750, 760, 1250]
    assert played.ends[0] == pytest.approx([100, 200, 600, 850, 950, 1350])


def test_more_load_than_the_chip_can_serve_is_served_at_its_limit() -> None:
    found = run([worker(step(100), arrivals=Arrivals("fixed", 20_000.0))], 400).workers[0]
    assert found.requests_per_second == pytest.approx(10_000)
    assert found.p95_micros > 10 * found.p50_micros / 9


def test_an_idle_neighbour_costs_nothing() -> None:
    seldom = Arrivals("fixed", 100.0)
    found = run([worker(step(100)), worker(step(50), arrivals=seldom)], 50)
    assert found.workers[0].mean_micros == pytest.approx(100, rel=0.01)
    assert found.workers[1].mean_micros == pytest.approx(100, rel=0.01)


def test_power_is_idle_power_and_the_busy_cus() -> None:
    found = run([worker(step(100, LEFT))])
    idle_half = run([worker(step(100, LEFT), gap=100)])
    assert found.watts == pytest.approx(CHIP.idle_watts + 30 * CHIP.cu_watts)
    assert idle_half.watts == pytest.approx(CHIP.idle_watts + 15 * CHIP.cu_watts)
    assert found.busy_cus == pytest.approx(30)
    assert found.requests_per_joule == pytest.approx(10_000 / found.watts)


def test_more_busy_queues_than_slots_take_turns_by_the_quantum() -> None:
    mix = [worker(step(2000, LEFT)), worker(step(2000, RIGHT))]
    plenty, few = run(mix), run(mix, chip=replace(CHIP, queue_slots=1))
    assert [one.mean_micros for one in plenty.workers] == pytest.approx([2000, 2000])
    assert [one.mean_micros for one in few.workers] == pytest.approx([4000, 4000], rel=0.02)
    assert few.busy_cus == pytest.approx(30)


def test_a_short_request_waits_for_its_turn_behind_a_long_one() -> None:
    mix = [worker(step(5000, LEFT)), worker(step(10, RIGHT), arrivals=Arrivals("fixed", 400.0))]
    plenty, few = run(mix), run(mix, chip=replace(CHIP, queue_slots=1))
    assert plenty.workers[1].p95_micros == pytest.approx(10)
    assert 250 < few.workers[1].p95_micros <= 510


def test_queues_of_one_worker_count_while_their_packets_are_not_done() -> None:
    """Three queues of which one works at a time: with two slots, the third waits for a quantum."""
    steps = [step(200, LEFT, stream) for stream in range(3)]
    free, crowded = run([worker(*steps)]), run([worker(*steps)], chip=replace(CHIP, queue_slots=2))
    assert free.workers[0].mean_micros == pytest.approx(600)
    assert crowded.workers[0].mean_micros == pytest.approx(600, rel=0.01)
    one = run([worker(*steps, steps[0])], chip=replace(CHIP, queue_slots=1))
    assert one.workers[0].mean_micros > 800


def test_a_mask_call_stops_the_whole_chip() -> None:
    called = run([worker(step(100, LEFT), masks=[50]), worker(step(300, RIGHT))], 200)
    assert called.workers[0].mean_micros == pytest.approx(150)
    assert called.workers[1].mean_micros == pytest.approx(450, rel=0.02)


def test_what_cannot_be_played_is_refused() -> None:
    with pytest.raises(InputError, match="a worker"):
        simulate.play(CHIP, [], 1, 0)
    with pytest.raises(InputError, match="not 0"):
        simulate.play(CHIP, [worker(step(1))], 0, 0)


@pytest.mark.parametrize("text", ["open", "fixed", "fixed:0", "poisson:x", "bursty:3:0", "closed:1", "fixed:inf"])
def test_arrivals_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="arrivals"):
        arrivals.parse(text)


@pytest.mark.parametrize("times", [[1.0], [2.0, 1.0], [-1.0, 2.0], [3.0, 3.0]])
def test_recorded_arrivals_that_make_no_sense_are_refused(times: list[float]) -> None:
    with pytest.raises(InputError, match="here"):
        arrivals.recorded(times, "here")
