"""The operator before a real API server, without nodes: what it writes, what it leaves alone, and what it survives."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.bare import Api, BareApi, RefusedError, bare_api
from kube.commands import until
from kube.operating import (
    OURS,
    OperatorProcess,
    namespace,
    node,
    operating,
    pod,
    policy,
    profile,
    put,
    report,
    slot,
    workload,
)

pytestmark = pytest.mark.timeout(600)
SOON_S = 60.0


@pytest.fixture(scope="module")
def bare() -> Iterator[BareApi]:
    """An API server whose namespaces end."""
    with bare_api(controllers=True) as started:
        yield started


@pytest.fixture(scope="module")
def api(bare: BareApi) -> Api:
    """Its administrator."""
    return bare.api


@pytest.fixture
def operator(bare: BareApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One that keeps tables for two seconds only."""
    with operating(tmp_path, bare.kubeconfig, "--table-retention=2") as started:
        yield started


def populate(api: Api, name: str, pods: tuple[str, ...] = ("one", "two")) -> None:
    """A namespace, a node and a GPU of that name, with pods of alexnet on it."""
    namespace(api, name)
    put(api, profile("alexnet-b8", name))
    node(api, name)
    slots = [slot("aa", number, name, one, pod(api, one, name, name, "alexnet")) for number, one in enumerate(pods)]
    report(api, name, {"aa": slots})


def spec(api: Api, name: str) -> list[dict]:
    """Slots of a node's spec."""
    gpus = api.request("GET", f"{OURS}/nodecolocations/{name}")["spec"].get("gpus", [])
    return [one for gpu in gpus for one in gpu["slots"]]


def modes(api: Api, name: str) -> list[str]:
    """Their modes."""
    return [one["mode"] for one in spec(api, name)]


def conditions(api: Api, home: str) -> dict[str, tuple[str, str]]:
    """Status and reason of the conditions of the policy p."""
    found = api.request("GET", f"{OURS}/namespaces/{home}/colocationpolicies/p").get("status", {})
    return {one["type"]: (one["status"], one["reason"]) for one in found.get("conditions", ())}


def events(api: Api, home: str) -> set[tuple[str, str]]:
    """Kind and reason of our Events of a namespace."""
    found = api.items(f"/api/v1/namespaces/{home}/events")
    return {
        (one["involvedObject"]["kind"], one["reason"])
        for one in found
        if one["source"]["component"].startswith("eclip")
    }


def labels(api: Api, name: str) -> dict[str, str]:
    """Our labels of a node."""
    found = api.request("GET", f"/api/v1/nodes/{name}")["metadata"].get("labels", {})
    return {key: value for key, value in found.items() if key.startswith("eclip.dev/gpu.")}


def test_a_policy_programs_its_node_and_says_so_everywhere(api: Api, operator: OperatorProcess) -> None:
    populate(api, "first")
    until("the pods share unmasked", lambda: modes(api, "first") == ["Unmasked"] * 2, within=SOON_S)

    put(api, policy("p", "first", [workload("alexnet", "alexnet-b8")]))

    until("the node is programmed", lambda: modes(api, "first") == ["Enforce"] * 2, within=SOON_S)
    for one in spec(api, "first"):
        table = api.request("GET", f"{OURS}/lookuptables/{one['table']}")
        assert "finalizers" not in table["metadata"]
    until(
        "the policy is told",
        lambda: conditions(api, "first").get("Programmed") == ("True", "Programmed"),
        within=SOON_S,
    )
    assert conditions(api, "first")["Ready"] == ("False", "Pending")
    assert labels(api, "first") == {
        "eclip.dev/gpu.product": "MI50",
        "eclip.dev/gpu.compute-units": "60",
        "eclip.dev/gpu.shares": "4",
    }
    until(
        "events tell the decisions",
        lambda: (
            {("ColocationPolicy", "Programmed"), ("Pod", "Planned")} <= events(api, "first")
            and {("NodeColocation", "Planned"), ("Node", "GPUsLabelled")} <= events(api, "default")
        ),
        within=SOON_S,
    )


