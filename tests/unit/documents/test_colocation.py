"""Colocation files: defaults, paths, and what is refused."""

from pathlib import Path

import pytest

from eclip.documents import colocation
from eclip.errors import InputError

EXAMPLE = """\
apiVersion: eclip.dev/v1alpha1
kind: Colocation            # fields named as in ColocationPolicy
spec:
  gpu: 0                    # index, unique id, or `emulated`
  strategy: kernel-groups
  maxSwitches: 14
  workloads:
  - {name: a, command: [./alexnet], env: {}, profiles: [alexnet.yaml], weight: 1, class: Realtime,
     latency: {p95Micros: 5000}, computeUnits: {min: 15, max: 60}, restart: OnFailure}
  - {name: b, profiles: [/data/b.yaml, c.yaml], class: BestEffort, restart: Never}
"""
FOLDER = Path("/srv/mix")


def parse(text: str) -> colocation.Colocation:
    return colocation.parse(text, "c.yaml", FOLDER)


def changed(old: str, new: str) -> str:
    assert old in EXAMPLE
    return EXAMPLE.replace(old, new, 1)


def test_the_documented_form_is_read() -> None:
    a, b = parse(EXAMPLE).workloads

    assert a == colocation.Workload(
        name="a",
        command=("./alexnet",),
        env={},
        profiles=(FOLDER / "alexnet.yaml",),
        gpu=0,
        weight=1.0,
        best_effort=False,
        latency_micros=5000.0,
        min_compute_units=15,
        max_compute_units=60,
        max_switches=14,
        restart="OnFailure",
    )
    assert (b.command, b.best_effort, b.latency_micros, b.restart) == ((), True, None, "Never")
    assert b.profiles == (Path("/data/b.yaml"), FOLDER / "c.yaml")


def test_what_is_left_out_has_the_documented_defaults() -> None:
    short = parse(
        "apiVersion: eclip.dev/v1alpha1\nkind: Colocation\nspec: {workloads: [{name: a, profiles: [a.yaml]}]}\n"
    )

    assert (short.gpu, short.strategy, short.solver, short.objective) == (0, "kernel-groups", "exact", "fairness")
    assert (short.objective_basis, short.overlap, short.sizes, short.max_switches) == (
        "normalised",
        "corrected",
        "auto",
        14,
    )
    assert (short.max_streams, short.hop_micros, short.stream_micros) == (None, None, None)
    assert (short.workloads[0].weight, short.workloads[0].restart) == (1.0, "OnFailure")


def test_a_workload_may_have_its_own_switch_budget_or_none() -> None:
    text = changed("restart: Never", "maxSwitches: null").replace("restart: OnFailure", "maxSwitches: 3")

    assert [workload.max_switches for workload in parse(text).workloads] == [3, None]


def test_workloads_may_be_on_several_gpus() -> None:
    mix = parse(changed("restart: Never", "gpu: '0x1234'"))

    assert mix.gpus == (0, "0x1234")
    assert [workload.name for workload in mix.on("0x1234")] == ["b"]


@pytest.mark.parametrize("gpu", ["3", "emulated", "'17389274612'"])
def test_a_gpu_has_an_index_an_id_or_is_emulated(gpu: str) -> None:
    assert str(parse(changed("gpu: 0", f"gpu: {gpu}")).gpu) == gpu.strip("'")


@pytest.mark.parametrize(("sizes", "expected"), [("auto", "auto"), ("paper", "paper"), ("[15, 30]", (15, 30))])
def test_sizes_are_a_rule_or_a_list(sizes: str, expected: object) -> None:
    assert parse(changed("maxSwitches: 14", f"sizes: {sizes}")).sizes == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "gpu: 0",
            "gpu: -1",
            "c.yaml:4: spec.gpu: is -1; should be the GPU's index, its unique id in quotes, or emulated",
        ),
        ("gpu: 0", "gpu: true", "c.yaml:4: spec.gpu: is True; should be the GPU's index"),
        ("kernel-groups", "kernel-group", "c.yaml:5: spec.strategy: is 'kernel-group'; should be 'whole-gpu'"),
        ("maxSwitches", "maxSwitch", "c.yaml:6: spec.maxSwitch: is no field here; did you mean 'maxSwitches'?"),
        ("maxSwitches: 14", "maxSwitches: -1", "c.yaml:6: spec.maxSwitches: is -1; should be at least 0"),
        ("maxSwitches: 14", "sizes: [3, 2]", "c.yaml:6: spec.sizes: [3, 2] should ascend"),
        ("maxSwitches: 14", "sizes: best", "c.yaml:6: spec.sizes: should be auto, paper, or a list of CU counts"),
        ("min: 15", "min: 61", "c.yaml:9: spec.workloads[0].computeUnits.min: is 61, above max (60); swap them"),
        ("name: b", "name: a", "c.yaml:10: spec.workloads[1].name: 'a' is the name of another workload"),
        ("name: b", "name: B", "c.yaml:10: spec.workloads[1].name: 'B' is no name; use up to 63"),
        (
            "env: {}",
            "env: {A: 3}",
            "c.yaml:8: spec.workloads[0].env.A: is 3; should be text; put quotes around numbers",
        ),
        (
            "env: {}",
            "env: {A-B: x}",
            "c.yaml:8: spec.workloads[0].env.A-B: 'A-B' is no name of an environment variable",
        ),
        ("env: {}", "env: {ECLIP_SLOT: x}", "c.yaml:8: spec.workloads[0].env.ECLIP_SLOT: is set by eclip itself"),
        ("[./alexnet]", "./alexnet", "c.yaml:8: spec.workloads[0].command: is './alexnet'; should be a list"),
        ("[./alexnet]", "[]", "c.yaml:8: spec.workloads[0].command: should have at least 1 items"),
        ("[./alexnet]", '["a\\0"]', "c.yaml:8: spec.workloads[0].command[0]: 'a\\x00' has a NUL character in it"),
        ("profiles: [alexnet.yaml], ", "", "c.yaml:8: spec.workloads[0].profiles: is missing"),
        ("weight: 1", "weight: 0", "c.yaml:8: spec.workloads[0].weight: is 0; should be greater than 0"),
        (
            "BestEffort",
            "BestEffort, latency: {p95Micros: 9}",
            "c.yaml:10: spec.workloads[1].latency: is promised to no",
        ),
        (
            "p95Micros",
            "p95Millis",
            "c.yaml:9: spec.workloads[0].latency.p95Millis: is no field here; did you mean 'p95Micros'?",
        ),
        (
            "OnFailure",
            "Sometimes",
            "c.yaml:9: spec.workloads[0].restart: is 'Sometimes'; should be 'OnFailure', 'Never'",
        ),
        ("  workloads:\n", "  workloads: []\n  others:\n", "c.yaml:8: spec.others: is no field here"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(old: str, new: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(changed(old, new))

    assert str(caught.value).startswith(expected)


def test_more_models_than_an_active_set_has_bits_are_refused() -> None:
    lines = [f"  - {{name: w{number}, profiles: [a, b, c, d, e, f, g, h]}}\n" for number in range(9)]
    text = EXAMPLE.split("  - ", maxsplit=1)[0] + "".join(lines)

    with pytest.raises(InputError, match=r"c\.yaml:7: spec\.workloads: have 72 profiles in all; at most 64"):
        parse(text)


def test_paths_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mix.yaml").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)

    read = colocation.load(Path("mix.yaml"))

    assert read.folder == tmp_path
    assert read.workloads[0].profiles == (tmp_path / "alexnet.yaml",)
