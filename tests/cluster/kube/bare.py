"""An API server with its etcd and nothing else, as processes of this machine: for what only speaks to the API."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import yaml

from kube.binaries import binaries
from kube.commands import MORTAL, ClusterError, until
from kube.pki import Authority, private_key, private_pem, public_pem

READY_WITHIN_S = 90.0
_FOLDER = "eclip-bare-"
CRDS = Path(__file__).parents[3] / "crds"
FEW_CONTROLLERS = "namespace-controller,garbage-collector-controller"
"""What makes a namespace go, and the objects of those that have gone."""
Raw = dict[str, Any]


class RefusedError(ClusterError):
    """The API server says no."""

    def __init__(self, what: str, code: int, text: str) -> None:
        super().__init__(f"{what}: {code} {text[:6000]}")
        self.code = code


@dataclass(frozen=True)
class Api:
    """Requests to an API server, as its administrator."""

    server: str
    http: urllib3.PoolManager

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "application/json"
    ) -> Raw:
        """Any request. Raises RefusedError."""
        data = None if body is None else json.dumps(body).encode()
        answer = self.http.request(method, self.server + path, body=data, headers={"Content-Type": kind})
        if answer.status >= 400:
            raise RefusedError(f"{method} {path}", answer.status, answer.data.decode(errors="replace"))
        found: Raw = json.loads(answer.data) if answer.data else {}
        return found

    def get(self, path: str) -> Raw | None:
        """An object or a list; None if there is none."""
        try:
            return self.request("GET", path)
        except RefusedError as error:
            if error.code == 404:
                return None
            raise

    def items(self, path: str) -> list[Raw]:
        """Of a list."""
        found: list[Raw] = self.request("GET", path)["items"]
        return found

    def apply(self, path: str, body: Mapping[str, Any], manager: str = "test") -> Raw:
        """Server-side apply."""
        where = f"{path}?fieldManager={manager}&force=true"
        return self.request("PATCH", where, body, "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Removes an object."""
        self.request("DELETE", path, {})

    def watch(self, path: str, since: str) -> Iterator[Raw]:
        """Events of a list from a resource version on, until the connection is closed."""
        where = f"{self.server}{path}?watch=1&resourceVersion={since}"
        answer = self.http.request("GET", where, preload_content=False, timeout=urllib3.Timeout(read=None))
        left = b""
        for chunk in answer.stream(1 << 16):
            *lines, left = (left + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)


@dataclass(frozen=True)
class BareApi:
    """What `bare_api` has started."""

    kubeconfig: Path
    server: str
    authority: Authority
    client: ssl.SSLContext
    """Of the administrator."""
    daemons: dict[str, int] = field(default_factory=dict)
    """Process ids by name."""

    @property
    def api(self) -> Api:
        """A new set of connections."""
        return Api(self.server, urllib3.PoolManager(ssl_context=self.client, maxsize=8, timeout=60.0, retries=False))


@contextmanager
def bare_api(*, controllers: bool = False) -> Iterator[BareApi]:
    """Runs an API server that has our CRDs; with `controllers`, namespaces end as they should."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        bare = _start(folder, stack)
        until("the API server is ready", lambda: _ready(bare.api), within=READY_WITHIN_S)
        if controllers:
            _daemon(stack, folder, "kube-controller-manager", _controllers(folder, bare))
        _install_crds(bare.api)
        yield bare


def _remove_abandoned() -> None:
    """Folders of processes that had no time to remove them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*-*"):
        if not Path("/proc", folder.name.removeprefix(_FOLDER).partition("-")[0]).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, stack: ExitStack) -> BareApi:
    etcd, peer, port = _free_ports(3)
    authority, accounts = Authority(), private_key()
    serving = authority.identity("kube-apiserver", hosts=("127.0.0.1", "localhost"))
    admin = authority.identity("admin", ("system:masters",))
    server = f"https://127.0.0.1:{port}"
    contents = {
        "ca.crt": authority.certificate,
        "serving.crt": serving.certificate,
        "serving.key": serving.key,
        "admin.crt": admin.certificate,
        "admin.key": admin.key,
        "accounts.key": private_pem(accounts),
        "accounts.pub": public_pem(accounts),
        "kubeconfig": authority.kubeconfig(admin, server).encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    client = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    client.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    daemons = {
        "etcd": _daemon(stack, folder, "etcd", _etcd(folder, etcd, peer)),
        "kube-apiserver": _daemon(stack, folder, "kube-apiserver", _api_server(folder, etcd, port)),
    }
    return BareApi(folder / "kubeconfig", server, authority, client, daemons)


def _daemon(stack: ExitStack, folder: Path, name: str, options: Sequence[str]) -> int:
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    daemon = subprocess.Popen([*MORTAL, binaries() / name, *options], stdout=log, stderr=log, start_new_session=True)
    stack.callback(daemon.wait)
    stack.callback(daemon.kill)
    return daemon.pid


def _etcd(folder: Path, port: int, peer: int) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",
        f"--tls-cert-file={folder / 'serving.crt'}",
        f"--tls-private-key-file={folder / 'serving.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--authorization-mode=Node,RBAC",
        # Pods here have no service account: nobody makes one.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--shutdown-delay-duration=0s",
        "--endpoint-reconciler-type=none",
    ]


def _controllers(folder: Path, bare: BareApi) -> list[str]:
    return [
        f"--kubeconfig={bare.kubeconfig}",
        f"--controllers={FEW_CONTROLLERS}",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_port()}",
        f"--cert-dir={folder / 'certificates'}",
    ]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    return _free_ports(1)[0]


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _ready(api: Api) -> bool:
    with suppress(urllib3.exceptions.HTTPError):
        return api.http.request("GET", f"{api.server}/readyz").status == 200
    return False


def _install_crds(api: Api) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for file in sorted(CRDS.glob("*.yaml")):
        api.request("POST", path, yaml.safe_load(file.read_text()))
    until("our kinds are served", lambda: _established(api, path), within=30.0)


def _established(api: Api, path: str) -> bool:
    states = [
        condition["status"]
        for item in api.items(path)
        for condition in item.get("status", {}).get("conditions") or ()
        if condition["type"] == "Established"
    ]
    return len(states) >= len(list(CRDS.glob("*.yaml"))) and set(states) == {"True"}