def test_it_writes_under_its_own_name_and_leaves_no_finalizer_and_no_annotation(
    api: Api, operator: OperatorProcess
) -> None:
    populate(api, "second")
    put(api, policy("p", "second", [workload("alexnet", "alexnet-b8")]))
    until("the node is programmed", lambda: modes(api, "second") == ["Enforce"] * 2, within=SOON_S)

    paths = [
        f"{OURS}/nodecolocations/second",
        f"{OURS}/namespaces/second/colocationpolicies/p",
        f"{OURS}/namespaces/second/kernelprofiles/alexnet-b8",
        "/api/v1/namespaces/second/pods/one",
        "/api/v1/nodes/second",
    ]
    for path in paths:
        metadata = api.request("GET", path)["metadata"]
        assert "finalizers" not in metadata, path
        assert "annotations" not in metadata, path
        managers = {one["manager"] for one in metadata["managedFields"]}
        assert managers <= {"test", "eclip-operator", "eclip-agent", "python-urllib3"}, path


def test_masks_go_with_their_policy_and_tables_a_while_later(api: Api, operator: OperatorProcess) -> None:
    populate(api, "third")
    put(api, policy("p", "third", [workload("alexnet", "alexnet-b8")]))
    until("the node is programmed", lambda: modes(api, "third") == ["Enforce"] * 2, within=SOON_S)
    tables = {one["table"] for one in spec(api, "third")}

    api.delete(f"{OURS}/namespaces/third/colocationpolicies/p")

    until("the masks are released", lambda: modes(api, "third") == ["Unmasked"] * 2, within=SOON_S)
    others = {
        one.get("table") for name in ("first", "second") if api.get(f"/api/v1/nodes/{name}") for one in spec(api, name)
    }
    gone = tables - others
    until(
        "tables that nobody names are gone",
        lambda: not any(api.get(f"{OURS}/lookuptables/{name}") for name in gone),
        within=SOON_S,
    )


def test_labels_go_with_the_gpu(api: Api, operator: OperatorProcess) -> None:
    populate(api, "fourth")
    until("the node is labelled", lambda: labels(api, "fourth"), within=SOON_S)

    report(api, "fourth", {})
    until("its labels are gone", lambda: not labels(api, "fourth"), within=SOON_S)


def test_a_pod_that_leaves_and_a_profile_that_comes_are_seen(api: Api, operator: OperatorProcess) -> None:
    namespace(api, "fifth")
    node(api, "fifth")
    slots = [slot("aa", n, "fifth", name, pod(api, name, "fifth", "fifth", "alexnet")) for n, name in enumerate("xy")]
    report(api, "fifth", {"aa": slots})
    put(api, policy("p", "fifth", [workload("alexnet", "alexnet-b8")]))
    until(
        "the lack is told",
        lambda: conditions(api, "fifth").get("ProfilesResolved") == ("False", "ProfileMissing"),
        within=SOON_S,
    )
    assert conditions(api, "fifth")["Ready"][0] == "True"

    put(api, profile("alexnet-b8", "fifth"))
    until("both are masked", lambda: modes(api, "fifth") == ["Enforce"] * 2, within=SOON_S)
    report(api, "fifth", {"aa": slots[:1]})
    until("one is left", lambda: modes(api, "fifth") == ["Enforce"], within=SOON_S)


def test_a_pod_is_profiled_when_its_owner_asks(api: Api, operator: OperatorProcess) -> None:
    populate(api, "sixth")
    put(api, policy("p", "sixth", [workload("alexnet", "alexnet-b8")]))
    until("the node is programmed", lambda: modes(api, "sixth") == ["Enforce"] * 2, within=SOON_S)

    marked = {"labels": {"eclip.dev/profile": "wanted"}, "annotations": {"eclip.dev/profile": "exclusive"}}
    path = "/api/v1/namespaces/sixth/pods/one"
    api.request("PATCH", path, {"metadata": marked}, "application/merge-patch+json")
    until("it is profiled", lambda: modes(api, "sixth") == ["Profile", "Enforce"], within=SOON_S)

    unmarked = {"labels": {"eclip.dev/profile": None}, "annotations": {"eclip.dev/profile": None}}
    api.request("PATCH", path, {"metadata": unmarked}, "application/merge-patch+json")
    until("it is masked again", lambda: modes(api, "sixth") == ["Enforce"] * 2, within=SOON_S)


