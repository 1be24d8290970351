"""A node: containerd, kubelet and kube-proxy on a machine of its own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kube.commands import until
from kube.machine import Machine
from kube.network import API_PORT, CONTROL_PLANE, NodeNetwork
from kube.pki import Authority

PAUSE = "localhost/eclip-pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")
SERVER = f"https://{CONTROL_PLANE}:{API_PORT}"
CONTAINERD_WITHIN_S = 30.0
IMPORT_WITHIN_S = 300.0


@dataclass(frozen=True)
class Node:
    network: NodeNetwork
    machine: Machine

    @property
    def name(self) -> str:
        return self.network.name

    def start(self, daemon: str) -> None:
        """Starts one of its daemons; containerd is waited for, since nothing else works without."""
        self.restart(daemon)
        if daemon == "containerd":
            until("containerd answers", lambda: self.machine.run("ctr", "version"), within=CONTAINERD_WITHIN_S)

    def restart(self, daemon: str) -> None:
        """Starts one of its daemons and waits for nothing."""
        self.machine.start(daemon, *COMMANDS[daemon])

    def load(self, archive: Path) -> None:
        """Brings the images of an archive into containerd, as a pull would."""
        # The archive comes from outside the machine, where its path may mean nothing.
        with archive.open("rb") as content:
            self.machine.run(
                "ctr", "--namespace=k8s.io", "images", "import", "-", within=IMPORT_WITHIN_S, given=content
            )

    def images(self) -> set[str]:
        return set(self.machine.run("ctr", "--namespace=k8s.io", "images", "list", "-q").split())


def write_files(node: NodeNetwork, files: Path, authority: Authority) -> None:
    """All that the node's daemons are configured by."""
    kubelet = authority.identity(f"system:node:{node.name}", ("system:nodes",), (node.name, node.address))
    proxy = authority.identity("system:kube-proxy")
    (files / "cni").mkdir(exist_ok=True)
    contents = {
        "ca.crt": authority.certificate,
        "kubelet.crt": kubelet.certificate,
        "kubelet.key": kubelet.key,
        "kubelet.kubeconfig": authority.kubeconfig(kubelet, SERVER).encode(),
        "kube-proxy.kubeconfig": authority.kubeconfig(proxy, SERVER).encode(),
        "kubelet.yaml": yaml.safe_dump(KUBELET).encode(),
        "kube-proxy.yaml": yaml.safe_dump({**PROXY, "hostnameOverride": node.name}).encode(),
        "containerd.toml": CONTAINERD.encode(),
        "cni/10-eclip.conflist": json.dumps(_pod_network(node)).encode(),
        "node": f"{node.name}\n{node.address}\n".encode(),
    }
    for name, content in contents.items():
        (files / name).write_bytes(content)


def _pod_network(node: NodeNetwork) -> dict[str, Any]:
    addresses = {"type": "host-local", "ranges": [[{"subnet": node.pods}]], "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "eclip", "plugins": [bridge, ports]}


COMMANDS = {
    "containerd": ["containerd", "--config=/machine/containerd.toml"],
    "kubelet": [
        "sh",
        "-c",
        '{ read -r name; read -r address; } </machine/node; exec /machine/bin/kubelet --hostname-override="$name"'
        ' --node-ip="$address" --config=/machine/kubelet.yaml --kubeconfig=/machine/kubelet.kubeconfig',
    ],
    "kube-proxy": ["/machine/bin/kube-proxy", "--config=/machine/kube-proxy.yaml"],
}
CONTAINERD = f"""version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "/machine/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": "/machine/ca.crt"},
    },
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": "/machine/kubelet.crt",
    "tlsPrivateKeyFile": "/machine/kubelet.key",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "cgroupDriver": "cgroupfs",
    "failCgroupV1": False,
    "failSwapOn": False,
    "oomScoreAdj": 0,  # less needs a capability that containers lack
    "enforceNodeAllocatable": [],
    "evictionHard": {"memory.available": "100Mi"},
    "imageGCHighThresholdPercent": 100,
    "clusterDomain": "cluster.local",
    "clusterDNS": ["10.96.0.10"],  # nobody answers there; without it kubelet warns of every pod again and again
    "syncFrequency": "5s",
    "nodeStatusUpdateFrequency": "5s",  # also the limit of its API calls: less fails on a busy host
    "nodeStatusReportFrequency": "5s",
    "shutdownGracePeriod": "0s",
    "featureGates": {"KubeletCrashLoopBackOffMax": True},
    "crashLoopBackOff": {"maxContainerRestartPeriod": "1s"},
}
PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clientConnection": {"kubeconfig": "/machine/kube-proxy.kubeconfig"},
    "clusterCIDR": "10.244.0.0/16",
    "oomScoreAdj": 0,
    # Limits of connection tracking belong to the host's network namespace.
    "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
}
