"""The device plugin and a real kubelet keep the contract that the fake one is held to."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubelet_contract as contract
import pytest
from kubelet_contract import SHARE, WHOLE, Admitted, RefusedError, until

from eclip.node import record
from kube.cluster import Cluster, up
from kube.commands import ClusterError
from kube.images import BASE, archive, base, build
from kube.node import Node

STATE = "/var/lib/eclip"
INSTALL = "from eclip_device_plugin.main import install_library; raise SystemExit(install_library())"
EMULATE = "from eclip.emulated.program import main; raise SystemExit(main(['--once']))"
AMD = """
import time
from pathlib import Path
from eclip_device_plugin.service import Service
from eclip_device_plugin.servicer import Listed
service = Service(Path("/var/lib/kubelet/device-plugins"), "amd.com/gpu", lambda *_: [], lambda _: None)
service.show((Listed("0000:03:00.0", True, None),))
while True:
    service.tend()
    time.sleep(0.2)
"""
"""Offers our GPU under AMD's name."""
OURS = "/usr/local/lib/eclip/libeclip_hip.so"
ANOTHER = "/usr/lib/x86_64-linux-gnu/libdl.so.2"
PRELOADING = "localhost/eclip-preloading:1"
RUNS_WITHIN_S = 120.0


@dataclass(frozen=True)
class RealKubelet:
    """Of one node, by the API server and by the node's own files."""

    cluster: Cluster
    name: str

    @property
    def node(self) -> Node:
        return self.cluster.nodes[self.name]

    def allocatable(self, resource: str) -> int:
        return self._counts("allocatable", resource)

    def capacity(self, resource: str) -> int:
        return self._counts("capacity", resource)

    def admit(self, name: str, resource: str, count: int = 1, image: str = BASE, **environment: str) -> Admitted:
        self.cluster.access.apply(_pod(name, self.name, resource, count, image=image, environment=environment))
        until(f"{name} runs or is refused", lambda: self._fate(name) is not None, within=RUNS_WITHIN_S)
        fate = self._fate(name)
        if fate != "Running":
            self.end(name)
            raise RefusedError(fate)
        return self.seen_by(name)

    def seen_by(self, name: str) -> Admitted:
        """From inside the container, into which a kubelet that has just started does not let anybody yet."""
        until(f"{name} can be entered", lambda: self._enters(name), within=RUNS_WITHIN_S)
        lines = self._inside(name, "env").splitlines()
        environment = dict(line.split("=", 1) for line in lines if "=" in line)
        mounts = {}
        for line in self._inside(name, "cat", "/proc/self/mountinfo").splitlines():
            fields = line.split()
            mounts[fields[4]] = (Path(fields[3]), "ro" in fields[5].split(","))
        found = record.Record.parse(self.records()[environment["ECLIP_ALLOCATION"]], name)
        return Admitted((found.slot,), environment, mounts)

    def end(self, name: str) -> None:
        self.cluster.access.kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")
        until(f"{name} is gone", lambda: not self._sandboxes(name), within=RUNS_WITHIN_S)

    def restart(self) -> None:
        self.node.machine.kill("kubelet")
        self.node.start("kubelet")
        # What the API server says of the node is from before, until kubelet has registered the plugin again and told.
        until("kubelet has our plugin", self._inside_node_socket, within=RUNS_WITHIN_S)
        since = datetime.now(UTC)
        until("kubelet has told", lambda: self._told() > since and self.allocatable(SHARE) == 4, within=RUNS_WITHIN_S)

    def records(self) -> Mapping[str, str]:
        found = self.node.machine.run("sh", "-c", f"cd {STATE}/slots 2>/dev/null && grep -H '' */*/record.json || true")
        texts: dict[str, str] = {}
        for line in found.splitlines():
            path, _, text = line.partition(":")
            texts[Path(path).parent.name] = texts.get(Path(path).parent.name, "") + text + "\n"
        return texts

    def restart_container(self, name: str) -> None:
        """Its process dies; kubelet starts it again without asking the plugin."""
        before = self._restarts(name)
        with contextlib.suppress(ClusterError):
            self._inside(name, "sh", "-c", "kill -9 -1; kill 1")
        until(f"{name} has started again", lambda: self._restarts(name) > before, within=RUNS_WITHIN_S)
        until(f"{name} runs", lambda: self._fate(name) == "Running", within=RUNS_WITHIN_S)

    def _inside(self, name: str, *command: str) -> str:
        return self.cluster.access.kubectl("exec", name, "--", *command)

    def _enters(self, name: str) -> bool:
        with contextlib.suppress(ClusterError):
            self._inside(name, "true")
            return True
        return False

    def _inside_node_socket(self) -> bool:
        """The plugin has registered since kubelet started: its socket is younger than kubelet's."""
        folder = "/var/lib/kubelet/device-plugins"
        script = f'for s in {folder}/eclip.dev_*.sock; do [ "$s" -nt {folder}/kubelet.sock ] && echo y; done; true'
        return self.node.machine.run("sh", "-c", script).count("y") == 2

    def _told(self) -> datetime:
        """When kubelet last wrote the node's status, in whole seconds."""
        conditions = self.cluster.access.get("node", self.name)["status"]["conditions"]
        (ready,) = (one for one in conditions if one["type"] == "Ready")
        return datetime.fromisoformat(ready["lastHeartbeatTime"])

    def _counts(self, which: str, resource: str) -> int:
        return int(self.cluster.access.get("node", self.name)["status"][which].get(resource, 0))

    def _status(self, name: str) -> dict[str, Any]:
        found = self.cluster.access.kubectl("get", "pod", name, "-o", "json", "--ignore-not-found")
        status: dict[str, Any] = json.loads(found)["status"] if found.strip() else {}
        return status

    def _fate(self, name: str) -> str | None:
        """Running, the reason of a refusal, or None as long as neither is clear."""
        status = self._status(name)
        if status.get("phase") == "Failed":
            return f"{status.get('reason')}: {status.get('message')}"
        ready = [one.get("ready") for one in status.get("containerStatuses", [])]
        if status.get("phase") == "Running" and ready == [True]:
            return "Running"
        unplaced = [one for one in status.get("conditions", []) if one.get("reason") == "Unschedulable"]
        return unplaced[0]["message"] if unplaced else None

    def _restarts(self, name: str) -> int:
        return sum(one["restartCount"] for one in self._status(name).get("containerStatuses", []))

    def _sandboxes(self, name: str) -> bool:
        return bool(self._status(name))


