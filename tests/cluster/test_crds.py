"""The CRDs before a real API server: what they refuse and how they say so, what they hold, what kubectl shows."""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from eclip.api import ColocationPolicy, KernelProfile, LookupTable, NodeColocation
from eclip.api.conditions import Condition
from eclip.api.policy import PolicyStatus, PolicySummary
from eclip.api.profile import MOST_KERNELS, MOST_SYMBOL_BYTES
from eclip.api.table import TableSpec, encoded
from full_node import LONGEST, NAME, USUAL, full_node
from kube.access import Access
from kube.bare import bare_api
from kube.commands import ClusterError

pytestmark = pytest.mark.timeout(600)
EXAMPLE = Path(__file__).parents[2] / "examples" / "profiles" / "densenet201-b4.yaml"
API = "eclip.dev/v1alpha1"
MEBIBYTE = 1 << 20
ANNOTATIONS = 256 << 10
"""Bytes that an object has for annotations, of which plain `kubectl apply` makes one."""
Raw = dict[str, Any]


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    """An API server of its own, with nothing but the CRDs."""
    with bare_api() as bare:
        yield Access(bare.kubeconfig)


def refused(access: Access, body: Raw, *options: str) -> str:
    """What kubectl says when the API server refuses."""
    with pytest.raises(ClusterError) as caught:
        access.kubectl("apply", *options, "-f", "-", given=json.dumps(body))
    return str(caught.value)


def policy(*workloads: Raw, **spec: Any) -> Raw:
    return {
        "apiVersion": API,
        "kind": "ColocationPolicy",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"workloads": list(workloads) or [workload()], **spec},
    }


