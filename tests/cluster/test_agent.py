"""The node agent between a real kubelet and a real API server, with the rights that the chart gives it."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from chart import EVERYTHING, rendered
from eclip.api import LookupTable, NodeColocation, names
from eclip.api.node_status import SlotStatus
from eclip.api.table import TableSpec, TableTopology, encoded
from eclip.plan import Stream
from eclip.slot import table
from eclip.slot.lookup import Kernel, Model, StreamGroup, Table, Variant
from kube.binaries import binaries
from kube.cluster import Cluster
from kube.commands import ClusterError, run, until
from kube.images import BASE, base
from kube.machine import Machine

pytestmark = pytest.mark.timeout(900)
HOME, AGENT = "eclip-system", "demo-eclip-agent"
STATE = names.STATE_ROOT
KINDS = ("CustomResourceDefinition",)
RIGHTS = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")
ADMISSION = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
INSTALL = "from eclip_device_plugin.main import install_library; raise SystemExit(install_library())"
EMULATE = "from eclip.emulated.program import main; raise SystemExit(main(['--once']))"
PLUGIN = ("-m", "eclip_device_plugin", "--device-source=emulated", "--node-configs=/machine/none")
SOON_S = 60.0
Raw = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A node with a plugin and an agent beside its kubelet."""

    cluster: Cluster
    name: str

    @property
    def machine(self) -> Machine:
        return self.cluster.nodes[self.name].machine

    def start_agent(self) -> None:
        """As its container runs it."""
        self.machine.start(
            "agent", sys.executable, "-m", "eclip_node_agent", f"--state={STATE}", f"--sysfs={STATE}/emulated/sysfs",
            "--pod-logs=/var/log/pods", "--proc=/proc", "--token=/machine/agent.token",
            "--kubeconfig=/machine/agent.kubeconfig",
        )  # fmt: skip

    def object(self) -> NodeColocation | None:
        found = self.cluster.access.kubectl("get", "nodecolocation", self.name, "-o", "json", "--ignore-not-found")
        return NodeColocation.read(json.loads(found)) if found.strip() else None

    def conditions(self) -> dict[str, str]:
        found = self.object()
        return {each.type: each.status for each in found.status.conditions} if found else {}

    def slot(self, pod: str) -> SlotStatus | None:
        found = self.object()
        slots = [slot for gpu in found.status.gpus for slot in gpu.slots] if found else []
        return next((slot for slot in slots if slot.pod and slot.pod.name == pod), None)

    def patch(self, spec: Raw) -> None:
        """The operator's word."""
        self.cluster.access.kubectl(
            "patch", "nodecolocation", self.name, "--type=merge", "--patch", json.dumps({"spec": spec})
        )

    def metric(self, name: str) -> float:
        """Of the agent."""
        script = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9401/metrics').read().decode())"
        lines = self.machine.run(sys.executable, "-c", script).splitlines()
        return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(name)))


def pod(name: str, node: str, **spec: Any) -> Raw:
    """A pod that sleeps."""
    container = {
        "name": "main",
        "image": BASE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
        **({"resources": {"limits": {names.GPU_SHARE: "1"}}} if not spec else {}),
    }
    placed = {"nodeSelector": {"kubernetes.io/hostname": node}, "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": HOME if spec else "default"},
        "spec": {**placed, "containers": [container], **spec},
    }


def give_token(site: Site) -> None:
    """What kubelet would mount: a token for an agent's pod on this node, and the way to the API server."""
    access, machine = site.cluster.access, site.machine
    access.apply(pod(f"agent-{site.name}", site.name, serviceAccountName=AGENT, automountServiceAccountToken=False))

    def token() -> str:
        bound = ("--bound-object-kind=Pod", f"--bound-object-name=agent-{site.name}")
        found = access.get("pod", f"agent-{site.name}", f"--namespace={HOME}")
        placed = found["spec"].get("nodeName") == site.name
        return access.kubectl("create", "token", AGENT, f"--namespace={HOME}", *bound).strip() if placed else ""

    made = until("a token with a node claim", token, within=SOON_S)
    (machine.files / "agent.token").write_text(made)
    config = yaml.safe_load((machine.files / "kubelet.kubeconfig").read_text())
    config["users"] = [{"name": user["name"], "user": {"token": made}} for user in config["users"]]
    (machine.files / "agent.kubeconfig").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    made = Site(cluster, cluster.names[0])
    access, machine = cluster.access, made.machine
    cluster.nodes[made.name].load(base())
    objects = [found for found in rendered(EVERYTHING) if found["kind"] in (*KINDS, *RIGHTS, *ADMISSION)]
    try:
        access.kubectl("create", "namespace", HOME)
        access.apply(*objects)
        give_token(made)
        environment = ("env", f"ECLIP_STATE={STATE}", f"NODE_NAME={made.name}")
        for program in (EMULATE, INSTALL):
            machine.run(*environment, sys.executable, "-c", program)
        machine.start("plugin", *environment, sys.executable, *PLUGIN)
        made.start_agent()
        yield made
    finally:
        for daemon in ("agent", "plugin"):
            with contextlib.suppress(ClusterError):  # it never ran
                machine.kill(daemon)
        machine.run("sh", "-c", f"rm -rf {STATE}/*")
        access.kubectl("delete", "pod", "--all", "--grace-period=0", "--force")
        # All of it, and waited for: the next tests install the chart on this cluster.
        access.delete(*objects)
        access.kubectl("delete", "namespace", HOME, within=SOON_S)


