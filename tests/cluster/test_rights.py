"""The chart's rights before a real API server: what an agent's token may do, and which pods are let in.

The tokens are those that kubelet mounts: requested for an agent's pod, so that they name its node.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from chart import EVERYTHING, rendered
from eclip.api import NodeColocation
from kube.access import Access
from kube.bare import BareApi, bare_api
from kube.commands import ClusterError, until

pytestmark = pytest.mark.timeout(600)
HOME = "eclip-system"
AGENT = "demo-eclip-agent"
NODES = ("left", "right")
OURS = "/apis/eclip.dev/v1alpha1"
RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
SOON_S = 60.0
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
Raw = dict[str, Any]


@dataclass(frozen=True)
class Caller:
    """Requests with the token of a service account."""

    server: str
    http: urllib3.PoolManager
    token: str

    def ask(self, method: str, path: str, body: Raw | None = None, kind: str = "application/json") -> tuple[int, str]:
        """Status and text of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, self.server + path, body=data, headers=headers)
        return answer.status, answer.data.decode(errors="replace")

    def may(self, method: str, path: str, body: Raw | None = None, kind: str = "application/json") -> bool:
        """Whether it is allowed: refused is only what is refused for lack of rights."""
        code, text = self.ask(method, path, body, kind)
        assert code < 400 or code == 403, f"{method} {path}: {code} {text}"
        return code < 400


@pytest.fixture(scope="module")
def bare() -> Iterator[BareApi]:
    """An API server with the chart's rights and admission policies, two nodes, and an agent's pod on each."""
    with bare_api() as started:
        access = Access(started.kubeconfig)
        access.kubectl("create", "namespace", HOME)
        objects = [made for made in rendered(EVERYTHING) if made["kind"] in (*RIGHTS, *ADMISSION)]
        access.apply(*objects, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}})
        for node in NODES:
            access.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
            access.apply(agent_pod(node))
        until("admission holds", lambda: admission_holds(started), within=SOON_S)
        yield started


@pytest.fixture(scope="module")
def access(bare: BareApi) -> Access:
    """The administrator."""
    return Access(bare.kubeconfig)


@pytest.fixture
def left(bare: BareApi) -> Caller:
    """The agent of the first node."""
    return agent(bare, NODES[0])


@pytest.fixture(autouse=True)
def nothing_left(access: Access) -> None:
    access.kubectl("delete", "nodecolocations", "--all")


def agent_pod(node: str) -> Raw:
    containers = [{"name": "agent", "image": "none"}]
    spec = {
        "nodeName": node,
        "serviceAccountName": AGENT,
        "automountServiceAccountToken": False,
        "containers": containers,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"agent-{node}", "namespace": HOME}, "spec": spec}


def agent(bare: BareApi, node: str | None) -> Caller:
    """With a token of this node's agent pod; None: with one of the account alone."""
    pod = ("--bound-object-kind=Pod", f"--bound-object-name=agent-{node}") if node else ()
    token = Access(bare.kubeconfig).kubectl("-n", HOME, "create", "token", AGENT, *pod).strip()
    authority = bare.authority.certificate.decode()
    http = urllib3.PoolManager(ca_cert_data=authority, retries=False, timeout=30.0)
    return Caller(bare.server, http, token)


def admission_holds(bare: BareApi) -> bool:
    """Both policies are in force; the API server takes a moment."""
    access = Access(bare.kubeconfig)
    _, text = agent(bare, NODES[0]).ask("POST", f"{OURS}/nodecolocations?dryRun=All", made(access, NODES[1]))
    return "may write the NodeColocation of that name only" in text and bool(refusal(access, shares(2)))


def made(access: Access, node: str, **change: Any) -> Raw:
    """What an agent creates."""
    uid = access.get("node", node)["metadata"]["uid"]
    wire = NodeColocation.of(node, uid).wire()
    del wire["status"]
    return {**wire, **change}


def status(node: str) -> Raw:
    return {
        "apiVersion": "eclip.dev/v1alpha1",
        "kind": "NodeColocation",
        "metadata": {"name": node},
        "status": {"agentVersion": "1"},
    }


def write_status(caller: Caller, node: str) -> bool:
    path = f"{OURS}/nodecolocations/{node}/status?fieldManager=eclip-agent&force=true"
    return caller.may("PATCH", path, status(node), APPLY)


