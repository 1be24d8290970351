"""The commands as a user meets them: shapes of answers, exit codes, errors in one line."""

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from eclip import planning
from eclip.cli import main, plan
from eclip.host import entry
from eclip.slot import Slot

ROOT = Path(__file__).parents[3]
ALEXNET = ROOT / "examples/profiles/alexnet-b8.yaml"
SHUFFLENET = ROOT / "examples/profiles/shufflenet-b8.yaml"
COMMANDS = [
    "doctor",
    "profile",
    "layout",
    "plan",
    "simulate",
    "run",
    "apply",
    "top",
    "inspect",
    "slot create",
    "slot remove",
]


@pytest.fixture
def eclip(capfd, tmp_path, monkeypatch):
    """Runs a command and gives back exit code, standard output and standard error."""
    monkeypatch.setenv("ECLIP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def answer(result: tuple[int, str, str]) -> dict:
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def refusal(result: tuple[int, str, str]) -> tuple[int, str]:
    """Exit code and the one line of an error."""
    code, out, err = result
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("eclip: ")
    return code, err.removeprefix("eclip: ").strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(eclip, command):
    code, out, _ = eclip(*command.split(), "--help")

    assert code == 0
    assert f"eclip {command}" in out.replace("Usage: ", "", 1).partition("\n")[2]


@pytest.mark.parametrize("words", ["--help", "plan --help", "run --help", "plan --max-switches many"])
def test_help_and_refused_flags_wait_for_no_solver(words):
    """What takes its time to import is not imported: an answer that needs no work comes at once."""
    program = (
        f"import sys; from eclip.cli import main; main({words.split()}); "
        "print('\\n', {'numpy', 'pulp', 'highspy', 'flatbuffers'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines()[-1].strip() == "set()"


def test_the_strategies_that_help_names_are_those_that_exist(eclip):
    assert plan.STRATEGIES == planning.STRATEGIES


def test_a_plan_by_the_exact_solver_does_not_load_the_other_one():
    program = (
        "import sys; from eclip.cli import main; "
        f"main(['plan', '--gpu', 'MI50', '--profile', 'a={ALEXNET}']); sys.exit('pulp' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_help_lists_all_commands_and_the_exit_codes(eclip):
    _, out, _ = eclip("--help")

    assert all(command.split()[0] in out for command in COMMANDS)
    assert "3 infeasible" in out


def test_layout_of_two_workers_on_mi50_is_that_of_the_paper(eclip):
    found = answer(eclip("layout", "--gpu", "MI50", "--workers", 2, "--sizes", "15,30,45"))

    assert found == {
        "workers": [
            {"streams": [
                {"computeUnits": 15, "mask": "0x0111111111111111"},
                {"computeUnits": 30, "mask": "0x0555555555555555"},
                {"computeUnits": 45, "mask": "0x0777777777777777"},
            ]},
            {"streams": [
                {"computeUnits": 15, "mask": "0x0888888888888888"},
                {"computeUnits": 30, "mask": "0x0aaaaaaaaaaaaaaa"},
                {"computeUnits": 45, "mask": "0x0eeeeeeeeeeeeeee"},
            ]},
        ]
    }  # fmt: skip


def test_layout_reads_the_gpu_from_a_topology_tree(eclip):
    tree = ROOT / "tests/data/kfd/MI50"

    assert eclip("layout", "--gpu", tree, "--workers", 2, "--sizes", "15,30") == eclip(
        "layout", "--gpu", "MI50", "--workers", 2, "--sizes", "15,30"
    )


def test_a_tree_with_two_gpus_needs_a_choice(eclip):
    tree = ROOT / "tests/data/kfd/MI250X"

    code, line = refusal(eclip("layout", "--gpu", tree, "--workers", 1, "--sizes", "55"))
    assert (code, f"{tree}:0" in line) == (2, True)
    assert eclip("layout", "--gpu", f"{tree}:1", "--workers", 1, "--sizes", "55")[0] in (0, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["layout", "--gpu", "MI51", "--workers", "2", "--sizes", "15"], "MI51"),
        (["layout", "--gpu", "MI50", "--workers", "9", "--sizes", "15"], "--workers 9"),
        (["layout", "--gpu", "MI50", "--workers", "2", "--sizes", "x"], "--sizes x"),
        (["layout", "--gpu", "MI50", "--workers", "2"], "--sizes"),
        (["layout", "--gpu", "MI50", "--workers", "two", "--sizes", "15"], "--workers"),
        (["plan"], "-f FILE"),
        (["plan", "--profile", f"a={ALEXNET}"], "--gpu"),
        (["plan", "--gpu", "MI50", "--profile", "a=/nowhere.yaml"], "/nowhere.yaml"),
        (["plan", "--gpu", "MI50", "--profile", str(ALEXNET)], "NAME=FILE"),
        (["plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--weight", "b=2"], "--weight b"),
        (["plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--strategy", "best"], "best"),
        (["plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--solver", "gurobi"], "gurobi"),
        (["plan", "--gpu", "MI100", "--profile", f"a={ALEXNET}"], "MI"),
        (["run", "/nowhere.yaml"], "/nowhere.yaml"),
        (["apply", "/nowhere.yaml"], "no 'eclip run' is active"),
        (["inspect", "/nowhere"], "/nowhere"),
        (["inspect", str(ROOT / "LICENSE")], "LICENSE"),
        (["slot", "remove", "nobody"], "nobody"),
        (["slot", "create", "No Such Name"], "No Such Name"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_exit_code_2(eclip, arguments, words):
    code, line = refusal(eclip(*arguments))

    assert (code, words in line) == (2, True), line


def test_a_plan_has_the_promised_fields_and_no_other(eclip):
    found = answer(eclip("plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--profile", f"s={SHUFFLENET}"))

    assert list(found) == ["objective", "lowerBound", "gap", "alpha", "solveMillis", "workers"]
    assert [worker["name"] for worker in found["workers"]] == ["a", "s"]
    for worker in found["workers"]:
        assert list(worker) == [
            "name", "objectiveMicros", "predictedMicros", "averageComputeUnits", "switches", "wrapSwitch", "groups",
            "streams",
        ]  # fmt: skip
        assert worker["groups"][0]["first"] == 0
        assert all(before["last"] + 1 == after["first"] for before, after in pairwise(worker["groups"]))
        assert worker["switches"] == len(worker["groups"]) - 1
    assert 0 <= found["gap"] <= 1e-3


@pytest.mark.filterwarnings("ignore:.*PuLP 4.0:DeprecationWarning")
def test_both_solvers_agree_on_the_papers_objective(eclip):
    flags = ["--gpu", "MI50", "--profile", f"a={ALEXNET}", "--profile", f"b={ALEXNET}", "--hop-micros", 0]
    flags += ["--stream-micros", 0, "--objective-basis", "absolute", "--max-switches", 4]

    exact = answer(eclip("plan", *flags, "--solver", "exact"))
    pulp = answer(eclip("plan", *flags, "--solver", "pulp"))

    assert exact["objective"] == pytest.approx(pulp["objective"], rel=1e-6)
    assert sum(worker["objectiveMicros"] for worker in exact["workers"]) == pytest.approx(exact["objective"], rel=1e-9)


def test_an_objective_that_no_plan_keeps_is_exit_code_3(eclip):
    code, line = refusal(eclip("plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--latency", "a=0.001"))

    assert code == 3
    assert "a" in line


def test_yaml_table_and_file_carry_the_same_plan(eclip, tmp_path):
    flags = ["plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}"]
    found = answer(eclip(*flags))

    assert yaml.safe_load(eclip(*flags, "-o", "yaml")[1])["workers"] == found["workers"]
    assert "alpha" in eclip(*flags, "-o", "table")[1]
    assert eclip(*flags, "--to", tmp_path / "plan.json")[:2] == (0, "")
    assert json.loads((tmp_path / "plan.json").read_text())["workers"] == found["workers"]


def test_a_file_that_cannot_be_written_is_exit_code_1_and_leaves_nothing(eclip, tmp_path):
    code, line = refusal(eclip("plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--to", tmp_path / "no/plan.json"))

    assert (code, "no/plan.json" in line) == (1, True)


def test_inspect_tells_every_kind_by_its_content(eclip, tmp_path):
    plan, layout = tmp_path / "plan", tmp_path / "layout"
    eclip("plan", "--gpu", "MI50", "--profile", f"a={ALEXNET}", "--to", plan)
    eclip("layout", "--gpu", "MI50", "--workers", 1, "--sizes", "15", "--to", layout)
    trace = tmp_path / "trace"
    trace.write_text(json.dumps({"traceEvents": [{"ph": "X", "name": "gemm", "dur": micros} for micros in (2.5, 1)]}))
    with Slot.create(tmp_path / "state", "vision", "first") as slot:
        folder = slot.folder

    assert answer(eclip("inspect", ALEXNET, "-o", "json"))["kernels"] == 34
    assert answer(eclip("inspect", ROOT / "examples/robot.yaml", "-o", "json"))["kind"] == "Colocation"
    assert "objective" in answer(eclip("inspect", plan, "-o", "json"))
    assert "workers" in answer(eclip("inspect", layout, "-o", "json"))
    assert answer(eclip("inspect", trace, "-o", "json"))["names"] == [{"name": "gemm", "count": 2, "micros": 3.5}]
    assert answer(eclip("inspect", folder, "-o", "json"))["name"] == "vision"
    assert answer(eclip("inspect", folder / "stats", "-o", "json"))["kind"] == "Statistics"
    assert answer(eclip("inspect", folder / "profile", "-o", "json"))["state"] == "empty"
    for path in (ALEXNET, ROOT / "examples/robot.yaml", plan, layout, trace, folder, folder / "stats"):
        code, out, err = eclip("inspect", path)
        assert (code, len(out) > 20) == (0, True), err


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A stand-in: making a slot needs to know where the interposer is, not what it does."""
    monkeypatch.setattr(entry, "NATIVE", tmp_path)
    path = tmp_path / "libeclip_hip.so"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("starter", "words"),
    [
        ("env", ["export LD_PRELOAD=", "export ECLIP_SLOT=", "export ECLIP_MODE=enforce"]),
        ("docker", ["--device=/dev/kfd", "/config:ro", "--env=ECLIP_SLOT=/run/eclip/slot"]),
        ("systemd", ["[Service]", 'Environment="LD_PRELOAD=']),
    ],
)
def test_a_slot_for_others_says_what_they_need(eclip, library, tmp_path, starter, words):
    code, out, _ = eclip("slot", "create", "vision", "--print", starter)

    assert code == 0
    assert all(word in out for word in words)
    assert len(list((tmp_path / "state/slots/vision").iterdir())) == 1


def test_a_slot_is_made_once_and_removed_once(eclip, library):
    assert eclip("slot", "create", "vision")[0] == 0
    assert refusal(eclip("slot", "create", "vision"))[0] == 2
    assert eclip("slot", "remove", "vision") == (0, "", "")
    assert refusal(eclip("slot", "remove", "vision"))[0] == 2


def test_top_answers_once_when_asked_for_json(eclip, tmp_path):
    with Slot.create(tmp_path / "state", "vision", "first"):
        found = answer(eclip("top", "--interval", "0.01", "-o", "json"))

    assert [(slot["slot"], slot["why"]) for slot in found["slots"]] == [("vision", "no program")]


def test_run_refuses_a_program_that_is_not_there_before_it_starts_anything(eclip, tmp_path):
    shutil.copy(ALEXNET, tmp_path)
    file = tmp_path / "c.yaml"
    file.write_text(
        "apiVersion: eclip.dev/v1alpha1\nkind: Colocation\nspec:\n  gpu: emulated\n  workloads:\n"
        "  - {name: a, command: [/bin/true], profiles: [alexnet-b8.yaml]}\n"
        "  - {name: b, command: [./missing], profiles: [alexnet-b8.yaml]}\n"
    )

    code, line = refusal(eclip("run", file))

    assert (code, "'./missing' is no program" in line or "make native" in line) == (2, True), line
    assert not (tmp_path / "state/slots").exists()


MIX = ("--gpu", "MI50", "--profile", f"a={ALEXNET}", "--profile", f"s={SHUFFLENET}", "--requests", "5")


def test_simulate_plays_every_strategy(eclip):
    found = answer(eclip("simulate", *MIX))
    table = eclip("simulate", *MIX, "-o", "table")[1]

    assert [row["strategy"] for row in found["strategies"]] == [*planning.STRATEGIES, "per-kernel-ioctl"]
    for row in found["strategies"]:
        assert row["requestsPerJoule"] == pytest.approx(row["requestsPerSecond"] / row["watts"])
        assert [worker["name"] for worker in row["workers"]] == ["a", "s"]
        assert row["strategy"] in table
    assert found["strategies"][-1]["requestsPerSecond"] < found["strategies"][0]["requestsPerSecond"] / 2


def test_simulate_takes_arrivals_for_all_and_for_one(eclip, tmp_path):
    (tmp_path / "times").write_text("0\n30000\n")
    load = ("--arrivals", "fixed:20", "--arrivals", f"s=recorded:{tmp_path / 'times'}", "--strategy", "whole-gpu")
    (row,) = answer(eclip("simulate", *MIX, *load))["strategies"]

    assert [worker["requestsPerSecond"] for worker in row["workers"]] == pytest.approx([20, 1e6 / 30000], rel=0.02)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--strategy", "best"), "--strategy best: should be one of"),
        (("--arrivals", "x=closed"), "there is no worker of this name; there are a, s"),
        (("--arrivals", "often"), "arrivals 'often': give closed"),
    ],
)
def test_simulate_refuses_what_it_does_not_know(eclip, flags, why):
    code, text = refusal(eclip("simulate", *MIX, *flags))

    assert code == 2
    assert why in text


def test_simulate_refuses_recorded_times_by_line(eclip, tmp_path):
    (tmp_path / "times").write_text("0\nsoon\n")
    code, text = refusal(eclip("simulate", *MIX, "--arrivals", f"recorded:{tmp_path / 'times'}"))

    assert code == 2
    assert "line 2: 'soon' is no time" in text


def test_simulate_says_which_strategy_a_limit_forbids(eclip, tmp_path):
    spec = {
        "gpu": "emulated",
        "workloads": [
            {"name": "a", "profiles": [str(ALEXNET)], "computeUnits": {"max": 30}},
            {"name": "s", "profiles": [str(SHUFFLENET)]},
        ],
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "eclip.dev/v1alpha1", "kind": "Colocation", "spec": spec}))
    rows = answer(eclip("simulate", "-f", path, "--gpu", "MI50", "--requests", 3))["strategies"]

    assert "at most 30 CUs" in rows[0]["infeasible"]
    assert rows[-1]["requestsPerSecond"] > 0
