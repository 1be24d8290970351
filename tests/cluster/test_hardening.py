"""ECLIP as it runs on nodes: what its processes cannot do, what an agent's own token may, and `helm test`."""

import json
from typing import Any

import pytest
import urllib3
import yaml

from eclip.api import NodeColocation
from kube.access import Access
from kube.cluster import Cluster
from kube.installation import NAMESPACE, RELEASE, VALUES, Installation
from kube.release import CHART, ROOT

pytestmark = pytest.mark.timeout(900)
PROFILE = ROOT / "examples" / "profiles" / "alexnet-b8.yaml"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
OURS = "/apis/eclip.dev/v1alpha1"
APPLY = "application/apply-patch+yaml"
CONTAINERS = [("node", "plugin"), ("node", "agent"), ("operator", "operator"), ("emulator", "emulator")]


def run_in(access: Access, pod: str, container: str, script: str) -> str:
    return access.kubectl("exec", "-n", NAMESPACE, pod, "-c", container, "--", "sh", "-c", script)


def pod_of(access: Access, component: str) -> str:
    """The first pod of a component."""
    pods = access.get("pods", "-n", NAMESPACE, "-l", f"app.kubernetes.io/component={component}")["items"]
    return str(min(pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]))


@pytest.mark.parametrize(("component", "container"), CONTAINERS, ids=[container for _, container in CONTAINERS])
def test_a_process_of_ours_has_no_capabilities_and_cannot_get_any(
    installation: Installation, component: str, container: str
) -> None:
    status = run_in(installation.access, pod_of(installation.access, component), container, "cat /proc/1/status")
    of = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert {of[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (of["NoNewPrivs"], of["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize(("component", "container"), CONTAINERS, ids=[container for _, container in CONTAINERS])
def test_its_root_file_system_cannot_be_written(installation: Installation, component: str, container: str) -> None:
    said = run_in(
        installation.access, pod_of(installation.access, component), container, "touch /opt/new 2>&1; echo $?"
    )

    assert "Read-only file system" in said


def test_the_plugin_has_no_token_and_listens_on_no_port(installation: Installation) -> None:
    pod = pod_of(installation.access, "node")

    assert run_in(installation.access, pod, "plugin", f"ls {TOKEN} 2>&1; true").endswith("No such file or directory\n")
    # Its own sockets, not those of the agent beside it, which shares its network.
    sockets = run_in(
        installation.access,
        pod,
        "plugin",
        "for f in /proc/1/fd/*; do readlink $f; done | grep ^socket: | tr -dc '0-9\\n'",
    )
    tables = run_in(installation.access, pod, "plugin", "cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6")
    inodes = {line.split()[9] for line in tables.splitlines() if len(line.split()) > 9}
    assert inodes & set(sockets.split()) == set()


def test_the_agent_sees_a_device_of_the_host_and_cannot_open_it(cluster: Cluster, installation: Installation) -> None:
    name, node = next(iter(cluster.nodes.items()))
    # The host's memory, by its numbers: a device that no container has.
    node.machine.run("mknod", "-m", "666", "/dev/forbidden", "c", "1", "1")
    try:
        script = "stat -c %F /host/dev/forbidden; head -c1 /host/dev/forbidden 2>&1; true"
        said = run_in(installation.access, installation.agent(name), "agent", script)
    finally:
        node.machine.run("rm", "/dev/forbidden")

    assert said.startswith("character special file\n")
    assert said.rstrip().endswith("Operation not permitted")


class Agent:
    """Requests with the very token that the agent of a node has."""

    def __init__(self, installation: Installation, node: str) -> None:
        self.node = node
        token = run_in(installation.access, installation.agent(node), "agent", f"cat {TOKEN}").strip()
        settings = installation.access.api.configuration
        self._server, self._headers = settings.host, {"Authorization": f"Bearer {token}"}
        self._http = urllib3.PoolManager(ca_certs=settings.ssl_ca_cert, retries=False, timeout=30.0)

    def may(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> bool:
        """Whether it is allowed."""
        headers = self._headers | {"Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        answer = self._http.request(method, self._server + path, body=data, headers=headers)
        assert answer.status < 400 or answer.status == 403, answer.data.decode(errors="replace")
        return answer.status < 400


def test_the_tokens_of_two_agents_write_their_own_status_and_nothing_else(installation: Installation) -> None:
    names = sorted(node["metadata"]["name"] for node in installation.access.get("nodes")["items"])[:2]
    first, second = (Agent(installation, name) for name in names)
    assert len(names) == 2

    for agent, other in ((first, second), (second, first)):
        mine, theirs = (f"{OURS}/nodecolocations/{who.node}" for who in (agent, other))
        said = {"apiVersion": "eclip.dev/v1alpha1", "kind": "NodeColocation", "metadata": {"name": agent.node}}
        dry = "?fieldManager=test&force=true&dryRun=All"
        assert agent.may("PATCH", f"{mine}/status{dry}", said | {"status": {"agentVersion": "x"}}, APPLY)
        stolen = said | {"metadata": {"name": other.node}, "status": {"agentVersion": "x"}}
        assert not agent.may("PATCH", f"{theirs}/status{dry}", stolen, APPLY)
        for path in (mine, theirs):
            assert not agent.may("PATCH", f"{path}{dry}", {"spec": {"config": "x"}}, "application/merge-patch+json")
            assert not agent.may("DELETE", f"{path}?dryRun=All")
        invented = NodeColocation.of("invented", "uid").wire()
        assert not agent.may("POST", f"{OURS}/nodecolocations?dryRun=All", invented)
        for path in ("nodes", f"nodes/{agent.node}", "pods", "events", "secrets", f"namespaces/{NAMESPACE}/secrets"):
            assert not agent.may("GET", f"/api/v1/{path}")
        for kind in ("events", "pods", "secrets"):
            assert not agent.may("POST", f"/api/v1/namespaces/{NAMESPACE}/{kind}?dryRun=All", {})


def test_the_admission_policies_have_nothing_to_complain_of(installation: Installation) -> None:
    for policy in installation.access.get("validatingadmissionpolicies")["items"]:
        if policy["metadata"]["name"].startswith(f"{RELEASE}-"):
            assert policy["status"]["typeChecking"] == {}


def test_helm_test_takes_a_share_and_sees_it_enforced(installation: Installation) -> None:
    profile = yaml.safe_load(PROFILE.read_text())["spec"]
    values = {**VALUES, "test": {"profile": profile, "timeoutSeconds": 240}}
    installation.helm("upgrade", RELEASE, CHART, "--reuse-values", values=values)

    said = installation.helm("test", RELEASE, "--timeout=300s", within=330.0)

    assert said.count("Phase:          Succeeded") >= 5
    left = installation.access.get("jobs,kernelprofiles,colocationpolicies", "-n", NAMESPACE)["items"]
    assert [one["metadata"]["name"] for one in left] == []