def test_an_agent_makes_its_nodes_object_and_writes_its_status(access: Access, bare: BareApi) -> None:
    for node in NODES:
        caller = agent(bare, node)
        assert caller.may("POST", f"{OURS}/nodecolocations", made(access, node))
        assert write_status(caller, node)
        assert access.get("nodecolocation", node)["status"]["agentVersion"] == "1"


def test_it_does_neither_for_another_node(access: Access, left: Caller, bare: BareApi) -> None:
    assert not left.may("POST", f"{OURS}/nodecolocations", made(access, NODES[1]))
    assert agent(bare, NODES[1]).may("POST", f"{OURS}/nodecolocations", made(access, NODES[1]))
    code, text = left.ask("PATCH", f"{OURS}/nodecolocations/right/status?fieldManager=x", status("right"), APPLY)

    assert code == 403
    assert "the agent of node left may write the NodeColocation of that name only, not right" in text


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"spec": {"config": "mine"}}, "with an empty spec"),
        ({"spec": {"gpus": [{"id": "a"}]}}, "with an empty spec"),
        ({"metadata": {"name": "left"}}, "with its own Node as the only owner"),
        ({"metadata": {"name": "invented"}}, "may write the NodeColocation of that name only, not invented"),
    ],
    ids=["config", "gpus", "no-owner", "other-name"],
)
def test_it_makes_nothing_but_the_empty_object(access: Access, left: Caller, change: Raw, complaint: str) -> None:
    code, text = left.ask("POST", f"{OURS}/nodecolocations", made(access, "left", **change))

    assert (code, complaint in text) == (403, True), text


@pytest.mark.parametrize(
    ("owner", "complaint"),
    [
        ({"uid": "another"}, "with its own Node as the only owner"),
        ({"name": "right"}, "with its own Node as the only owner"),
        ({"kind": "Pod"}, "with its own Node as the only owner"),
    ],
    ids=["uid", "name", "kind"],
)
def test_the_owner_is_its_own_node(access: Access, left: Caller, owner: Raw, complaint: str) -> None:
    body = made(access, "left")
    body["metadata"]["ownerReferences"][0] |= owner

    code, text = left.ask("POST", f"{OURS}/nodecolocations", body)

    assert (code, complaint in text) == (403, True), text


def test_it_sets_no_finalizer_and_names_no_second_owner(access: Access, left: Caller) -> None:
    finalized, owned = made(access, "left"), made(access, "left")
    finalized["metadata"]["finalizers"] = ["example.com/for-ever"]
    owned["metadata"]["ownerReferences"] *= 2
    owned["metadata"]["ownerReferences"][1] = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "y"}

    assert not left.may("POST", f"{OURS}/nodecolocations", finalized)
    assert not left.may("POST", f"{OURS}/nodecolocations", owned)


def test_a_token_without_a_node_writes_nothing(access: Access, bare: BareApi, left: Caller) -> None:
    nobody = agent(bare, None)
    assert left.may("POST", f"{OURS}/nodecolocations", made(access, "left"))

    code, text = nobody.ask("PATCH", f"{OURS}/nodecolocations/left/status?fieldManager=x", status("left"), APPLY)

    assert code == 403
    assert "this token names none" in text
    assert not nobody.may("POST", f"{OURS}/nodecolocations", made(access, "right"))


def test_it_cannot_touch_the_spec_or_the_metadata_of_its_own_object(access: Access, left: Caller) -> None:
    path = f"{OURS}/nodecolocations/left"
    assert left.may("POST", f"{OURS}/nodecolocations", made(access, "left"))

    assert not left.may("PATCH", path, {"spec": {"config": "mine"}}, MERGE)
    assert not left.may("PATCH", path, {"metadata": {"labels": {"a": "b"}}}, MERGE)
    assert not left.may("PUT", path, access.get("nodecolocation", "left"))
    assert not left.may("DELETE", path)
    # By way of the status neither: the API server drops the rest.
    assert left.may("PATCH", f"{path}/status", {"spec": {"config": "mine"}, "status": {"config": "x"}}, MERGE)
    found = access.get("nodecolocation", "left")
    assert (found["spec"].get("config"), found["status"]["config"]) == (None, "x")