def _pod(
    name: str, node: str, resource: str, count: int, *, image: str, environment: Mapping[str, str]
) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": image,
        "env": [{"name": variable, "value": value} for variable, value in environment.items()],
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", "trap 'exit 1' TERM; while :; do sleep 0.1; done"],
        "resources": {"limits": {resource: str(count)}},
    }
    spec = {"nodeSelector": {"kubernetes.io/hostname": node}, "terminationGracePeriodSeconds": 0}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {**spec, "containers": [container]},
    }


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One of its own: on the cluster of the other tests the chart's plugin offers the same resource."""
    ours = up(("node-p",), owner=os.getpid())
    try:
        yield ours
    finally:
        ours.down()


@pytest.fixture(scope="module")
def kubelet(cluster: Cluster) -> RealKubelet:
    """A node whose plugin runs beside kubelet, without a container around it."""
    name = cluster.names[0]
    one = RealKubelet(cluster, name)
    machine = one.node.machine
    one.node.load(base())
    environment = ("env", f"ECLIP_STATE={STATE}", f"NODE_NAME={name}")
    for program in (EMULATE, INSTALL):
        machine.run(*environment, sys.executable, "-c", program)
    plugin = ("-m", "eclip_device_plugin", "--device-source=emulated", "--node-configs=/machine/none")
    machine.start("plugin", *environment, sys.executable, *plugin)
    return one