def workload(**more: Any) -> Raw:
    return {"name": "api", "podSelector": {"matchLabels": {"app": "api"}}, **more}


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (policy(strategy="magic"), 'spec.strategy: Unsupported value: "magic": supported values: "whole-gpu"'),
        (policy(objective="latency"), "objective latency needs a workload with latency.p95Micros; add one"),
        (
            policy(workload(**{"class": "BestEffort", "latency": {"p95Micros": 5}})),
            "no latency is promised to a BestEffort workload; leave latency out, or make it Realtime",
        ),
        (policy(workload(computeUnits={"min": 30, "max": 15})), "computeUnits.min: Invalid value"),
        (policy(workload(computeUnits={"min": 30, "max": 15})), "min is above max; swap them"),
        (policy(workload(), workload()), 'spec.workloads[1]: Duplicate value: {"name":"api"}'),
        (policy(workload(name="My_API")), "use up to 63 of a-z, 0-9, '-' and '.', the ends being letters or digits"),
        (policy(workload(weight=101)), "spec.workloads[0].weight in body should be less than or equal to 100"),
        (policy(workload(latency={"p95Micros": 0})), "should be greater than 0"),
        (
            policy(workload(podSelector={"matchExpressions": [{"key": "app", "operator": "In"}]})),
            "In and NotIn need values; Exists and DoesNotExist take none",
        ),
        (
            policy(workload(podSelector={"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]})),
            "In and NotIn need values; Exists and DoesNotExist take none",
        ),
        (policy(gpuSelector={"ids": ["0xff"]}), "a GPU's unique id is up to 16 of 0-9 and a-f, without 0x"),
        (policy(stratgy="whole-gpu"), 'unknown field "spec.stratgy"'),
        (policy(workload(profileRefs=[{"name": "m"}, {"name": "m"}])), "Duplicate value"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_in_words(access: Access, body: Raw, complaint: str) -> None:
    assert complaint in refused(access, body)


def profile(**change: Any) -> Raw:
    call = {"symbol": 0, "grid": [1, 1, 1], "block": [64, 1, 1], "micros": [2.5, 1.5]}
    spec = {"gpu": {"product": "MI50", "computeUnits": 60}, "origin": "Measured", "sizes": [30, 60], "symbols": ["k"]}
    metadata = {"name": "m", "namespace": "default"}
    return {
        "apiVersion": API,
        "kind": "KernelProfile",
        "metadata": metadata,
        "spec": spec | {"kernels": [call]} | change,
    }


def call(**change: Any) -> list[Raw]:
    return [{"symbol": 0, "grid": [1, 1, 1], "block": [64, 1, 1], "micros": [2, 1], **change}]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (profile(sizes=[60, 30]), "sizes ascend, each once"),
        (profile(sizes=[60, 60]), "sizes ascend, each once"),
        (profile(sizes=[15, 30]), "the last size is the whole GPU, gpu.computeUnits"),
        (
            profile(kernels=call(symbol=1)),
            "symbol is an index into spec.symbols, counted from 0; one is beyond its end",
        ),
        (profile(kernels=call(micros=[1])), "micros of every kernel has one time for each of the sizes"),
        (profile(kernels=call(stream=1)), "stream is an index into spec.streams, counted from 0"),
        (profile(kernels=call(stream=2), streams=["Null", "Blocking"]), "stream is an index into spec.streams"),
        (profile(kernels=call(grid=[1, 1])), "should have at least 3 items"),
        (profile(kernels=call(micros=[0, 1])), "should be greater than 0"),
        (profile(symbols=["k" * 1025]), "Too long: may not be more than 1024"),
        (profile(symbols=["bell\a"]), "spec.symbols[0] in body should match"),
        (profile(sizes=[*range(1, 9), 60]), "Too many: 9: must have at most 8 items"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_in_words(access: Access, body: Raw, complaint: str) -> None:
    assert complaint in refused(access, body, "--server-side")


def test_symbols_of_more_than_half_a_mebibyte_are_refused(access: Access) -> None:
    symbols = [f"{number:03}{'k' * 1021}" for number in range(MOST_SYMBOL_BYTES // 1024)]

    complaint = refused(access, profile(symbols=[*symbols, "k"]), "--server-side")

    assert "symbols have more than 524288 bytes in all, which is too much for an object" in complaint


def test_the_largest_profile_is_applied_by_the_server(access: Access) -> None:
    symbols = [f"{number:03}{'k' * 1021}" for number in range(MOST_SYMBOL_BYTES // 1024)]
    sizes = [15, 23, 30, 38, 45, 52, 57, 60]
    kernels = [
        {
            "symbol": number % len(symbols),
            "grid": [4096, 16, 1],
            "block": [256, 1, 1],
            "micros": [round(1e5 / size + number, 2) for size in sizes],
        }
        for number in range(MOST_KERNELS)
    ]
    body = profile(symbols=symbols, sizes=sizes, kernels=kernels)
    body["metadata"]["name"] = "largest"

    access.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(body))
    found = access.get("kernelprofile", "largest")

    assert 0.9 * MEBIBYTE < len(json.dumps(found["spec"], separators=(",", ":"))) < MEBIBYTE * 1.1
    read = KernelProfile.read(found)
    assert (len(read.profile.kernels), len(read.spec.symbols)) == (MOST_KERNELS, len(symbols))


def test_711_kernels_with_names_of_300_bytes_take_a_plain_apply(access: Access) -> None:
    body = yaml.safe_load(EXAMPLE.read_text())
    body["metadata"] = {"name": "plain", "namespace": "default"}
    kernels = body["spec"]["kernels"]
    body["spec"]["symbols"] = [f"_ZN{number:03}{'k' * 294}" for number in range(128)]
    for number, kernel in enumerate(kernels):
        kernel["symbol"] = number % 128

    access.apply(body)

    assert (len(kernels), len(body["spec"]["symbols"][0])) == (711, 300)
    applied = access.get("kernelprofile", "plain")["metadata"]["annotations"]
    assert sum(len(text) for text in applied.values()) < ANNOTATIONS


def test_beyond_that_a_plain_apply_has_no_room(access: Access) -> None:
    body = profile(symbols=[f"{number:04}{'k' * 1000}" for number in range(300)])

    assert "Too long: may not be more than 262144" in refused(access, body)
    access.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(body))


def test_a_policy_gets_its_defaults_and_is_what_the_operator_reads(access: Access) -> None:
    access.apply(policy(workload(profileRefs=[{"name": "m"}])))

    found = access.get("colocationpolicy", "p")

    assert (found["spec"]["strategy"], found["spec"]["objective"]) == ("kernel-groups", "fairness")
    assert found["spec"]["workloads"][0]["maxSwitches"] == 14
    assert (
        ColocationPolicy.read(found).spec == ColocationPolicy.read(policy(workload(profileRefs=[{"name": "m"}]))).spec
    )


def status(access: Access, manager: str, body: Raw) -> None:
    access.kubectl(
        "apply",
        "--server-side",
        "--subresource=status",
        f"--field-manager={manager}",
        "-f",
        "-",
        given=json.dumps(body),
    )


def test_kubectl_shows_a_policy_on_one_line(access: Access) -> None:
    access.apply(policy())
    now = datetime.now(UTC)
    ready = Condition(type="Ready", status="True", reason="Enforced", message="", last_transition_time=now)
    wire = PolicyStatus(summary=PolicySummary(workloads=1, pods=3, gpus=2), conditions=(ready,)).wire()
    metadata = {"name": "p", "namespace": "default"}
    status(
        access, "eclip-operator", {"apiVersion": API, "kind": "ColocationPolicy", "metadata": metadata, "status": wire}
    )

    header, line = access.kubectl("get", "clp").splitlines()
    wide = access.kubectl("get", "clp", "-o", "wide").splitlines()[0]

    assert header.split() == ["NAME", "READY", "STRATEGY", "WORKLOADS", "PODS", "GPUS", "AGE"]
    assert line.split()[:6] == ["p", "True", "kernel-groups", "1", "3", "2"]
    assert wide.split()[6:9] == ["ENFORCED", "OBJECTIVE", "REASON"]


@pytest.mark.parametrize("text", [USUAL, LONGEST], ids=["usual", "longest"])
def test_a_full_node_is_written_by_both_its_writers_and_stays_small(text: Mapping[str, str], access: Access) -> None:
    access.kubectl("delete", "nodecolocation", NAME, "--ignore-not-found")
    node = full_node(text).wire()
    bare: Mapping[str, Any] = {"apiVersion": API, "kind": "NodeColocation", "metadata": {"name": NAME}}
    access.kubectl("create", "-f", "-", given=json.dumps(bare))

    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=eclip-operator")
    access.kubectl(*apply, "-f", "-", given=json.dumps({**bare, "spec": node["spec"]}))
    status(access, "eclip-agent", {**bare, "status": node["status"]})
    found = access.get("nodecolocation", NAME, "--show-managed-fields")

    assert len(json.dumps(found, separators=(",", ":"))) < MEBIBYTE // 2
    assert NodeColocation.read(found).spec == full_node(text).spec
    assert NodeColocation.read(found).status.gpus == full_node(text).status.gpus
    header, line = access.kubectl("get", "ncol").splitlines()
    assert header.split() == ["NAME", "GPUS", "SHARES", "USED", "ENFORCED", "AGE"]
    assert line.split()[:5] == [NAME, "64", "512", "512", "512/512"]
    assert "eclip-agent" in {entry["manager"] for entry in found["metadata"]["managedFields"]}


def test_describe_shows_each_slot_with_its_groups_masks_and_state(access: Access) -> None:
    access.kubectl("delete", "nodecolocation", NAME, "--ignore-not-found")
    node = full_node(USUAL, partitions=1).wire()
    access.kubectl(
        "create", "-f", "-", given=json.dumps({key: node[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    )
    status(
        access,
        "eclip-agent",
        {key: node[key] for key in ("apiVersion", "kind", "status")} | {"metadata": {"name": NAME}},
    )

    shown = access.kubectl("describe", "nodecolocation", NAME)

    for text in (
        "Predicted Slowdown:",
        "Gap:",
        "113@30 27@38",
        "+24 more",
        "10:3ff",
        "State:",
        "Enforced",
        "p95Micros:",
    ):
        assert text.lower().replace(" ", "") in shown.lower().replace(" ", "")


@pytest.mark.parametrize(
    ("gpus", "complaint"),
    [
        ([{"id": "a"}, {"id": "a"}], "every GPU is listed once"),
        ([{"id": "a", "slots": [{"slot": "s", "allocation": "x"}] * 2}], "every slot is listed once"),
        (
            [{"id": "a", "slots": [{"slot": "s", "allocation": "x", "mode": "Enforce"}]}],
            "need a table, Unmasked has none",
        ),
        ([{"id": "a", "slots": [{"slot": "s", "allocation": "x", "table": "t"}]}], "need a table, Unmasked has none"),
        ([{"id": "xyz"}], "spec.gpus[0].id in body should match"),
    ],
)
def test_a_node_that_cannot_be_is_refused(access: Access, gpus: list[Raw], complaint: str) -> None:
    body = {"apiVersion": API, "kind": "NodeColocation", "metadata": {"name": "odd"}, "spec": {"gpus": gpus}}

    assert complaint in refused(access, body, "--server-side")


def test_a_table_never_changes_and_has_the_name_of_its_content(access: Access) -> None:
    gpu = {"product": "MI50", "computeUnits": 60, "active": [15, 15, 15, 15]}
    spec = TableSpec.model_validate({"format": 1, "gpu": gpu, "table": encoded(os.urandom(1000))})
    table = LookupTable.of(spec).wire()
    access.apply(table)

    assert LookupTable.read(access.get("lookuptable", spec.address)).genuine
    changed = table | {"spec": table["spec"] | {"format": 2}}
    assert "a LookupTable never changes; another content is another object" in refused(access, changed)
    named = table | {"metadata": {"name": "mine"}}
    assert "a LookupTable is named by the SHA-256 of its content" in refused(access, named)


def test_the_largest_table_is_stored(access: Access) -> None:
    gpu = {"product": "MI50", "computeUnits": 60, "active": [15, 15, 15, 15]}
    groups = [{"model": "m", "groups": ["1@15", "1@30"] * 2048}]
    table = encoded(os.urandom(MEBIBYTE * 3 // 4))
    spec = TableSpec.model_validate({"format": 1, "gpu": gpu, "table": table, "groups": groups})

    access.kubectl("apply", "--server-side", "-f", "-", given=json.dumps(LookupTable.of(spec).wire()))

    assert len(table) == MEBIBYTE
    assert LookupTable.read(access.get("lookuptable", spec.address)).genuine


@pytest.mark.parametrize(
    ("short", "kind"),
    [("clp", "ColocationPolicy"), ("kprof", "KernelProfile"), ("ncol", "NodeColocation"), ("lut", "LookupTable")],
)
def test_every_kind_has_a_short_name_and_explains_itself(access: Access, short: str, kind: str) -> None:
    explained = access.kubectl("explain", short)

    assert f"KIND:       {kind}" in explained
    assert f"{kind} " in explained.split("DESCRIPTION:")[1]


def test_fields_are_explained_with_unit_and_default(access: Access) -> None:
    explained = " ".join(access.kubectl("explain", "clp.spec.workloads").split())

    assert "1 to 100. Default 1." in explained
    assert "in microseconds" in " ".join(access.kubectl("explain", "clp.spec.workloads.latency.p95Micros").split())


def test_all_kinds_are_of_one_category(access: Access) -> None:
    access.apply(policy())

    assert "colocationpolicy.eclip.dev/p" in access.kubectl("get", "eclip", "-A")
