"""From a file and flags to the planner's question."""

from pathlib import Path

import pytest

from eclip.documents import colocation
from eclip.errors import InputError
from eclip.host import mix

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"


def spec(*workloads: str, **fields: object) -> colocation.Colocation:
    lines = ["apiVersion: eclip.dev/v1alpha1", "kind: Colocation", "spec:"]
    lines += [f"  {key}: {value}" for key, value in fields.items()]
    lines += ["  workloads:", *(f"  - {{{workload}}}" for workload in workloads)]
    return colocation.parse("\n".join(lines), "c.yaml", PROFILES)


A = "name: a, profiles: [alexnet-b8.yaml]"
B = "name: b, profiles: [shufflenet-b8.yaml]"
BOTH = "name: server, profiles: [alexnet-b8.yaml, shufflenet-b8.yaml]"


def changes(**given: object) -> mix.Changes:
    return mix.Changes(**{"weights": {}, "latencies_ms": {}, "limits": {}, "options": {}, **given})  # type: ignore[arg-type]


def test_every_model_of_a_program_is_a_worker_of_its_own():
    found = mix.of(spec(BOTH, B), 0)

    assert [part.name for part in found.workloads] == ["server/alexnet-b8", "server/shufflenet-b8", "b"]
    assert list(found.slots["server"]) == ["server/alexnet-b8", "server/shufflenet-b8"]


def test_each_gpu_has_its_own_mix():
    both = spec(A, f"{B}, gpu: 1")

    assert [part.name for part in mix.of(both, 0).workloads] == ["a"]
    assert [part.name for part in mix.of(both, 1).workloads] == ["b"]


def test_a_mask_of_the_environment_is_a_ceiling(monkeypatch):
    monkeypatch.setenv("HSA_CU_MASK", "0:0-29")
    own, inherited, adopted = (
        f"{A}, command: [/bin/true], env: {{HSA_CU_MASK: '0:0xf'}}",
        "name: b, profiles: [alexnet-b8.yaml], command: [/bin/true]",
        "name: c, profiles: [alexnet-b8.yaml]",
    )

    found = mix.of(spec(own, inherited, adopted), 0)

    assert [part.ceiling for part in found.workloads] == [0xF, (1 << 30) - 1, None]
    assert mix.identity(found, "a") != mix.identity(mix.of(spec(A), 0), "a")


def test_flags_win_over_the_file_and_leave_the_rest_alone():
    found = mix.of(spec(f"{A}, weight: 2", f"{B}, maxSwitches: 3"), 0).changed(
        changes(weights={"b": 5.0}, latencies_ms={"a": 4.0}, limits={"a": (15, 30)}, options={"max_switches": 0})
    )
    a, b = found.workloads

    assert (a.weight, b.weight) == (2.0, 5.0)
    assert (a.latency_micros, a.limits, b.latency_micros) == (4000.0, (15, 30), None)
    assert (b.max_switches, found.options.max_switches) == ("inherit", 0)


def test_a_flag_for_nobody_is_refused():
    with pytest.raises(InputError, match=r"--weight c=\.\.\.: there is no worker of this name; there are a, b"):
        mix.of(spec(A, B), 0).changed(changes(weights={"c": 1.0}))


def test_the_mix_without_the_dead_has_the_others_in_their_order():
    left = mix.of(spec(A, BOTH, B), 0).without(frozenset({"server"}))

    assert [part.name for part in left.workloads] == ["a", "b"]
    assert list(left.slots) == ["a", "b"]


def test_what_a_plan_depends_on_changes_its_identity_and_nothing_else_does():
    before = mix.identity(mix.of(spec(A), 0), "a")

    assert mix.identity(mix.of(spec(f"{A}, restart: Never, env: {{X: y}}"), 0), "a") == before
    assert mix.identity(mix.of(spec(f"{A}, weight: 2"), 0), "a") != before
    assert mix.identity(mix.of(spec(A, strategy="whole-gpu"), 0), "a") != before
    assert mix.identity(mix.of(spec("name: a, profiles: [vgg19-b1.yaml]"), 0), "a") != before