def test_the_contract_is_kept(kubelet: RealKubelet) -> None:
    contract.it_offers_four_shares_and_the_whole_gpu(kubelet)
    contract.two_shares_for_one_container_are_refused(kubelet)
    contract.a_container_finds_its_slot_and_the_record_names_it(kubelet)
    contract.a_whole_gpu_and_its_shares_exclude_each_other(kubelet)
    contract.shares_in_use_survive_a_restart_of_kubelet(kubelet)
    contract.there_are_no_more_than_four(kubelet)


def test_a_container_that_starts_again_has_its_old_allocation(kubelet: RealKubelet) -> None:
    before = kubelet.seen_by("one")
    kubelet.restart_container("one")
    assert kubelet.seen_by("one").allocation == before.allocation


def test_a_plugin_that_was_killed_comes_back(kubelet: RealKubelet) -> None:
    machine = kubelet.node.machine
    machine.kill("plugin")
    until("nothing is allocatable", lambda: kubelet.allocatable(SHARE) == 0)
    plugin = ("-m", "eclip_device_plugin", "--device-source=emulated", "--node-configs=/machine/none")
    machine.start("plugin", "env", f"ECLIP_STATE={STATE}", sys.executable, *plugin)
    until("four shares again", lambda: kubelet.allocatable(SHARE) == 4)
    assert kubelet.allocatable(WHOLE) == 0


@pytest.fixture(scope="module")
def preloading(kubelet: RealKubelet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that preloads a library of its own."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(f"FROM {BASE}\nENV LD_PRELOAD={ANOTHER}\n")
    build(PRELOADING, folder / "Dockerfile", folder)
    kubelet.node.load(archive(PRELOADING))
    return PRELOADING


def test_a_pod_has_the_last_word_on_what_is_preloaded(kubelet: RealKubelet, preloading: str) -> None:
    """One after the other: there are not shares enough for all."""
    for name in ("one", "two", "three", "six"):
        kubelet.end(name)
    both = f"{ANOTHER}:{OURS}"
    for pod, environment, expected in (
        ("image", {}, OURS),
        ("own", {"LD_PRELOAD": ANOTHER}, ANOTHER),
        ("both", {"LD_PRELOAD": both}, both),
    ):
        given = kubelet.admit(pod, SHARE, image=preloading, **environment)
        assert given.environment["LD_PRELOAD"] == expected
        assert given.mounts[OURS][1]
        kubelet.end(pod)


def test_a_pod_keeps_its_own_switches(kubelet: RealKubelet) -> None:
    given = kubelet.admit("switches", SHARE, ECLIP_MODE="observe", ECLIP_SINGLE_MASK="1", GPU_MAX_HW_QUEUES="4")
    kept = {name: given.environment[name] for name in ("ECLIP_MODE", "ECLIP_SINGLE_MASK", "GPU_MAX_HW_QUEUES")}
    assert kept == {"ECLIP_MODE": "observe", "ECLIP_SINGLE_MASK": "1", "GPU_MAX_HW_QUEUES": "4"}
    kubelet.end("switches")


def test_a_gpu_that_amds_plugin_offers_too_is_offered_to_nobody(kubelet: RealKubelet) -> None:
    until("four shares", lambda: kubelet.allocatable(SHARE) == 4)
    kubelet.node.machine.start("amd", sys.executable, "-c", AMD)
    until("AMD's", lambda: kubelet.allocatable("amd.com/gpu") == 1)
    until("none of ours", lambda: kubelet.allocatable(SHARE) == 0)
    assert kubelet.capacity(SHARE) == 4
    kubelet.node.machine.kill("amd")
    until("ours again", lambda: kubelet.allocatable(SHARE) == 4)
