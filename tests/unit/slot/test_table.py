"""Lookup tables: what a plan becomes, round trips, and damaged bytes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.documents.profile import STREAM_KINDS, KernelCall, KernelProfile
from eclip.errors import InputError
from eclip.gpu.topology import Gpu
from eclip.plan import Group, MixPlan, Plan, Stream, WorkerPlan
from eclip.slot import records, table
from eclip.slot.table import Kernel, Model, Profiling, StreamGroup, Table, Variant

GPU = Gpu(1, "MI50", "gfx906", (((15,), (15,), (15,), (15,)),), 7, 128, 0, 16 << 30)
QUARTER, HALF, OTHER = 0x111111111111111, 0x555555555555555, 0xAAAAAAAAAAAAAAA


def made_profile(name: str, kernels: int) -> KernelProfile:
    calls = tuple(KernelCall(f"k{number % 2}", (number + 1, 1, 1), (64, 1, 1), (2.0, 1.0)) for number in range(kernels))
    return KernelProfile(name, "MI50", 60, "Modelled", (15, 60), calls)


def worker(name: str, streams: tuple[Stream, ...], *groups: Group) -> WorkerPlan:
    return WorkerPlan(name, streams, groups, 1.0, 1.0, 1.0, 30.0, len(groups) - 1, wrap_switch=False)


def plan(*workers: WorkerPlan) -> Plan:
    return Plan("MI50", "kernel-groups", 1.0, 1.0, 0.0, 1.0, workers)


MIX = MixPlan(
    ("a", "b"),
    {
        frozenset("b"): plan(worker("b", (), Group(0, 1, 60))),
        frozenset("ab"): plan(
            worker("a", (Stream(15, QUARTER), Stream(30, HALF)), Group(0, 1, 15), Group(2, 2, 60), Group(3, 3, 30)),
            worker("b", (Stream(30, OTHER),), Group(0, 1, 30)),
        ),
        frozenset("a"): plan(worker("a", (), Group(0, 3, 60))),
    },
)
MODELS = {"a": made_profile("alexnet", 4)}


def test_a_slot_gets_the_groups_of_its_own_worker_and_no_other_stream() -> None:
    made = table.build(GPU, MODELS, MIX)

    assert made.streams == (Stream(15, QUARTER), Stream(30, HALF))
    assert made.variants[0] == Variant(
        0b11, ((StreamGroup(0, 1, 0), StreamGroup(2, 2, table.OWN_STREAM), StreamGroup(3, 3, 1)),)
    )


def test_the_plan_for_all_workers_comes_first_and_serves_a_worker_that_just_woke_up() -> None:
    made = table.build(GPU, MODELS, MIX)

    assert [variant.active for variant in made.variants] == [0b11, 0b01, 0b10]
    assert made.variants[1].choices == ((StreamGroup(0, 3, table.OWN_STREAM),),)
    assert made.variants[2].choices == made.variants[0].choices


def test_a_model_carries_what_identifies_its_launches() -> None:
    (model,) = table.build(GPU, MODELS, MIX).models

    assert (model.name, model.symbols, model.worker) == ("a", ("k0", "k1"), 0)
    assert model.kernels[2] == Kernel(symbol=0, grid=(3, 1, 1), block=(64, 1, 1), stream=0)


def test_several_models_of_one_program_share_a_table() -> None:
    made = table.build(GPU, {"b": made_profile("b", 2), "a": made_profile("a", 4)}, MIX)

    assert [(model.name, model.worker) for model in made.models] == [("b", 1), ("a", 0)]
    assert made.streams == (Stream(30, OTHER), Stream(15, QUARTER), Stream(30, HALF))
    assert len(made.variants[0].choices) == 2


def test_what_is_encoded_is_decoded() -> None:
    assert table.decode(table.encode(GPU, MODELS, MIX)) == table.build(GPU, MODELS, MIX)


def test_a_table_for_profile_mode_has_streams_and_instructions_only() -> None:
    data = table.encode_profiling(GPU, [Stream(15, QUARTER), Stream(30, HALF)], Profiling(1, 5))

    decoded = table.decode(data)

    assert (decoded.models, decoded.variants, decoded.profiling) == ((), (), Profiling(1, 5))
    assert decoded.streams == (Stream(15, QUARTER), Stream(30, HALF))


def test_a_worker_outside_the_plan_is_refused() -> None:
    with pytest.raises(InputError, match="worker 'c' is not in the plan; its workers are a, b"):
        table.encode(GPU, {"c": made_profile("c", 1)}, MIX)


def test_a_profile_of_another_length_than_its_plan_is_refused() -> None:
    with pytest.raises(InputError, match="groups cover 4 of 3 kernels"):
        table.encode(GPU, {"a": made_profile("a", 3)}, MIX)


def test_a_group_without_a_stream_of_its_size_is_refused() -> None:
    broken = MixPlan(("a",), {frozenset("a"): plan(worker("a", (Stream(15, QUARTER),), Group(0, 3, 30)))})

    with pytest.raises(InputError, match="worker 'a' has no stream of 30 CUs"):
        table.encode(GPU, MODELS, broken)


GOOD = table.build(GPU, MODELS, MIX)
MODEL, VARIANT = GOOD.models[0], GOOD.variants[0]
BROKEN: dict[str, tuple[Table, str]] = {
    "no CUs": (replace(GOOD, compute_units=0), "a GPU of 0 CUs"),
    "empty mask": (replace(GOOD, streams=(Stream(0, 0), *GOOD.streams[1:])), "stream 0 has no CU"),
    "mask beyond the GPU": (replace(GOOD, streams=(Stream(1, 1 << 60), *GOOD.streams[1:])), "beyond the GPU's 60"),
    "miscounted mask": (replace(GOOD, streams=(Stream(7, QUARTER), *GOOD.streams[1:])), "says 7 CUs, its set has 15"),
    "too many streams": (replace(GOOD, streams=(Stream(15, QUARTER),) * 17), "17 masked streams"),
    "too many models": (replace(GOOD, models=(MODEL,) * 9), "9 models"),
    "no variant": (replace(GOOD, variants=()), "has either models with variants"),
    "models and profiling": (replace(GOOD, profiling=Profiling()), "has either models with variants"),
    "same set twice": (replace(GOOD, variants=(VARIANT, VARIANT)), "same set of active workers"),
    "a choice too few": (replace(GOOD, variants=(Variant(3, ()),)), "0 choices for 1 models"),
    "a gap": (replace(GOOD, variants=(Variant(3, ((StreamGroup(1, 3, 0),),)),)), "starts at 1, 0 was expected"),
    "a short cover": (replace(GOOD, variants=(Variant(3, ((StreamGroup(0, 2, 0),),)),)), "cover 3 of 4 kernels"),
    "no such stream": (replace(GOOD, variants=(Variant(3, ((StreamGroup(0, 3, 2),),)),)), "names stream 2"),
    "a backward group": (replace(GOOD, variants=(Variant(3, ((StreamGroup(0, -1, 0),),)),)), "starts at 0"),
    "no such symbol": (replace(GOOD, models=(replace(MODEL, symbols=("k0",)),)), "kernel 1 names a symbol"),
    "an empty launch": (
        replace(GOOD, models=(replace(MODEL, kernels=(Kernel(0, (0, 1, 1), (1, 1, 1), 0),)),)),
        "kernel 0 launches nothing",
    ),
    "no name": (replace(GOOD, models=(replace(MODEL, name=""),)), "needs a name"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_table_whose_parts_do_not_fit_cannot_be_made(case: str) -> None:
    broken, message = BROKEN[case]

    with pytest.raises(InputError, match=message):
        table.pack(broken)


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table.pack(GOOD)
    monkeypatch.setattr(table, "FORMAT", table.FORMAT + 1)

    with pytest.raises(InputError, match="format 1; this version reads format 2"):
        table.decode(data)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 64, b"apiVersion: eclip.dev/v1alpha1\n"])
def test_other_files_are_told_from_tables(data: bytes) -> None:
    with pytest.raises(InputError, match="no lookup table"):
        table.decode(data)


def test_a_table_cut_short_anywhere_is_refused() -> None:
    data = table.pack(GOOD)

    # The last four bytes end the last string and hold nothing.
    for length in range(len(data) - 4):
        with pytest.raises(InputError):
            table.decode(data[:length])


@given(st.data())
def test_flipped_bytes_give_a_table_that_fits_or_a_refusal(data: st.DataObject) -> None:
    damaged = bytearray(table.pack(GOOD))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = table.decode(bytes(damaged))
    except InputError as error:
        assert str(error).startswith("table: ")
    else:
        table.check(decoded)


dims = st.tuples(*[st.integers(1, 2**32 - 1)] * 3)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    compute_units = draw(st.integers(1, 32 * records.MASK_WORDS))
    cu_sets = st.integers(1, (1 << compute_units) - 1).map(lambda cu_set: Stream(cu_set.bit_count(), cu_set))
    streams = tuple(draw(st.lists(cu_sets, max_size=records.STREAMS)))
    models = tuple(draw(st.lists(made_models(), min_size=1, max_size=3)))
    active = draw(st.sets(st.integers(0, 2**64 - 1), min_size=1, max_size=3))
    variants = tuple(
        Variant(bits, tuple(draw(groups(len(model.kernels), len(streams))) for model in models)) for bits in active
    )
    return Table(draw(st.text(max_size=9)), compute_units, streams, models, variants)


@st.composite
def made_models(draw: st.DrawFn) -> Model:
    symbols = tuple(draw(st.lists(st.text(max_size=9), min_size=1, max_size=3)))
    streams = tuple(draw(st.lists(st.sampled_from(STREAM_KINDS), max_size=3)))
    kernels = st.builds(Kernel, st.integers(0, len(symbols) - 1), dims, dims, st.integers(0, max(0, len(streams) - 1)))
    return Model(
        draw(st.text(min_size=1, max_size=9)),
        symbols,
        streams,
        tuple(draw(st.lists(kernels, min_size=1, max_size=4))),
        draw(st.integers(0, 63)),
    )


@st.composite
def groups(draw: st.DrawFn, kernels: int, streams: int) -> tuple[StreamGroup, ...]:
    ends = [*sorted(draw(st.sets(st.integers(0, kernels - 1)))), kernels - 1]
    stream = st.integers(-1, streams - 1)
    made, first = [], 0
    for last in dict.fromkeys(ends):
        made.append(StreamGroup(first, last, draw(stream)))
        first = last + 1
    return tuple(made)


@given(tables())
def test_every_table_that_can_be_made_survives_the_round_trip(made: Table) -> None:
    assert table.decode(table.pack(made)) == made


def test_encoding_gives_the_same_bytes_each_time() -> None:
    first, second = (table.encode(GPU, MODELS, MIX) for _ in range(2))

    assert first == second


@given(tables())
def test_a_released_table_keeps_its_models_and_masks_nothing(made: Table) -> None:
    if made.models:
        freed = table.decode(table.pack(table.released(made)))

        assert freed.models == made.models
        assert freed.streams == ()
        assert {group.stream for choice in freed.variants[0].choices for group in choice} == {table.OWN_STREAM}
