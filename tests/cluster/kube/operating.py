"""The operator as a process of this machine, and the objects that users, kubelets and agents would make."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from reported_gpu import gpu_status

from kube.bare import Api, Raw, free_port
from kube.commands import MORTAL, until

OURS = "/apis/eclip.dev/v1alpha1"
PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
STARTS_WITHIN_S = 90.0


@dataclass
class OperatorProcess:
    """One run of `eclip-operator`."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    @property
    def peak_mb(self) -> float:
        """Most memory (RSS) that it and the process in which it plans ever had, in MB."""
        family = [self.process.pid, *_children(self.process.pid)]
        return sum(_peak_kib(pid) for pid in family) * 1024 / 1e6

    @property
    def cpu_seconds(self) -> tuple[float, float]:
        """CPU time so far: of itself, and of the processes in which it plans."""
        pid = self.process.pid
        return cpu_seconds(pid), sum(map(cpu_seconds, _children(pid)))

    def kill(self) -> None:
        """At once, as kill -9 does, with the process in which it plans."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def http(self, path: str) -> tuple[int, str]:
        """Status and text of one of its own pages; 0 while nobody answers."""
        with suppress(urllib3.exceptions.HTTPError):
            answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}{path}", timeout=5.0, retries=False)
            return answer.status, answer.data.decode()
        return 0, ""

    def await_ready(self) -> None:
        """Until it has seen the cluster, and done what there was to do."""
        until("the operator is ready", self._ready, within=STARTS_WITHIN_S)

    def _ready(self) -> bool:
        if not self.alive:
            raise AssertionError(f"the operator has ended:\n{self.log.read_text()[-2000:]}")
        return self.http("/readyz")[0] == 200


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def start_operator(folder: Path, server: str | Path, *options: str) -> OperatorProcess:
    """Starts one that speaks to this server, or to that of this kubeconfig file."""
    if isinstance(server, str):
        kubeconfig = folder / "kubeconfig.operator"
        cluster = {"name": "c", "cluster": {"server": server}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        content = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u"}], "current-context": "c"}
        kubeconfig.write_text(yaml.safe_dump(content))
    else:
        kubeconfig = server
    port, log = free_port(), folder / "operator.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [
                *MORTAL,
                sys.executable,
                "-m",
                "eclip_operator",
                "--host=127.0.0.1",
                f"--port={port}",
                "--log-format=text",
                *options,
            ],
            env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return OperatorProcess(process, port, log)


@contextmanager
def operating(folder: Path, server: str | Path, *options: str) -> Iterator[OperatorProcess]:
    """One that is ready, and ends with the block."""
    operator = start_operator(folder, server, *options)
    try:
        operator.await_ready()
        yield operator
    finally:
        operator.kill()


def profile(name: str, namespace: str, product: str = "MI50") -> Raw:
    """A KernelProfile of the examples (alexnet-b8, ...), for a product with as many CUs."""
    raw: Raw = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())
    raw["metadata"]["namespace"] = namespace
    raw["spec"]["gpu"]["product"] = product
    return raw


def policy(name: str, namespace: str, workloads: Sequence[Raw], **spec: Any) -> Raw:
    """A ColocationPolicy."""
    return {
        "apiVersion": "eclip.dev/v1alpha1",
        "kind": "ColocationPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"workloads": list(workloads), **spec},
    }


def workload(name: str, *profiles: str, **more: Any) -> Raw:
    """For the pods with the label app=name."""
    selector = {"matchLabels": {"app": name}}
    return {"name": name, "podSelector": selector, "profileRefs": [{"name": one} for one in profiles], **more}


def namespace(api: Api, name: str) -> None:
    """Makes a namespace."""
    api.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})


def put(api: Api, raw: Raw) -> Raw:
    """Applies one of our namespaced objects."""
    plural = {"ColocationPolicy": "colocationpolicies", "KernelProfile": "kernelprofiles"}[raw["kind"]]
    home, name = raw["metadata"]["namespace"], raw["metadata"]["name"]
    return api.apply(f"{OURS}/namespaces/{home}/{plural}/{name}", raw)


def node(api: Api, name: str) -> None:
    """A Node, and the object that its agent makes."""
    made = api.request("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": made["metadata"]["uid"]}
    api.request(
        "POST",
        f"{OURS}/nodecolocations",
        {
            "apiVersion": "eclip.dev/v1alpha1",
            "kind": "NodeColocation",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "spec": {},
        },
    )


def pod(api: Api, name: str, home: str, on: str, app: str) -> str:
    """A pod on a node; its UID."""
    made = api.request(
        "POST",
        f"/api/v1/namespaces/{home}/pods",
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": home, "labels": {"app": app}},
            "spec": {"nodeName": on, "containers": [{"name": "main", "image": "none", "resources": {}}]},
        },
    )
    uid: str = made["metadata"]["uid"]
    return uid


def slot(gpu: str, number: int, home: str, name: str, uid: str, **more: Any) -> Raw:
    """An occupied slot in an agent's report."""
    return {
        "slot": f"{gpu}-s{number:02d}",
        "allocation": f"{name}-allocation",
        "pod": {"namespace": home, "name": name, "uid": uid},
        "container": "main",
        "state": "Pending",
        **more,
    }


def report(api: Api, name: str, gpus: dict[str, list[Raw]], product: str = "MI50") -> None:
    """What a node's agent writes: its GPUs, and who is in them."""
    status = {"gpus": [gpu_status(gpu, slots, product) for gpu, slots in gpus.items()]}
    body = {"apiVersion": "eclip.dev/v1alpha1", "kind": "NodeColocation", "metadata": {"name": name}, "status": status}
    api.apply(f"{OURS}/nodecolocations/{name}/status", body, manager="eclip-agent")
