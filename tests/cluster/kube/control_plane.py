"""etcd, API server, controller manager and scheduler, on a machine of their own."""

from dataclasses import dataclass
from pathlib import Path

from kube.machine import Machine
from kube.network import API_PORT, API_SERVICE, CONTROL_PLANE, SERVICES, HostWire
from kube.pki import Authority, private_key, private_pem, public_pem

STORE = ("etcd", "kube-apiserver")
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
"""They end if they start before the API server has given them their rights."""
ETCD = "http://127.0.0.1:2379"
ETCD_PEER = "http://127.0.0.1:2380"
EVICTED_AFTER_S = 15
"""How long a pod may stay on a node that is not ready; Kubernetes' own is 300."""
GRACE_S = 40
"""After how long of silence a node is not ready. Kubelets on a busy machine are late now and then."""


def write_files(files: Path, authority: Authority, wire: HostWire) -> None:
    """All certificates and kubeconfigs that the control plane's daemons use."""
    names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    hosts = ("127.0.0.1", CONTROL_PLANE, wire.api, API_SERVICE, "localhost", *names)
    accounts = private_key()
    kubelets = authority.identity("kube-apiserver-kubelet-client", ("system:masters",))
    serving = authority.identity("kube-apiserver", hosts=hosts)
    contents = {
        "ca.crt": authority.certificate,
        "apiserver.crt": serving.certificate,
        "apiserver.key": serving.key,
        "kubelets.crt": kubelets.certificate,
        "kubelets.key": kubelets.key,
        "accounts.key": private_pem(accounts),
        "accounts.pub": public_pem(accounts),
    }
    for name in CONTROLLERS:
        identity = authority.identity(f"system:{name}")
        contents[f"{name}.kubeconfig"] = authority.kubeconfig(identity, f"https://127.0.0.1:{API_PORT}").encode()
    for name, content in contents.items():
        (files / name).write_bytes(content)


@dataclass(frozen=True)
class ControlPlane:
    machine: Machine

    def start(self, *daemons: str) -> None:
        for daemon in daemons:
            self.machine.start(daemon, f"/machine/bin/{daemon}", *COMMANDS[daemon])


def _client(name: str) -> list[str]:
    kubeconfig = f"/machine/{name}.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        "--cert-dir=/run/certificates",
    ]


COMMANDS = {
    "etcd": [
        "--data-dir=/var/lib/etcd",
        f"--listen-client-urls={ETCD}",
        f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={ETCD_PEER}",
        f"--initial-advertise-peer-urls={ETCD_PEER}",
        f"--initial-cluster=default={ETCD_PEER}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ],
    "kube-apiserver": [
        f"--etcd-servers={ETCD}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={CONTROL_PLANE}",
        "--cert-dir=/run/certificates",
        "--tls-cert-file=/machine/apiserver.crt",
        "--tls-private-key-file=/machine/apiserver.key",
        "--client-ca-file=/machine/ca.crt",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=/machine/accounts.pub",
        "--service-account-signing-key-file=/machine/accounts.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICES}",
        "--allow-privileged=true",
        "--kubelet-client-certificate=/machine/kubelets.crt",
        "--kubelet-client-key=/machine/kubelets.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--default-not-ready-toleration-seconds={EVICTED_AFTER_S}",
        f"--default-unreachable-toleration-seconds={EVICTED_AFTER_S}",
        "--shutdown-delay-duration=0s",
    ],
    "kube-controller-manager": [
        *_client("kube-controller-manager"),
        "--service-account-private-key-file=/machine/accounts.key",
        "--root-ca-file=/machine/ca.crt",
        "--use-service-account-credentials=true",
        "--node-monitor-period=1s",
        f"--node-monitor-grace-period={GRACE_S}s",
    ],
    "kube-scheduler": _client("kube-scheduler"),
}
