"""Statistics of programs: read right from an honest one, and without harm from any other."""

import dataclasses
import fcntl
import itertools
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclip.errors import InputError
from eclip.slot import Slot, clients, records, stats
from eclip.slot.clients import Histogram

BIGGEST = (1 << 53) - 1


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    with Slot.create(tmp_path, "a", "1") as made:
        yield made


def offset(index: int) -> int:
    return records.STATS_HEADER_BYTES + index * records.CLIENT_BYTES


def client(**fields: Any) -> np.ndarray:
    record = np.zeros((), records.CLIENT)
    for name, value in {"started_ns": 7, **fields}.items():
        record[name] = value
    return record


def write(path: Path, index: int, record: np.ndarray) -> None:
    with path.open("r+b") as file:
        file.seek(offset(index))
        file.write(record.tobytes())


def test_what_a_program_wrote_is_read(slot: Slot) -> None:
    record = client(
        pid=41,
        hip_version=50221153,
        mode=2,
        hooks=140,
        compute_units=60,
        way=1,
        executable=b"alexnet",
        tables_refused=1,
        refused_generation=3,
        refused_why=4,
        refused_text=b"made for 64 CUs",
    )
    record["counters"][0]["generation"] = 5
    record["counters"][0]["launches"] = 9
    record["counters"][1]["generation"] = 4
    record["counters"][0]["redirected"] = 6
    record["counters"][0]["passed"][0] = 3
    record["counters"][0]["models"][0] = (9, 2, 4, 1, 1, 100, 900, 1, 300, np.zeros(records.BUCKETS))
    record["counters"][0]["models"][0]["request_micros"][56] = 2
    write(slot.stats, 3, record)

    (read,) = stats.read(slot.stats)

    assert (read.index, read.pid, read.executable, read.mode, read.hooks) == (3, 41, "alexnet", "enforce", 140)
    assert read.way == "table"
    assert (read.refused_generation, read.refused_why, read.refused_text) == (3, "other-gpu", "made for 64 CUs")
    assert (read.current.generation, read.current.launches, read.current.redirected) == (5, 9, 6)
    assert read.current.passed == {"whole-gpu": 3}
    (model,) = read.current.models
    assert (model.launches, model.requests, model.hops, model.mismatches, model.resyncs) == (9, 2, 4, 1, 1)
    assert (model.first_ns, model.last_ns, model.marked) == (100, 900, True)
    assert (model.request_micros.total, model.request_micros.mean_micros) == (2, 150.0)
    assert read.previous is not None
    assert read.previous.generation == 4
    assert read.settled


@pytest.mark.parametrize("newer", [0, 1])
def test_the_block_of_the_newer_table_is_the_current_one(slot: Slot, newer: int) -> None:
    record = client()
    record["counters"]["generation"] = [8, 7] if newer == 0 else [7, 8]
    write(slot.stats, 0, record)

    (read,) = stats.read(slot.stats)

    assert read.current.generation == 8
    assert read.previous is not None
    assert read.previous.generation == 7


def test_before_the_first_table_there_is_no_previous_one(slot: Slot) -> None:
    write(slot.stats, 0, client())

    (read,) = stats.read(slot.stats)

    assert (read.current.generation, read.previous) == (0, None)


def test_a_mask_is_in_force_only_if_it_was_read_back_equal(slot: Slot) -> None:
    record = client()
    for index, (state, back) in enumerate([(1, 0b111), (1, 0b11), (3, 0b111), (1, 0)]):
        record["streams"][index]["state"] = state
        record["streams"][index]["compute_units"] = 3
        record["streams"][index]["asked"][0] = 0b111 if back else 0
        record["streams"][index]["read_back"][0] = back
    record["streams"][4]["asked"][1] = 1
    write(slot.stats, 0, record)

    (read,) = stats.read(slot.stats)

    assert [proof.in_force for proof in read.streams] == [True, False, False, False]


def test_cu_sets_keep_the_order_of_their_words(slot: Slot) -> None:
    record = client()
    record["streams"][0]["state"] = 2
    record["streams"][0]["asked"][0:2] = [0x0000000F, 0x10000000]
    write(slot.stats, 0, record)

    assert stats.read(slot.stats)[0].streams[0].asked == 0x10000000_0000000F


