"""Kernel profiles: the documented YAML, its derived numbers, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.documents import profile
from eclip.documents.profile import KernelCall, KernelProfile
from eclip.errors import InputError

EXAMPLE = """\
apiVersion: eclip.dev/v1alpha1
kind: KernelProfile
metadata: {name: alexnet-b8}
spec:
  gpu: {product: MI50, computeUnits: 60}
  origin: Measured            # or MeasuredShared, Modelled
  sizes: [15, 30, 45, 60]     # CUs; the last is the whole GPU
  symbols: [_Z4gemmPfS_, relu]
  kernels:
  - {symbol: 0, grid: [64, 1, 1], block: [256, 1, 1], micros: [220.1, 120.4, 90.0, 80.2]}
  - {symbol: 1, grid: [8, 2, 1], block: [64, 1, 1], micros: [5.2, 5.1, 5, 5]}
"""


def complaint(old: str, new: str) -> str:
    assert old in EXAMPLE
    with pytest.raises(InputError) as caught:
        profile.parse(EXAMPLE.replace(old, new, 1), "p.yaml")
    return str(caught.value)


def test_the_documented_form_is_read() -> None:
    read = profile.parse(EXAMPLE, "p.yaml")

    assert read == KernelProfile(
        name="alexnet-b8",
        product="MI50",
        compute_units=60,
        origin="Measured",
        sizes=(15, 30, 45, 60),
        kernels=(
            KernelCall("_Z4gemmPfS_", (64, 1, 1), (256, 1, 1), (220.1, 120.4, 90.0, 80.2)),
            KernelCall("relu", (8, 2, 1), (64, 1, 1), (5.2, 5.1, 5.0, 5.0)),
        ),
    )
    assert read.symbols == ("_Z4gemmPfS_", "relu")
    assert read.micros.shape == (2, 4)
    assert read.solo_micros == pytest.approx(85.2)


def test_a_threshold_is_the_smallest_size_within_the_tolerance() -> None:
    read = profile.parse(EXAMPLE, "p.yaml")

    assert read.thresholds() == (60, 15)
    assert read.thresholds(tolerance=0.15) == (45, 15)
    assert read.thresholds(tolerance=0.0) == (60, 45)
    assert read.thresholds(tolerance=9.0) == (15, 15)


def test_times_cannot_be_changed_behind_the_profile() -> None:
    with pytest.raises(ValueError, match="read-only"):
        profile.parse(EXAMPLE, "p.yaml").micros[0, 0] = 1.0


def test_application_streams_are_optional() -> None:
    text = EXAMPLE.replace("  symbols:", "  streams: [Null, NonBlocking]\n  symbols:").replace(
        "[5.2, 5.1, 5, 5]", "[5.2, 5.1, 5, 5], stream: 1"
    )

    read = profile.parse(text, "p.yaml")

    assert read.streams == ("Null", "NonBlocking")
    assert [kernel.stream for kernel in read.kernels] == [0, 1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("symbol: 1", "symbol: 2", "p.yaml:11: spec.kernels[1].symbol: is 2; there are 2 symbols, counted from 0"),
        ("5, 5]", "5]", "p.yaml:11: spec.kernels[1].micros: has 3 times; there are 4 sizes"),
        ("220.1", "0", "p.yaml:10: spec.kernels[0].micros[0]: is 0; should be greater than 0"),
        ("220.1", ".nan", "p.yaml:10: spec.kernels[0].micros[0]: is nan; should be a finite number"),
        ("[64, 1, 1]", "[64, 1]", "p.yaml:10: spec.kernels[0].grid[2]: is missing"),
        ("[64, 1, 1]", "[0, 1, 1]", "p.yaml:10: spec.kernels[0].grid[0]: is 0; should be at least 1"),
        ("45, 60]", "45, 64]", "p.yaml:7: spec.sizes: ends with 64; the last size is the whole GPU, 60"),
        ("[15, 30,", "[30, 15,", "p.yaml:7: spec.sizes: [30, 15, 45, 60] should ascend"),
        ("relu]", "_Z4gemmPfS_]", "p.yaml:8: spec.symbols[1]: '_Z4gemmPfS_' is listed twice; symbols are distinct"),
        (
            "origin: Measured",
            "origin: Guessed",
            "p.yaml:6: spec.origin: is 'Guessed'; should be 'Measured', 'MeasuredShared' or 'Modelled'",
        ),
        ("5, 5]", "5, 5], stream: 1", "p.yaml:11: spec.kernels[1].stream: is 1; spec.streams has 0, counted from 0"),
        ("block:", "blocks:", "p.yaml:10: spec.kernels[0].blocks: is no field here; did you mean 'block'?"),
        ("alexnet-b8", "../etc", "p.yaml:3: metadata.name: '../etc' is no name"),
        ("kind: KernelProfile", "kind: Colocation", "p.yaml:2: kind: is 'Colocation'; should be 'KernelProfile'"),
        ("  kernels:\n", "  kernels: []\n  rest:\n", "p.yaml:10: spec.rest: is no field here"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(old: str, new: str, expected: str) -> None:
    assert complaint(old, new).startswith(expected)


def test_load_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.yaml"
    path.write_text(EXAMPLE)

    assert profile.load(path) == profile.parse(EXAMPLE, "p.yaml")
    with pytest.raises(InputError, match=r"absent\.yaml: cannot be read"):
        profile.load(tmp_path / "absent.yaml")


dims = st.tuples(*[st.integers(1, 2**32 - 1)] * 3)
symbols = st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() or "\n" in text)
names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


@st.composite
def profiles(draw: st.DrawFn) -> KernelProfile:
    sizes = tuple(sorted(draw(st.sets(st.integers(1, 1024), min_size=1, max_size=6))))
    streams = draw(st.lists(st.sampled_from(profile.STREAM_KINDS), max_size=3).map(tuple))
    calls = st.builds(
        KernelCall,
        symbol=symbols,
        grid=dims,
        block=dims,
        micros=st.tuples(*[st.floats(1e-6, 1e9)] * len(sizes)),
        stream=st.integers(0, max(0, len(streams) - 1)),
    )
    return KernelProfile(
        name=draw(names),
        product=draw(st.sampled_from(["MI50", "RX 7900 XTX", "no", "1e3"])),
        compute_units=sizes[-1],
        origin=draw(st.sampled_from(["Measured", "MeasuredShared", "Modelled"])),
        sizes=sizes,
        kernels=tuple(draw(st.lists(calls, min_size=1, max_size=5))),
        streams=streams,
    )


@given(profiles())
def test_a_dumped_profile_reads_back_equal(original: KernelProfile) -> None:
    assert profile.parse(profile.dump(original), "dumped.yaml") == original


@given(profiles(), st.floats(0, 2))
def test_thresholds_match_a_plain_search(made: KernelProfile, tolerance: float) -> None:
    for row, threshold in zip(made.micros, made.thresholds(tolerance), strict=True):
        enough = [size for size, time in zip(made.sizes, row, strict=True) if time <= row[-1] * (1 + tolerance)]
        assert threshold == min(enough)
