"""Results under the interposer are those without it, whatever the program does and wherever its kernels go."""

import itertools
import random
import threading
from pathlib import Path
from typing import Any

import pytest

REQUESTS = 12
REDIRECTED = [
    "null", "blocking", "non-blocking", "per-thread", "unsynchronised", "behind-copies", "null-among-blocking",
    "null-then-per-thread-copy", "threads-on-streams", "threads-on-per-thread", "threads-on-null",
    "threads-share-a-stream", "copies", "events", "callbacks", "graph", "ext-launch", "module-launch", "dlsym",
    "fork-after-use", "fork-before-use", "exit-while-running", "device-reset", "stream-churn", "failing-launch",
]  # fmt: skip
LEFT_ALONE = {"priority": "priority", "own-mask": "user-masked", "capture-elsewhere": "capturing"}


@pytest.mark.parametrize("variant", REDIRECTED)
@pytest.mark.parametrize("groups", ["HALVES", "EACH"])
def test_results_are_bit_equal_and_kernels_did_move(bench: Any, variant: str, groups: str) -> None:
    model = bench.model(["NonBlocking"])  # vouches for the variants that use such streams
    run = bench.start(variant, REQUESTS, bench.table(getattr(bench, groups), models=[model]))
    assert run.result() == bench.bare(variant, REQUESTS)
    counters = run.client.current
    assert counters.redirected > 0
    assert counters.redirected + sum(counters.passed.values()) == counters.launches


@pytest.mark.parametrize(("variant", "reason"), LEFT_ALONE.items())
def test_what_must_not_move_stays_and_the_reason_is_counted(bench: Any, variant: str, reason: str) -> None:
    run = bench.start(variant, REQUESTS, bench.table(bench.EACH))
    assert run.result() == bench.bare(variant, REQUESTS)
    assert run.client.current.redirected == 0
    assert run.client.current.passed[reason] > 0


def test_non_blocking_streams_stay_unless_the_profile_vouches_for_them(bench: Any) -> None:
    expected = bench.bare("non-blocking", REQUESTS)
    unvouched = bench.start("non-blocking", REQUESTS, bench.table(bench.EACH))
    assert unvouched.result() == expected
    assert unvouched.client.current.redirected == 0
    assert unvouched.client.current.passed["non-blocking"] > 0
    asked_for = bench.start("non-blocking", REQUESTS, bench.table(bench.EACH), ECLIP_NON_BLOCKING="redirect")
    assert asked_for.result() == expected
    assert asked_for.client.current.redirected > 0


@pytest.mark.parametrize("variant", ["null", "blocking", "threads-on-streams", "null-among-blocking"])
def test_tables_swapped_at_random_under_full_load_change_nothing(bench: Any, variant: str) -> None:
    chance = random.Random(variant)
    requests = 60
    run = bench.start(variant, requests, bench.table(bench.HALVES))
    done = threading.Event()

    def swap() -> None:
        while not done.wait(0.004):
            cuts = sorted({0, 12, *(chance.randrange(1, 12) for _ in range(chance.randrange(6)))})
            groups = [(cut, end - 1, chance.randrange(-1, 3)) for cut, end in itertools.pairwise(cuts)]
            run.slot.publish(bench.table(groups))

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        result = run.result()
    finally:
        done.set()
        swapper.join()
    assert result == bench.bare(variant, requests)
    assert run.client.current.generation > 3
    assert run.client.tables_refused == 0


def test_a_missing_dependency_shows_as_another_result(bench: Any) -> None:
    """The judge judges: without the order that the other tests rely on, results differ from those in order."""
    ordered = bench.bare("unsynchronised", 40)
    assert any(bench.bare("missing-dependency", 40) != ordered for _ in range(5))