HOLD_LOCK = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX, int(sys.argv[3]), int(sys.argv[2]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_program_lives_as_long_as_it_holds_its_record(slot: Slot) -> None:
    for index in (0, 1):
        write(slot.stats, index, client(pid=1))
    arguments = [sys.executable, "-c", HOLD_LOCK, slot.stats, str(offset(1)), str(records.CLIENT_BYTES)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"

        before = stats.read(slot.stats)
        holder.kill()
    after = stats.read(slot.stats)

    assert [(read.alive, read.pid) for read in before] == [(False, 1), (True, holder.pid)]
    assert [(read.alive, read.pid) for read in after] == [(False, 1), (False, 1)]


def test_reading_lets_no_lock_of_others_go(slot: Slot) -> None:
    """A POSIX lock dies when its process closes the file once; the reader is another process than the program."""
    write(slot.stats, 0, client())
    arguments = [sys.executable, "-c", HOLD_LOCK, slot.stats, str(offset(0)), str(records.CLIENT_BYTES)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        alive = [stats.read(slot.stats)[0].alive for _ in range(3)]
        holder.kill()

    assert alive == [True, True, True]


def test_a_record_that_never_settles_is_marked_and_does_not_hold_up_the_reader(slot: Slot) -> None:
    write(slot.stats, 0, client(sequence=3))

    (read,) = stats.read(slot.stats)

    assert not read.settled


def test_numbers_are_clamped_and_words_bounded(slot: Slot) -> None:
    garbage = np.frombuffer(b"\xff" * records.CLIENT.itemsize, records.CLIENT)[0]
    write(slot.stats, 0, garbage)

    (read,) = stats.read(slot.stats)

    assert (read.mode, read.refused_why) == ("unknown", "unknown")
    assert (read.compute_units, read.hip_version, read.tables_refused) == (1024, 0, BIGGEST)
    assert read.current.models[0].launches == BIGGEST
    assert {proof.state for proof in read.streams} == {"unknown"}
    assert not any(proof.in_force for proof in read.streams)


def test_text_of_a_program_cannot_steer_a_terminal(slot: Slot) -> None:
    write(slot.stats, 0, client(executable=b"\x1b[2Jevil\n\xff\x7f", refused_text=b"x" * 128))

    (read,) = stats.read(slot.stats)

    assert read.executable == "?[2Jevil???"
    assert read.refused_text == "x" * 128


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_are_read_without_harm(slot: Slot, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    size = data.draw(st.integers(0, records.STATS_BYTES))
    noise = (
        np.random.default_rng(seed).bytes(size - records.STATS_HEADER_BYTES)
        if size > records.STATS_HEADER_BYTES
        else b""
    )
    with slot.stats.open("r+b") as file:
        file.truncate(size)
        file.seek(records.STATS_HEADER_BYTES)
        file.write(noise)
        header = np.array(
            (records.STATS_MAGIC, records.VERSION, records.CLIENTS, records.CLIENT_BYTES), records.STATS_HEADER
        )
        file.seek(0)
        file.write(header.tobytes())

    for read in stats.read(slot.stats):
        text = json.dumps(dataclasses.asdict(read))
        assert text.isascii()


@pytest.mark.parametrize(
    "header", [b"", b"\0" * 16, b"CLIS" + b"\x01" + b"\0" * 11, b"CLIS\x02\0\0\0" + b"\xff" * 8], ids=repr
)
def test_a_file_of_another_kind_or_version_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "stats"
    path.write_bytes(header)

    with pytest.raises(InputError, match="is no statistics file of version 2"):
        stats.read(path)


def test_links_pipes_and_folders_in_place_of_the_file_are_refused(tmp_path: Path, slot: Slot) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(slot.stats)
    os.mkfifo(pipe)

    for path, reason in ((link, "is a link"), (pipe, "is no regular file"), (tmp_path, "is no regular file")):
        with pytest.raises(InputError, match=reason):
            stats.read(path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        stats.read(tmp_path / "absent")


def test_the_reader_leaves_no_file_open(slot: Slot) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - an iterator would be open itself

    for _ in range(3):
        stats.read(slot.stats)
        stats.read_profile(slot.profile)

    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def put_profile(slot: Slot, state: int, percent: int, size: int, text: bytes) -> None:
    header = np.array((records.PROFILE_MAGIC, records.VERSION, state, percent, size), records.PROFILE_HEADER)
    with slot.profile.open("r+b") as file:
        file.write(header.tobytes() + text)


def test_the_progress_of_a_profile_is_read(slot: Slot) -> None:
    put_profile(slot, 1, 40, 0, b"")
    measuring = stats.read_profile(slot.profile)
    put_profile(slot, 2, 100, 5, b"kind: KernelProfile")
    complete = stats.read_profile(slot.profile)

    assert (measuring.state, measuring.percent, measuring.text) == ("measuring", 40, "")
    assert (complete.state, complete.percent, complete.text) == ("complete", 100, "kind:")


def test_a_profile_that_claims_to_be_huge_is_read_within_its_file(slot: Slot) -> None:
    put_profile(slot, 99, 2**32 - 1, 2**64 - 1, b"\xff")

    read = stats.read_profile(slot.profile)

    assert (read.state, read.percent) == ("unknown", 100)
    assert len(read.text) == records.PROFILE_BYTES - records.PROFILE_HEADER.itemsize


def histogram(*micros: float) -> Histogram:
    counts = [0] * records.BUCKETS
    for time in micros:
        counts[int(8 * math.log2(time))] += 1
    return Histogram(tuple(counts), round(sum(micros)))


def test_buckets_follow_each_other_without_gap() -> None:
    starts = [clients.bucket_start(bucket) for bucket in range(records.BUCKETS + 1)]

    assert (starts[0], starts[8], starts[80]) == (1, 2, 1024)
    assert all(after / before == pytest.approx(2 ** (1 / 8)) for before, after in itertools.pairwise(starts))


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_quantile_is_exact_to_the_width_of_its_bucket(times: list[float], q: float) -> None:
    estimate = histogram(*times).quantile(q)
    exact = sorted(times)[math.ceil(round(q * len(times), 9)) - 1]

    assert estimate is not None
    assert exact / 1.0906 <= estimate <= exact * 1.0906


def test_no_request_has_no_time() -> None:
    assert (histogram().quantile(0.5), histogram().mean_micros, histogram().total) == (None, None, 0)


def test_what_came_since_a_reading_is_their_difference() -> None:
    assert histogram(10, 20, 30).minus(histogram(20)) == histogram(10, 30)
    assert histogram(10).minus(histogram(10, 20)) == histogram()


def test_the_lock_of_the_program_is_a_posix_lock_on_its_record(slot: Slot) -> None:
    """The interposer claims a record by fcntl; the same call on the same bytes keeps another process out."""
    with slot.stats.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, records.CLIENT_BYTES, offset(0))
        script = f"import fcntl; fcntl.lockf(open({str(slot.stats)!r}, 'r+b'), 6, {records.CLIENT_BYTES}, {offset(0)})"
        refused = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        script = script.replace(str(offset(0)), str(offset(1)))
        taken = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert (refused.returncode != 0, taken.returncode) == (True, 0)
