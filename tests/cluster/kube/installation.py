"""ECLIP installed on a cluster by its chart, with emulated GPUs, and what can be asked of it."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube.access import Access
from kube.commands import run, until
from kube.release import CHART

HELM = Path(sys.prefix) / "bin" / "helm"
RELEASE = "eclip"
NAMESPACE = "eclip-system"
VALUES = {"emulator": {"enabled": True, "virtualTime": True}}
"""GPU time waits for programs that compute: what happens on a chip does not depend on how busy the host is."""
READY_WITHIN_S = 180.0
_READ = """
import json, sys
from pathlib import Path
from eclip.emulated import EmulatedGpu
from eclip.slot import folders, stats
state = Path(sys.argv[1])
launches = {}
for folder in folders(state):
    for client in stats.read(folder / "stats"):
        if client.alive:
            launches[folder.name] = [client.current.generation, client.current.launches]
chip = EmulatedGpu("MI50", state / "emulated" / "chip").reading()
print(json.dumps({"micros": chip.micros, "passed_over": chip.passed_over, "launches": launches}))
"""


@dataclass(frozen=True)
class Read:
    """A node's GPU at one moment."""

    micros: float
    """GPU time."""
    passed_over: int
    """Times that the chip went on without a program that was starved of the host's cores; results are in doubt then."""
    launches: dict[str, tuple[int, int]]
    """Table generation in force and kernels launched under it, of each allocation's program."""


@dataclass(frozen=True)
class Installation:
    """The release on one cluster."""

    access: Access

    def helm(self, *arguments: str | Path, values: dict[str, Any] | None = None, within: float = 240.0) -> str:
        """Standard output of helm."""
        common = ("--namespace", NAMESPACE, "--kubeconfig", self.access.kubeconfig)
        given = () if values is None else ("--values", "-")
        return run(HELM, *arguments, *common, *given, given=json.dumps(values or {}), within=within)

    def install(self, **values: Any) -> None:
        """Installs or upgrades, and waits until every node offers shares."""
        self.access.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
            }
        )
        registry = os.environ.get("ECLIP_REGISTRY")
        image = {"image": {"registry": registry}} if registry else {}
        self.helm(
            "upgrade", "--install", RELEASE, CHART, "--wait", "--timeout=180s", values={**VALUES, **image, **values}
        )
        until("every node offers shares", self.offered, within=READY_WITHIN_S, every=0.5)

    def offered(self) -> bool:
        """Whether all nodes have shares to give."""
        nodes = self.access.get("nodes")["items"]
        return all(int(node["status"]["allocatable"].get("eclip.dev/gpu-share", "0")) > 0 for node in nodes)

    def node(self, name: str) -> Any:
        """The NodeColocation of a node."""
        return self.access.get("nodecolocation", name)

    def slots(self, node: str) -> dict[str, dict[str, Any]]:
        """What a node says of its slots, by the pod in them."""
        gpus = self.node(node).get("status", {}).get("gpus", [])
        found = [slot for gpu in gpus for slot in gpu.get("slots", [])]
        return {slot["pod"]["name"]: slot for slot in found if "pod" in slot}

    def agent(self, node: str) -> str:
        """The pod of plugin and agent on a node."""
        pods = self.access.get(
            "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=node", f"--field-selector=spec.nodeName={node}"
        )
        (name,) = (pod["metadata"]["name"] for pod in pods["items"] if "deletionTimestamp" not in pod["metadata"])
        return str(name)

    def read(self, node: str) -> Read:
        """The GPU's clock and the programs' counters as the node's agent can read them."""
        said = self.access.kubectl(
            "exec", "-n", NAMESPACE, self.agent(node), "-c", "agent", "--", "python3", "-c", _READ, "/var/lib/eclip"
        )
        return Read(**json.loads(said))