def test_it_reads_tables_by_name_and_the_objects_of_all_nodes(left: Caller) -> None:
    code, _ = left.ask("GET", f"{OURS}/lookuptables/none")

    assert code == 404
    assert left.may("GET", f"{OURS}/nodecolocations")
    assert not left.may("GET", f"{OURS}/lookuptables")
    assert not left.may("POST", f"{OURS}/lookuptables", {"metadata": {"name": "x"}})
    assert not left.may("DELETE", f"{OURS}/lookuptables/none")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nodes",
        "/api/v1/nodes/left",
        "/api/v1/pods",
        f"/api/v1/namespaces/{HOME}/pods/agent-left",
        "/api/v1/secrets",
        f"/api/v1/namespaces/{HOME}/configmaps",
        "/api/v1/namespaces",
        f"{OURS}/colocationpolicies",
        f"{OURS}/kernelprofiles",
    ],
)
def test_it_reads_nothing_else(left: Caller, path: str) -> None:
    assert not left.may("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/v1/nodes/left", {"metadata": {"labels": {"a": "b"}}}),
        ("PATCH", "/api/v1/nodes/left/status", {"status": {}}),
        ("POST", f"/api/v1/namespaces/{HOME}/events", {}),
        ("POST", f"/api/v1/namespaces/{HOME}/pods", {}),
        ("POST", f"/api/v1/namespaces/{HOME}/secrets", {}),
        ("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/{AGENT}/token", {}),
        ("DELETE", f"/api/v1/namespaces/{HOME}/pods/agent-left", None),
        ("PATCH", f"{OURS}/namespaces/default/colocationpolicies/p/status", {"status": {}}),
    ],
)
def test_it_writes_nothing_else(left: Caller, method: str, path: str, body: Raw | None) -> None:
    assert not left.may(method, path, body, MERGE if method == "PATCH" else "application/json")


def test_users_of_a_namespace_edit_their_policies_there_and_read_no_nodes(access: Access) -> None:
    access.kubectl("create", "namespace", "team")
    access.kubectl("-n", "team", "create", "rolebinding", "ann", "--clusterrole=demo-eclip-edit", "--user=ann")

    def can(verb: str, what: str, namespace: str, *more: str) -> bool:
        try:
            asked = ("auth", "can-i", verb, f"{what}.eclip.dev", "-n", namespace, "--as=ann", *more)
            return access.kubectl(*asked).strip() == "yes"
        except ClusterError:
            return False

    until("the binding is known", lambda: can("create", "colocationpolicies", "team"), within=SOON_S)
    assert not can("create", "colocationpolicies", "default")
    assert not can("get", "nodecolocations", "team")
    assert not can("patch", "colocationpolicies", "team", "--subresource=status")


def shares(*wanted: int | str, init: bool = False, resource: str = "eclip.dev/gpu-share") -> Raw:
    """A pod whose containers ask for so many shares."""
    containers = [
        {"name": f"c{number}", "image": "none", "resources": {"limits": {resource: str(many)} if many else {}}}
        for number, many in enumerate(wanted)
    ]
    spec: Raw = {"containers": containers, "automountServiceAccountToken": False}
    if init:
        spec = {**spec, "containers": [{"name": "main", "image": "none"}], "initContainers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec}


def refusal(access: Access, pod: Raw) -> str:
    """What kubectl says to a pod that is refused; empty if it is not."""
    try:
        access.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(pod))
    except ClusterError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "pod",
    [shares(1), shares(1, 1), shares(0), shares(1, init=True), shares(3, resource="amd.com/gpu")],
    ids=["one", "one-each", "none", "init", "other-resource"],
)
def test_pods_with_a_share_a_container_are_let_in(access: Access, pod: Raw) -> None:
    assert refusal(access, pod) == ""


@pytest.mark.parametrize(
    ("pod", "culprit"),
    [(shares(2), "c0"), (shares(1, 3), "c1"), (shares(2, init=True), "c0"), (shares("2k"), "c0")],
    ids=["two", "second-container", "init", "thousands"],
)
def test_a_container_with_more_than_one_share_is_refused_with_the_reason(
    access: Access, pod: Raw, culprit: str
) -> None:
    said = refusal(access, pod)

    assert f"container {culprit}: more than one share per container is not supported yet: ask for 1" in said
    assert "or for a whole GPU by eclip.dev/gpu" in said


@pytest.mark.parametrize("name", ["demo-eclip-agent.eclip.dev", "demo-eclip-one-share.eclip.dev"])
def test_the_policies_have_their_bindings(access: Access, name: str) -> None:
    assert access.get("validatingadmissionpolicy", name)["spec"]["failurePolicy"] == "Fail"
    assert access.get("validatingadmissionpolicybinding", name)["spec"]["policyName"] == name