def test_a_damaged_table_is_refused_and_the_program_unharmed(bench: Any) -> None:
    good = bench.table(bench.HALVES)
    run = bench.start("null", REQUESTS, good[: len(good) // 2])
    output, errors = run.process.communicate(timeout=240)
    assert output.strip() == bench.bare("null", REQUESTS)
    assert "refused" in errors
    assert run.client.tables_refused == 1
    assert run.client.refused_why == "malformed"
    assert run.client.current.redirected == 0


def test_several_models_on_one_stream_are_told_apart_by_their_kernels(bench: Any) -> None:
    second = bench.model()
    twists = tuple(
        kernel
        for step in range(6)
        for kernel in (
            type(second.kernels[0])(1, (8 + step, 1, 1), (32, 1, 1), 0),
            type(second.kernels[0])(0, (20, 1, 1), (64, 1, 1), 0),
        )
    )
    other = type(second)("other", ("mix", "twist"), (), twists, 1)
    run = bench.start(
        "two-models", REQUESTS, bench.table(bench.HALVES, bench.ONE_STREAM, models=[bench.model(), other])
    )
    assert run.result() == bench.bare("two-models", REQUESTS)
    first_counters, other_counters = run.client.current.models[:2]
    assert first_counters.requests == other_counters.requests == REQUESTS
    assert first_counters.mismatches + other_counters.mismatches == 0


def test_a_request_over_two_streams_is_followed_on_both(bench: Any) -> None:
    model = bench.model()
    kernels = tuple(type(model.kernels[0])(0, (40 + step, 1, 1), (64, 1, 1), step % 2) for step in range(4))
    both = type(model)("both", ("mix",), ("Blocking", "NonBlocking"), kernels, 0)
    run = bench.start("two-streams", REQUESTS, bench.table(((0, 0, 0), (1, 2, 1), (3, 3, 2)), models=[both]))
    assert run.result() == bench.bare("two-streams", REQUESTS)
    assert run.client.current.redirected == 4 * REQUESTS
    assert run.client.current.models[0].requests == REQUESTS
    assert run.client.current.models[0].mismatches == 0


def test_the_active_set_selects_the_variant_at_the_next_request(bench: Any) -> None:
    every = bench.table(bench.ONE_STREAM, variants={0b10: [bench.WHOLE_GPU]})
    alone = bench.start("null", REQUESTS, every, active=0b10)
    assert alone.result() == bench.bare("null", REQUESTS)
    assert alone.client.current.passed["whole-gpu"] == 12 * REQUESTS
    together = bench.start("null", REQUESTS, every, active=0b11)
    together.result()
    assert together.client.current.redirected == 12 * REQUESTS


@pytest.mark.parametrize("variant", ["marked-nested", "marked-ranges"])
def test_marked_ranges_are_the_requests(bench: Any, variant: str) -> None:
    run = bench.start(variant, REQUESTS, bench.table(bench.HALVES))
    assert run.result() == bench.bare(variant, REQUESTS)
    model = run.client.current.models[0]
    assert model.marked
    assert model.requests == REQUESTS  # each holds two passes of the cursor
    assert sum(model.request_micros.counts) == REQUESTS


def test_a_process_that_wants_one_cu_count_gets_that_of_most_of_its_kernels(bench: Any) -> None:
    most_on_30 = bench.table(((0, 2, 0), (3, 9, 1), (10, 11, -1)), variants={2: (bench.EACH,)})

    run = bench.start("null", REQUESTS, most_on_30, ECLIP_SINGLE_MASK="1")

    assert run.result() == bench.bare("null", REQUESTS)
    assert run.client.mode == "single-mask"
    assert [stream.compute_units for stream in run.client.streams if stream.in_force] == [30]
    assert run.client.current.redirected == 12 * REQUESTS
    assert run.client.current.models[0].hops == 0


def test_a_program_that_only_observes_is_counted_and_left_alone(bench: Any) -> None:
    run = bench.start("null", REQUESTS, bench.table(bench.EACH), mode="observe")
    assert run.result() == bench.bare("null", REQUESTS)
    assert run.client.current.passed["observing"] == 12 * REQUESTS
    assert run.client.current.models[0].requests == REQUESTS


def test_a_program_that_the_user_keeps_out_says_so_and_no_more(bench: Any) -> None:
    run = bench.start("null", REQUESTS, bench.table(bench.EACH), mode="off")
    assert run.result() == bench.bare("null", REQUESTS)
    assert (run.client.mode, run.client.hooks, run.client.executable) == ("off", 0, "chain")
    assert (run.client.current.generation, run.client.current.launches) == (0, 0)


def test_a_program_whose_hip_lacks_a_call_is_left_alone_and_says_so(bench: Any, tmp_path: Path) -> None:
    hip = Path("/usr/lib/x86_64-linux-gnu/libamdhip64.so.5").read_bytes()
    wanted, other = b"\0hipExtStreamGetCUMask\0", b"\0hipExtStreamGetCUMosk\0"
    assert wanted in hip
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "libamdhip64.so.5").write_bytes(hip.replace(wanted, other))
    libraries = f"{tmp_path / 'old'}:{bench.environment()['LD_LIBRARY_PATH']}"

    run = bench.start("null", REQUESTS, bench.table(bench.EACH), LD_LIBRARY_PATH=libraries)

    assert run.result() == bench.bare("null", REQUESTS)
    assert run.client.mode == "off"
    assert run.client.hooks > 0
    assert (run.client.current.generation, run.client.current.launches) == (0, 0)


def test_one_masked_stream_serves_one_application_stream_and_the_rest_pass(bench: Any) -> None:
    run = bench.start("threads-on-streams", REQUESTS, bench.table(bench.ONE_STREAM), ECLIP_MAX_STREAMS="2")
    assert run.result() == bench.bare("threads-on-streams", REQUESTS)
    counters = run.client.current
    assert counters.redirected == 2 * 12 * REQUESTS
    assert counters.passed["budget"] == 2 * 12 * REQUESTS


def test_denied_kernels_stay(bench: Any) -> None:
    run = bench.start("null", REQUESTS, bench.table(bench.ONE_STREAM), ECLIP_DENY="tw*t,other")
    assert run.result() == bench.bare("null", REQUESTS)
    assert run.client.current.passed["denied"] == 4 * REQUESTS
    assert run.client.current.redirected == 8 * REQUESTS
