"""The cluster as a whole: starts it, finds it again, talks to it and removes it."""

import contextlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kube import control_plane, images, network, node
from kube.access import Access
from kube.binaries import binaries
from kube.cgroups import Group
from kube.commands import ClusterError, run, until
from kube.control_plane import ControlPlane
from kube.machine import Machine
from kube.network import HostWire, NodeNetwork
from kube.node import Node
from kube.pki import Authority
from kube.requirements import check

RUNS = Path("/run/eclip-cluster")
SIZE = "12g"
"""Of the tmpfs that holds all that a cluster writes: removing it takes no time, which unlinking on a disk does."""
NAMES = ("node-a", "node-b")
HIGHEST = 200
API_WITHIN_S = 120.0
NODES_WITHIN_S = 120.0


@dataclass(frozen=True)
class Cluster:
    """Cluster `number` of this machine, all of which lies in `folder`."""

    number: int
    names: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return RUNS / str(self.number)

    @property
    def description(self) -> Path:
        """What others on this machine have to know of it."""
        return self.folder / "cluster.json"

    @property
    def owner(self) -> int | None:
        """The process that it serves."""
        with contextlib.suppress(OSError, ValueError):
            owner = json.loads(self.description.read_text())["owner"]
            return None if owner is None else int(owner)
        return None

    @property
    def abandoned(self) -> bool:
        """Whether nobody minds its end."""
        return self.owner is None or not Path(f"/proc/{self.owner}").exists()

    @cached_property
    def access(self) -> Access:
        return Access(self.folder / "kubeconfig")

    @property
    def wire(self) -> HostWire:
        return HostWire(self.number)

    @property
    def control_plane(self) -> ControlPlane:
        return ControlPlane(self._machine("control-plane"))

    @property
    def nodes(self) -> dict[str, Node]:
        return {one.name: Node(one, self._machine(one.name)) for one in self._networks()}

    def load(self, *archives: Path) -> None:
        """Brings images to all nodes."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda one: [one.load(archive) for archive in archives], self.nodes.values()))

    def ready(self) -> bool:
        """Whether all nodes are Ready."""
        states = {
            one["metadata"]["name"]: condition["status"]
            for one in self.access.get("nodes")["items"]
            for condition in one["status"]["conditions"]
            if condition["type"] == "Ready"
        }
        return states == dict.fromkeys(self.names, "True")

    def await_api(self) -> None:
        until("the API server is ready", lambda: self.access.kubectl("get", "--raw=/readyz"), within=API_WITHIN_S)

    def start_node(self, name: str) -> None:
        """Boots a node, or boots it again after its power was cut, with what it had on its disk."""
        one = self.nodes[name]
        machine = one.machine
        machine.boot(self.hosts(), binaries())
        others = [other for other in self._networks() if other.name != name]
        network.lay_node(one.network, machine, self.control_plane.machine, others)
        one.start("containerd")
        if node.PAUSE not in one.images():
            one.load(images.pause())
        one.start("kubelet")
        one.start("kube-proxy")

    def cut_power(self, name: str) -> None:
        """Ends all processes of a node at once."""
        one = self.nodes[name]
        one.machine.cut_power()
        network.unplug(one.network, self.control_plane.machine)

    def down(self) -> None:
        """Ends and removes all of it, in whatever state it is. Raises ClusterError if something is left."""
        Group(f"eclip-{self.number}").end()
        self.wire.remove()
        until("its files are unmounted", self._unmounted, within=20.0)
        with contextlib.suppress(FileNotFoundError):
            self.folder.rmdir()
        with contextlib.suppress(OSError):  # another cluster runs
            RUNS.rmdir()

    def _unmounted(self) -> bool:
        if os.path.ismount(self.folder):
            run("umount", self.folder)
        return True

    def _machine(self, name: str) -> Machine:
        return Machine(self.folder / name, name, Group(f"eclip-{self.number}/{name}"))

    def _networks(self) -> list[NodeNetwork]:
        return [NodeNetwork(name, index) for index, name in enumerate(self.names, start=1)]

    def hosts(self) -> list[str]:
        """Lines for the machines' /etc/hosts."""
        return [f"{one.address} {one.name}" for one in self._networks()]


def up(names: Sequence[str] = NAMES, *, owner: int | None = None) -> Cluster:
    """Starts a cluster and waits until all its nodes are Ready. One whose process `owner` has ended is removed by the
    next; without an owner it stays until it is told to end."""
    check()
    for abandoned in (one for one in running() if one.owner is not None and one.abandoned):
        abandoned.down()
    commands = binaries()
    images.pause()
    cluster = _claim(tuple(names), owner)
    try:
        _start(cluster, commands)
    except BaseException:
        if not os.environ.get("ECLIP_CLUSTER_KEEP"):
            cluster.down()
        raise
    return cluster


def find(kubeconfig: Path) -> Cluster | None:
    """The cluster of ours that a kubeconfig belongs to, if it does."""
    described = kubeconfig.resolve().parent / "cluster.json"
    if described.parent.parent != RUNS or not described.exists():
        return None
    return Cluster(int(described.parent.name), tuple(json.loads(described.read_text())["nodes"]))


def running() -> list[Cluster]:
    """All clusters of this machine, whole or not."""
    found = []
    for folder in sorted(RUNS.glob("[0-9]*")):
        described = folder / "cluster.json"
        names = json.loads(described.read_text())["nodes"] if described.exists() else []
        found.append(Cluster(int(folder.name), tuple(names)))
    return found


def _claim(names: tuple[str, ...], owner: int | None) -> Cluster:
    """The first number that is free; its folder is a file system of its own."""
    for number in range(1, HIGHEST):
        cluster = Cluster(number, names)
        try:
            cluster.folder.mkdir(parents=True)
        except FileExistsError:
            continue
        run("mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "eclip-cluster", cluster.folder)
        cluster.description.write_text(json.dumps({"nodes": names, "owner": owner}))
        return cluster
    raise ClusterError(f"{RUNS}: {HIGHEST} clusters are there; remove some: make cluster-down")


def _start(cluster: Cluster, commands: Path) -> None:
    authority = Authority()
    master = cluster.control_plane.machine
    for machine in (master, *(one.machine for one in cluster.nodes.values())):
        machine.files.mkdir(parents=True)
    control_plane.write_files(master.files, authority, cluster.wire)
    for one in cluster.nodes.values():
        node.write_files(one.network, one.machine.files, authority)
    admin = authority.identity("admin", ("system:masters",))
    cluster.access.kubeconfig.write_text(authority.kubeconfig(admin, f"https://{cluster.wire.api}:{network.API_PORT}"))

    master.boot(cluster.hosts(), commands)
    network.lay_control_plane(master)
    cluster.wire.lay(master)
    cluster.control_plane.start(*control_plane.STORE)
    cluster.await_api()
    cluster.control_plane.start(*control_plane.CONTROLLERS)
    with ThreadPoolExecutor() as pool:
        list(pool.map(cluster.start_node, cluster.names))
    until("all nodes are Ready", cluster.ready, within=NODES_WITHIN_S, every=0.3)