def test_a_namespace_with_a_policy_in_use_can_be_deleted_while_no_operator_runs(
    bare: BareApi, api: Api, tmp_path: Path
) -> None:
    namespace(api, "seventh")
    put(api, profile("alexnet-b8", "seventh"))
    node(api, "seventh")
    report(api, "seventh", {"aa": []})
    with operating(tmp_path, bare.kubeconfig):
        put(api, policy("p", "seventh", [workload("alexnet", "alexnet-b8")]))
        until("the policy is told", lambda: "Ready" in conditions(api, "seventh"), within=SOON_S)

    started = time.monotonic()
    api.delete("/api/v1/namespaces/seventh")
    until("the namespace is gone", lambda: api.get("/api/v1/namespaces/seventh") is None, within=10.0)
    print(f"deleted in {time.monotonic() - started:.1f} s")  # noqa: T201 - a measured promise

    # The policy's end is seen by the next one, though nobody was there when it happened.
    with operating(tmp_path, bare.kubeconfig):
        assert "seventh" not in {one["metadata"]["namespace"] for one in api.items(f"{OURS}/colocationpolicies")}


def test_a_policy_that_ends_while_no_operator_runs_is_seen_by_the_next(bare: BareApi, api: Api, tmp_path: Path) -> None:
    populate(api, "eighth")
    put(api, policy("p", "eighth", [workload("alexnet", "alexnet-b8")]))
    with operating(tmp_path, bare.kubeconfig):
        until("the node is programmed", lambda: modes(api, "eighth") == ["Enforce"] * 2, within=SOON_S)

    api.delete(f"{OURS}/namespaces/eighth/colocationpolicies/p")

    with operating(tmp_path, bare.kubeconfig):
        until("the masks are released", lambda: modes(api, "eighth") == ["Unmasked"] * 2, within=SOON_S)


def test_a_second_run_on_a_finished_cluster_writes_nothing(bare: BareApi, api: Api, tmp_path: Path) -> None:
    populate(api, "ninth")
    put(api, policy("p", "ninth", [workload("alexnet", "alexnet-b8")]))
    with operating(tmp_path, bare.kubeconfig):
        until(
            "all is written",
            lambda: (
                conditions(api, "ninth").get("Programmed") == ("True", "Programmed")
                and modes(api, "ninth") == ["Enforce"] * 2
                and labels(api, "ninth")
            ),
            within=SOON_S,
        )

    def versions() -> list[str]:
        paths = (f"{OURS}/nodecolocations", f"{OURS}/colocationpolicies", "/api/v1/nodes", f"{OURS}/lookuptables")
        return [one["metadata"]["resourceVersion"] for path in paths for one in api.items(path)]

    before = versions()
    with operating(tmp_path, bare.kubeconfig) as second:
        until(
            "policies were looked at",
            lambda: "eclip_operator_reconcile_seconds_count" in second.http("/metrics")[1],
            within=SOON_S,
        )
        assert versions() == before


def test_new_labels_of_a_running_pod_are_seen_soon(api: Api, operator: OperatorProcess) -> None:
    populate(api, "thirteenth")
    put(api, policy("p", "thirteenth", [workload("alexnet", "alexnet-b8")]))
    until("the node is programmed", lambda: modes(api, "thirteenth") == ["Enforce"] * 2, within=SOON_S)

    for app, wanted in (("other", ["Unmasked", "Enforce"]), ("alexnet", ["Enforce"] * 2)):
        body = {"metadata": {"labels": {"app": app}}}
        api.request("PATCH", "/api/v1/namespaces/thirteenth/pods/one", body, "application/merge-patch+json")
        until(f"it counts as {app}", lambda w=wanted: modes(api, "thirteenth") == w, within=SOON_S)


