"""Totals that survive restarts and changes of table, and what counts as proof."""

from dataclasses import replace

from eclip.host import readings
from eclip.slot import records
from eclip.slot.clients import ClientRecord, Counters, Histogram, ModelCounters, StreamProof


def model(launches: int, requests: int = 0) -> ModelCounters:
    counts = [0] * records.BUCKETS
    counts[80] = requests
    return ModelCounters(launches, requests, 2 * requests, 0, 0, 1, 2, False, Histogram(tuple(counts), 1000 * requests))


def counters(generation: int, *models: ModelCounters) -> Counters:
    return Counters(generation, sum(m.launches for m in models), 0, {}, models)


def client(current: Counters, previous: Counters | None = None, **changes: object) -> ClientRecord:
    fields = {
        "index": 0, "alive": True, "pid": 1, "started_ns": 100, "executable": "x", "hip_version": 50221153,
        "mode": "enforce", "hooks": 1, "compute_units": 60, "tables_refused": 0, "refused_generation": 0,
        "refused_why": "accepted", "refused_text": "", "streams": (), "settled": True,
    }  # fmt: skip
    return ClientRecord(current=current, previous=previous, **{**fields, **changes})  # type: ignore[arg-type]


def total(*looks: list[ClientRecord], worker: str = "a", workers: tuple[str, ...] = ("a",)) -> readings.Totals:
    ledger: readings.Ledger = {}
    for look in looks:
        ledger = readings.noted(ledger, workers, look)
    return readings.total(ledger, worker)


def test_growing_counters_are_not_counted_twice():
    assert total([client(counters(1, model(10)))], [client(counters(1, model(30)))]).launches == 30


def test_a_change_of_table_loses_and_doubles_nothing():
    before = client(counters(1, model(10, 2)))
    after = client(counters(2, model(5, 1)), counters(1, model(12, 2)))
    later = client(counters(3, model(1)), counters(2, model(9, 3)))

    assert total([before], [after], [later]).launches == 12 + 9 + 1
    assert total([before], [after], [later]).requests == 2 + 3


def test_a_restart_adds_to_what_was_done():
    assert total([client(counters(1, model(10)))], [client(counters(1, model(3)), started_ns=200)]).launches == 13


def test_two_processes_of_one_slot_add_up():
    both = [client(counters(1, model(10))), client(counters(1, model(4)), index=1, started_ns=101)]

    assert total(both).launches == 14


def test_launches_before_the_first_table_belong_to_no_model():
    assert total([client(counters(0, model(10)))]).launches == 0


def test_models_of_one_program_are_workers_of_their_own():
    look = [client(counters(1, model(10), model(20)))]

    assert total(look, workers=("a", "b"), worker="b").launches == 20


def test_the_work_between_two_looks():
    earlier = total([client(counters(1, model(10, 2)))])
    between = total([client(counters(1, model(30, 7)))]).minus(earlier)

    assert (between.launches, between.requests, between.hops) == (20, 5, 10)
    assert between.request_micros.total == 5


HONOURED = StreamProof(15, "in-force", 0x111, 0x111)


def test_masks_read_back_as_asked_are_proof():
    assert readings.proof([client(counters(2), streams=(HONOURED,))], 2) == readings.Proof(True, "in force")


def test_a_mask_read_back_differently_is_not_in_force_and_says_both():
    differs = StreamProof(15, "read-back-differs", 0x111, 0xFFF)

    found = readings.proof([client(counters(2), streams=(HONOURED, differs))], 2)

    assert found.in_force is False
    assert "asked for 0x0000000000000111, got 0x0000000000000fff" in found.why


def test_a_refused_table_is_not_in_force():
    refusing = client(counters(1), tables_refused=1, refused_generation=2, refused_text="another GPU")

    assert readings.proof([refusing], 2) == readings.Proof(False, "table refused: another GPU")
    assert readings.proof([replace(refusing, current=counters(3))], 3).in_force is True


def test_a_program_that_has_not_launched_since_proves_nothing_yet():
    assert readings.proof([client(counters(1))], 2).in_force is None


def test_the_dead_prove_nothing():
    assert readings.proof([client(counters(2), alive=False)], 2) == readings.Proof(None, "no program")
    assert readings.proof([], 2).in_force is None


def test_a_program_that_ended_between_two_looks_proves_what_was_in_force():
    first = client(counters(1), alive=False, started_ns=100)
    last = client(counters(2), alive=False, started_ns=200, streams=(HONOURED,))

    assert readings.last_proof([last, first], 2) == readings.Proof(True, "in force")
    assert readings.last_proof([first], 2).in_force is None
    assert readings.last_proof([], 2).in_force is None


def test_a_program_that_only_observes_proves_nothing():
    assert readings.proof([client(counters(2), mode="observe")], 2) == readings.Proof(
        None, "not enforcing, mode observe"
    )
