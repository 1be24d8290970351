"""Policies, profiles, tables and conditions: reading, writing, and what is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from eclip.api import ColocationPolicy, KernelProfile, LookupTable
from eclip.api.conditions import Condition, PolicyCondition, PolicyReason, Status, take_over
from eclip.api.policy import GpuSelector, LabelSelector
from eclip.api.profile import MOST_SYMBOL_BYTES
from eclip.api.table import TableSpec, encoded, group_texts
from eclip.documents import profile
from eclip.errors import InputError
from eclip.plan import Group

EXAMPLES = Path(__file__).parents[3] / "examples" / "profiles"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def policy(**spec: Any) -> dict[str, Any]:
    workload = {"name": "api", "podSelector": {"matchLabels": {"app": "api"}}}
    return {"metadata": {"name": "p", "namespace": "team"}, "spec": {"workloads": [workload]} | spec}


def test_a_short_policy_has_the_documented_defaults() -> None:
    read = ColocationPolicy.read(policy())

    assert read.key == "team/p"
    assert (read.spec.strategy, read.spec.objective, read.spec.objective_basis) == (
        "kernel-groups",
        "fairness",
        "normalised",
    )
    (workload,) = read.spec.workloads
    assert (workload.weight, workload.class_, workload.max_switches, workload.profile_refs) == (1, "Realtime", 14, ())


def test_a_policy_comes_back_as_it_was_written() -> None:
    read = ColocationPolicy.read(policy(strategy="static-split", gpuSelector={"products": ["MI50"]}))

    assert ColocationPolicy.read(read.wire()) == read


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"strategy": "static-split-env"}, "ColocationPolicy team/p: spec.strategy: is 'static-split-env'; should be"),
        ({"workloads": []}, "spec.workloads: should have at least 1 items"),
    ],
)
def test_what_no_crd_lets_in_is_refused_with_its_name(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        ColocationPolicy.read(policy(**change))


@pytest.mark.parametrize(
    ("selector", "labels", "selects"),
    [
        ({}, {}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1", "b": "1"}}, {"a": "1", "b": "2"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, {"a": "1"}, False),
    ],
)
def test_selectors_select_as_kubernetes_does(selector: dict[str, Any], labels: dict[str, str], selects: bool) -> None:
    assert LabelSelector.model_validate(selector).selects(labels) is selects


def test_a_gpu_must_be_in_every_list_that_is_given() -> None:
    selector = GpuSelector(products=("MI50",), nodes=("a", "b"))

    assert selector.selects("MI50", "ff", "b")
    assert not selector.selects("MI50", "ff", "c")
    assert not selector.selects("MI100", "ff", "b")
    assert GpuSelector().selects("anything", "ff", "anywhere")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*-b*.yaml")), ids=lambda path: path.stem)
def test_a_profile_file_is_an_object(path: Path) -> None:
    read = KernelProfile.read(yaml.safe_load(path.read_text()))

    assert read.profile == profile.load(path)
    assert KernelProfile.read(read.wire()) == read


def small_profile(**change: Any) -> dict[str, Any]:
    call = {"symbol": 0, "grid": [1, 1, 1], "block": [64, 1, 1], "micros": [2, 1]}
    spec = {"gpu": {"product": "MI50", "computeUnits": 60}, "origin": "Measured", "sizes": [30, 60], "symbols": ["k"]}
    return {"metadata": {"name": "m", "namespace": "team"}, "spec": spec | {"kernels": [call]} | change}


def test_a_profile_keeps_to_what_fits_an_object() -> None:
    most = [f"{number:03}" + "k" * 1021 for number in range(MOST_SYMBOL_BYTES // 1024)]

    assert KernelProfile.read(small_profile(symbols=most)).spec.symbols[0] == most[0]
    with pytest.raises(
        InputError, match=r"KernelProfile team/m: spec.symbols: have 524289 bytes in all; at most 524288"
    ):
        KernelProfile.read(small_profile(symbols=[*most, "k"]))


def test_rules_of_the_document_hold_for_the_object() -> None:
    with pytest.raises(
        InputError, match=r"KernelProfile team/m: spec.sizes: ends with 50; the last size is the whole GPU, 60"
    ):
        KernelProfile.read(small_profile(sizes=[30, 50]))


def table(**change: Any) -> TableSpec:
    gpu = {"product": "MI50", "computeUnits": 60, "active": [15, 15, 15, 15]}
    return TableSpec.model_validate({"format": 1, "gpu": gpu, "table": encoded(b"bytes"), "groups": []} | change)


def test_a_table_is_named_by_its_content() -> None:
    made = LookupTable.of(table())

    assert made.genuine
    assert LookupTable.read(made.wire()).genuine
    assert LookupTable.of(table()).metadata.name == made.metadata.name
    assert made.spec.data == b"bytes"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"table": encoded(b"others")},
        {"gpu": {"product": "MI60", "computeUnits": 60, "active": [15, 15, 15, 15]}},
        {"gpu": {"product": "MI50", "computeUnits": 60, "active": [16, 14, 15, 15]}},
    ],
    ids=["format", "bytes", "product", "topology"],
)
def test_other_content_is_another_table(change: dict[str, Any]) -> None:
    assert table(**change).address != table().address


def test_a_table_under_a_false_name_is_not_genuine() -> None:
    forged = LookupTable.of(table()).wire() | {"spec": table(table=encoded(b"forged")).wire()}

    assert not LookupTable.read(forged).genuine


def test_a_table_that_is_no_base64_is_refused() -> None:
    with pytest.raises(InputError, match=r"LookupTable t: spec.table: is no base64"):
        LookupTable.read({"metadata": {"name": "t"}, "spec": table().wire() | {"table": "no!base64"}})


def test_groups_are_told_by_their_kernels_and_units() -> None:
    assert group_texts([Group(0, 13, 15), Group(14, 14, 60)]) == ("14@15", "1@60")


def condition(
    status: Status, *, kind: PolicyCondition = PolicyCondition.READY, after: int = 0, message: str = ""
) -> Condition:
    time = NOON + timedelta(seconds=after)
    return Condition(type=kind, status=status, reason=PolicyReason.READY, message=message, last_transition_time=time)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    (kept,) = take_over([condition("True")], [condition("True", after=5, message="other words")])

    assert (kept.last_transition_time, kept.message) == (NOON, "other words")


def test_a_condition_whose_status_changes_has_a_new_time() -> None:
    (changed,) = take_over([condition("True")], [condition("False", after=5)])

    assert changed.last_transition_time == NOON + timedelta(seconds=5)


def test_conditions_that_are_gone_go_and_the_others_are_in_order() -> None:
    old = [condition("True", kind=PolicyCondition.CONFLICTED)]
    new = [condition("True"), condition("True", kind=PolicyCondition.ACCEPTED)]

    assert [kept.type for kept in take_over(old, new)] == ["Accepted", "Ready"]


def test_times_are_written_as_kubernetes_writes_them() -> None:
    assert condition("True").wire()["lastTransitionTime"] == "2026-01-01T12:00:00Z"