def test_a_node_whose_agent_is_gone_is_unknown_until_the_agent_is_back(bare: BareApi, api: Api, tmp_path: Path) -> None:
    populate(api, "twelfth", ("one",))
    namespace(api, "release")
    put(api, policy("p", "twelfth", [workload("alexnet", "alexnet-b8")]))
    agent(api, "twelfth", ready=True)

    def told() -> tuple[tuple[str, str] | None, str | None]:
        found = api.request("GET", f"{OURS}/nodecolocations/twelfth")["status"]
        mine = {one["type"]: one["status"] for one in found.get("conditions", ())}
        return conditions(api, "twelfth").get("Enforced"), mine.get("AgentReady")

    with operating(tmp_path, bare.kubeconfig, "--agents", "release", "app=agent"):
        until("the node is programmed", lambda: modes(api, "twelfth") == ["Enforce"], within=SOON_S)
        uid = api.request("GET", "/api/v1/namespaces/twelfth/pods/one")["metadata"]["uid"]
        report(api, "twelfth", {"aa": [slot("aa", 0, "twelfth", "one", uid, state="Enforced")]})
        until("masks are in force", lambda: told() == (("True", "Enforced"), None), within=SOON_S)

        agent(api, "twelfth", ready=False)
        until("nothing is believed", lambda: told() == (("Unknown", "AgentLost"), "False"), within=SOON_S)
        assert modes(api, "twelfth") == ["Enforce"]
        # Its agent's next report takes nothing away of what is not its own.
        report(api, "twelfth", {"aa": [slot("aa", 0, "twelfth", "one", uid, state="Enforced", generation=2)]})
        assert told()[1] == "False"

        agent(api, "twelfth", ready=True)
        until("all is as before", lambda: told() == (("True", "Enforced"), "True"), within=SOON_S)

        api.request("DELETE", "/api/v1/namespaces/release/pods/agent-twelfth", {"gracePeriodSeconds": 0})
        until("a pod that is gone is an agent lost", lambda: told()[1] == "False", within=SOON_S)


def agent(api: Api, on: str, *, ready: bool) -> None:
    """An agent's pod on a node, as kubelet says it is."""
    path = "/api/v1/namespaces/release/pods"
    if api.get(f"{path}/agent-{on}") is None:
        pod(api, f"agent-{on}", "release", on, "agent")
    container = {"name": "agent", "ready": ready, "restartCount": 0, "image": "none", "imageID": "none"}
    body = {"status": {"phase": "Running", "containerStatuses": [container]}}
    api.request("PATCH", f"{path}/agent-{on}/status", body, "application/merge-patch+json")


def test_it_tells_what_it_does_by_metrics_and_probes(api: Api, operator: OperatorProcess) -> None:
    populate(api, "tenth")
    put(api, policy("p", "tenth", [workload("alexnet", "alexnet-b8")]))
    until("the node is programmed", lambda: modes(api, "tenth") == ["Enforce"] * 2, within=SOON_S)

    metrics = operator.http("/metrics")[1]

    made = re.search(r'eclip_operator_plans_total{result="planned",strategy="kernel-groups"} (\S+)', metrics)
    assert made is not None
    assert float(made[1]) >= 1
    for name in (
        "reconcile_seconds_count",
        "solve_seconds_count",
        "plan_gap_ratio_count",
        "queue_length",
        "writes_total",
    ):
        assert f"eclip_operator_{name}" in metrics
    assert operator.http("/healthz")[0] == 200
    assert operator.http("/readyz")[0] == 200


def test_it_ends_when_it_is_told_to(bare: BareApi, tmp_path: Path) -> None:
    with operating(tmp_path, bare.kubeconfig) as started:
        started.process.terminate()
        try:
            code = started.process.wait(20)
        except subprocess.TimeoutExpired:
            pytest.fail("it goes on")
        assert code == 0


def test_objects_that_the_crds_refuse_never_reach_it(api: Api) -> None:
    namespace(api, "eleventh")
    with pytest.raises(RefusedError):
        put(api, policy("p", "eleventh", []))
