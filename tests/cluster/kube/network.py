"""Addresses of a cluster and the wires between its machines. Only the one wire to the host is seen from outside."""

from dataclasses import dataclass

from kube.commands import run
from kube.machine import Machine

CONTROL_PLANE = "10.111.0.1"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
API_PORT = 6443


@dataclass(frozen=True)
class NodeNetwork:
    """Node number `index`, from 1."""

    name: str
    index: int

    @property
    def address(self) -> str:
        return f"10.111.0.{10 + self.index}"

    @property
    def pods(self) -> str:
        return f"10.244.{self.index}.0/24"

    @property
    def mac(self) -> str:
        return f"02:00:0a:6f:00:{self.index:02x}"


@dataclass(frozen=True)
class HostWire:
    """Host and control plane of cluster `number` talk over this, and nobody else does."""

    number: int

    @property
    def device(self) -> str:
        return f"eclip{self.number}"

    @property
    def host(self) -> str:
        return f"10.112.{self.number}.2"

    @property
    def api(self) -> str:
        return f"10.112.{self.number}.1"

    def lay(self, control_plane: Machine) -> None:
        pid = control_plane.pid
        run("ip", "link", "add", "name", self.device, "type", "veth", "peer", "name", "host", "netns", str(pid))
        run("ip", "address", "add", f"{self.host}/30", "dev", self.device)
        run("ip", "link", "set", self.device, "up")
        control_plane.network([f"address add {self.api}/30 dev host", "link set host up"])
        for direction in ("-i", "-o"):  # nodes and pods never reach the host
            control_plane.run("iptables", "-w", "-A", "FORWARD", direction, "host", "-j", "DROP")

    def remove(self) -> None:
        # It also goes by itself, with the machine at its other end, maybe just now.
        run("sh", "-c", f"ip link delete dev {self.device} 2>/dev/null; ! ip link show dev {self.device} 2>/dev/null")


def lay_control_plane(machine: Machine) -> None:
    """A bridge for the nodes, and the API server behind its service address even where no kube-proxy runs."""
    machine.network(
        [
            "link set lo up",
            "link add name br0 type bridge",
            f"address add {CONTROL_PLANE}/24 dev br0",
            "link set br0 up",
            f"address add {API_SERVICE}/32 dev lo",
        ]
    )
    _forward(machine)
    machine.run(
        "iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-d", API_SERVICE, "-p", "tcp", "--dport", "443",
        "-j", "REDIRECT", "--to-ports", str(API_PORT),
    )  # fmt: skip


def lay_node(node: NodeNetwork, machine: Machine, control_plane: Machine, others: list[NodeNetwork]) -> None:
    """A wire from the node to the bridge, and routes to the pods of the other nodes."""
    control_plane.network(
        [
            f"link add name {node.name} type veth peer name eth0 netns {machine.pid}",
            f"link set dev {node.name} master br0",
            f"link set dev {node.name} up",
            f"route replace {node.pods} via {node.address}",
        ]
    )
    machine.network(
        [
            "link set lo up",
            f"link set eth0 address {node.mac}",
            f"address add {node.address}/24 dev eth0",
            "link set eth0 up",
            f"route add {SERVICES} via {CONTROL_PLANE} src {node.address}",
            *(f"route add {other.pods} via {other.address}" for other in others),
        ]
    )
    _forward(machine)


def unplug(node: NodeNetwork, control_plane: Machine) -> None:
    """Removes the node's wire; the kernel would, but only some time after the node's end."""
    control_plane.run("sh", "-c", f"! ip link show dev {node.name} >/dev/null 2>&1 || ip link delete dev {node.name}")


def set_link(node: NodeNetwork, control_plane: Machine, *, up: bool) -> None:
    """At the bridge's end: the node's own would lose its routes."""
    control_plane.network([f"link set dev {node.name} {'up' if up else 'down'}"])


def _forward(machine: Machine) -> None:
    machine.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    # One kernel module, loaded with the first bridge; without it pods of one node miss each other's services.
    machine.run("sysctl", "-eqw", "net.bridge.bridge-nf-call-iptables=1")