@pytest.fixture(scope="module")
def web(site: Site) -> SlotStatus:
    """A pod with a share, as the agent reports it."""
    site.cluster.access.apply(pod("web", site.name))
    return until("the pod in its slot", lambda: site.slot("web"), within=SOON_S)


def chain() -> LookupTable:
    """A table that nobody runs under."""
    model = Model("m", ("k",), (), (Kernel(0, (1, 1, 1), (1, 1, 1), 0),), 0)
    made = Table("MI50", 60, (Stream(15, 0x7FFF),), (model,), (Variant(1, ((StreamGroup(0, 0, 0),),)),))
    topology = TableTopology(product="MI50", compute_units=60, active=(15, 15, 15, 15))
    return LookupTable.of(TableSpec(format=1, gpu=topology, table=encoded(table.pack(made))))


def test_the_nodes_object_is_there_and_owned_by_the_node(site: Site) -> None:
    found = until("a status with a GPU", lambda: (o := site.object()) and o.status.gpus and o, within=SOON_S)

    uid = site.cluster.access.get("node", site.name)["metadata"]["uid"]
    (owner,), (gpu,) = found.metadata.owner_references, found.status.gpus
    assert (owner.kind, owner.name, owner.uid) == ("Node", site.name, uid)
    assert (gpu.product, gpu.shares, gpu.emulated) == ("MI50", 4, True)
    assert found.status.memory_isolation == "None"
    until("all is well", lambda: site.conditions().get("Ready") == "True", within=SOON_S)


def test_a_pod_is_seen_in_its_slot_with_its_uid(site: Site, web: SlotStatus) -> None:
    uid = site.cluster.access.get("pod", "web")["metadata"]["uid"]

    assert (web.pod.namespace, web.container, web.state.value) == ("default", "main", "Pending")
    until("its UID, once its container has been made", lambda: site.slot("web").pod.uid == uid, within=SOON_S)


def test_a_table_of_the_spec_is_in_the_slot_and_taken_back(site: Site, web: SlotStatus) -> None:
    made = chain()
    site.cluster.access.apply(made.wire())
    gpu = web.slot.rpartition("-")[0]
    slot = {"slot": web.slot, "allocation": web.allocation, "mode": "Enforce", "table": made.metadata.name}
    folder = f"{STATE}/slots/{web.slot}/{web.allocation}/config"

    site.patch({"gpus": [{"id": gpu, "slots": [slot]}]})
    until("the table", lambda: site.machine.run("ls", folder).split() == ["control", "table.1"], within=SOON_S)
    site.patch({"gpus": [{"id": gpu, "slots": [{**slot, "mode": "Unmasked", "table": None}]}]})

    until("the release", lambda: "table.2" in site.machine.run("ls", folder).split(), within=SOON_S)
    until("Unmasked", lambda: (s := site.slot("web")) and s.state.value == "Unmasked", within=SOON_S)


def test_the_node_config_of_the_spec_reaches_the_plugin(site: Site) -> None:
    site.patch({"config": "nowhere"})
    until("ConfigValid is False", lambda: site.conditions().get("ConfigValid") == "False", within=SOON_S)

    site.patch({"config": None})

    until("ConfigValid is True", lambda: site.conditions().get("ConfigValid") == "True", within=SOON_S)


def test_an_object_that_was_deleted_is_made_again(site: Site, web: SlotStatus) -> None:
    before = site.object().metadata.uid
    site.cluster.access.kubectl("delete", "nodecolocation", site.name)

    until(
        "another object with the pod in it",
        lambda: (o := site.object()) and o.metadata.uid != before and site.slot("web"),
        within=SOON_S,
    )


def test_kubelet_and_the_agent_may_die(site: Site, web: SlotStatus) -> None:
    site.machine.kill("kubelet")
    site.cluster.nodes[site.name].start("kubelet")
    site.machine.kill("agent")
    site.start_agent()
    site.cluster.access.apply(pod("late", site.name))

    late = until("the late pod", lambda: site.slot("late"), within=SOON_S)

    assert late.slot != web.slot
    assert site.slot("web").allocation == web.allocation
    site.cluster.access.kubectl("delete", "pod", "late", "--grace-period=0", "--force")
    until("the late pod has left", lambda: site.slot("late") is None, within=SOON_S)


def test_an_api_server_that_comes_back_is_written_to_again(site: Site, web: SlotStatus) -> None:
    control = site.cluster.control_plane
    control.machine.kill("kube-apiserver")
    until("the agent has noticed", lambda: site.metric("eclip_agent_api_connected") == 0, within=SOON_S)
    control.start("kube-apiserver")
    site.cluster.await_api()

    site.cluster.access.apply(pod("after", site.name))

    until("the pod that came after", lambda: site.slot("after"), within=SOON_S)
    site.cluster.access.kubectl("delete", "pod", "after", "--grace-period=0", "--force")


def test_kubectl_eclip_reads_the_cluster(site: Site, web: SlotStatus) -> None:
    command = (sys.executable, "-c", "from eclip.cli import kubectl_main as main; raise SystemExit(main())")
    path, kubeconfig = f"{binaries()}:{os.environ['PATH']}", str(site.cluster.access.kubeconfig)

    def asked(*words: str) -> str:
        return run(*command, *words, environment={**os.environ, "PATH": path, "KUBECONFIG": kubeconfig})

    assert [slot["pod"] for slot in json.loads(asked("status", "-o", "json"))["slots"]] == ["default/web"]
    assert f"Pod default/web, container main: slot {web.slot}" in asked("explain", "web")
