"""A node agent as its container runs it, between a kubelet and an API server that tests play, over an emulated MI50."""

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import grpc
import pytest

from eclip.api import LookupTable, NodeColocation
from eclip.api.node import GpuSpec, NodeSpec, SlotSpec
from eclip.api.node_status import Health, NodeStatus, SlotStatus
from eclip.api.table import TableSpec, TableTopology, encoded
from eclip.emulated import LIBRARIES, EmulatedGpu
from eclip.node import LIBRARY, RECORD, REPORT
from eclip.node.record import Injection, Record
from eclip.node.report import ConfigReport, GpuReport, Report, Source
from eclip.plan import Stream
from eclip.slot import Slot, stats, table
from eclip.slot.clients import ClientRecord
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, StreamGroup, Table, Variant
from eclip_node_agent.wire import podresources_pb2 as wire
from eclip_node_agent.wire import podresources_pb2_grpc as service

INTERPOSER = LIBRARIES.parent / "libeclip_hip.so"
CHAIN = LIBRARIES / "interposer"
NODE, NODE_UID = "node-a", str(uuid.UUID(int=1))
PATIENCE_S = 60.0
CU_SETS = (0x0111111111111111, 0x0555555555555555)
"""15 and 30 CUs of an MI50."""

T = TypeVar("T")


def until(condition: Callable[[], T], what: str) -> T:
    """What `condition` gives as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def chain_table(cu_set: int = CU_SETS[0], *others: int) -> bytes:
    """A plan of the chain program's request: its first half on one masked stream, the rest on the whole GPU."""
    launches = [
        launch
        for step in range(4)
        for launch in ((0, (60 + step, 1, 1), (64, 1, 1)), (1, (8, 2, 1), (32, 1, 1)), (0, (7, 1, 1), (64, 1, 1)))
    ]
    kernels = tuple(Kernel(symbol, grid, block, 0) for symbol, grid, block in launches)
    groups = (StreamGroup(0, 5, 0), StreamGroup(6, 11, OWN_STREAM))
    streams = tuple(Stream(each.bit_count(), each) for each in (cu_set, *others))
    model = Model("chain", ("mix", "twist"), (), kernels, 0)
    return table.pack(Table("MI50", 60, streams, (model,), (Variant(1, (groups,)),)))


class ApiServer:
    """Objects by path; watches of the nodes' objects. As much of an API server as an agent sees."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writes: list[tuple[float, dict[str, Any]]] = []
        self.requests: list[tuple[str, str]] = []
        self.refused = 0
        """Watches from a version that it does not know any more."""
        self._changed = threading.Condition(threading.RLock())
        self._objects: dict[str, dict[str, Any]] = {}
        self._version = self._oldest = 0
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (Handler,), {"api": self}))
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.running = True

    def stop(self) -> None:
        """As if the machine were gone: nobody listens, and watches end."""
        assert self._server
        self.running = False
        with self._changed:
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    @property
    def kubeconfig(self) -> Path:
        path = self.folder / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        user = {"name": "u", "user": {"token": "t"}}
        config = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "c"}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config}))
        return path

    @property
    def node(self) -> NodeColocation | None:
        found = self._objects.get(f"nodecolocations/{NODE}")
        return NodeColocation.read(found) if found else None

    @property
    def status(self) -> NodeStatus:
        return self.node.status if self.node else NodeStatus()

    def slot(self, allocation: str) -> SlotStatus | None:
        found = (slot for gpu in self.status.gpus for slot in gpu.slots)
        return next((slot for slot in found if slot.allocation == allocation), None)

    def put_table(self, data: bytes, compute_units: int = 60, name: str | None = None) -> str:
        topology = TableTopology(product="MI50", compute_units=compute_units, active=(15, 15, 15, 15))
        made = LookupTable.of(TableSpec(format=1, gpu=topology, table=encoded(data)))
        self.put(
            f"lookuptables/{name or made.metadata.name}",
            {**made.wire(), "metadata": {"name": name or made.metadata.name}},
        )
        return name or made.metadata.name

    def want(self, gpu: str, *slots: SlotSpec, config: str | None = None) -> None:
        """The operator's word."""
        spec = NodeSpec(config=config, gpus=(GpuSpec(id=gpu, slots=slots),))
        assert self.change(f"nodecolocations/{NODE}", generation=True, spec=spec.wire())

    def get(self, key: str) -> dict[str, Any] | None:
        return self._objects.get(key)

    def put(self, key: str, data: dict[str, Any], *, generation: bool = False) -> dict[str, Any]:
        with self._changed:
            self._version += 1
            before = self._objects.get(key, {}).get("metadata", {})
            metadata = {"generation": 1, "uid": str(uuid.uuid4()), **before, **data.get("metadata", {})}
            metadata["generation"] += generation
            metadata["resourceVersion"] = str(self._version)
            self._objects[key] = {**data, "metadata": metadata}
            self._changed.notify_all()
            return self._objects[key]

    def change(self, key: str, *, generation: bool = False, **parts: Any) -> dict[str, Any] | None:
        """Replaces parts of an object; None if there is none."""
        with self._changed:
            found = self._objects.get(key)
            return self.put(key, {**found, **parts}, generation=generation) if found else None

    def delete(self, key: str) -> None:
        with self._changed:
            del self._objects[key]
            self._changed.notify_all()

    def listed(self, key: str) -> dict[str, Any]:
        """A list of one object, or of none, with the version of the whole store."""
        with self._changed:
            found = self._objects.get(key)
            return {"items": [found] if found else [], "metadata": {"resourceVersion": str(self._version)}}

    def forget(self) -> None:
        """Drops its past, as a real one does every few minutes, and ends the watches."""
        with self._changed:
            self._version += 1
            self._oldest = self._version
            self._changed.notify_all()

    def events(self, key: str, after: int) -> Iterator[dict[str, Any]]:
        """What a watch says, until it ends."""
        seen = after
        oldest = self._oldest
        if after < oldest:
            self.refused += 1
            yield {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
            return
        while self.running and self._oldest == oldest:
            with self._changed:
                found = self._objects.get(key)
                if found is None:
                    yield {"type": "DELETED", "object": {}}
                    return
                if int(found["metadata"]["resourceVersion"]) > seen:
                    seen = int(found["metadata"]["resourceVersion"])
                else:
                    self._changed.wait(0.2)
                    continue
            yield {"type": "MODIFIED", "object": found}


class Handler(BaseHTTPRequestHandler):
    """One connection to the API server of the class that is made of it."""

    api: ClassVar[ApiServer]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing."""

    @property
    def key(self) -> str:
        return self.path.partition("?")[0].removeprefix("/apis/eclip.dev/v1alpha1/")

    def answer(self, status: int, data: dict[str, Any] | None) -> None:
        body = json.dumps(data or {"kind": "Status", "code": status}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self.api.requests.append(("GET", self.key))
        if "watch=" in self.path:
            self.watch()
        elif "fieldSelector=" in self.path:
            self.answer(200, self.api.listed(f"nodecolocations/{NODE}"))
        else:
            found = self.api.get(self.key)
            self.answer(200 if found else 404, found)

    def watch(self) -> None:
        after = int(next(part for part in self.path.split("&") if "resourceVersion=" in part).rpartition("=")[2])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            for event in self.api.events(f"nodecolocations/{NODE}", after):
                line = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")

    def do_POST(self) -> None:
        made = self.body()
        key = f"{self.key}/{made['metadata']['name']}"
        self.api.requests.append(("POST", key))
        self.answer(201, self.api.put(key, made))

    def do_PATCH(self) -> None:
        self.api.requests.append(("PATCH", self.key))
        key, status = self.key.removesuffix("/status"), self.body()["status"]
        found = self.api.change(key, status=status)
        if found:
            self.api.writes.append((time.monotonic(), status))
        self.answer(200 if found else 404, found)


class Kubelet(service.PodResourcesListerServicer):
    """PodResources on a socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pods: dict[tuple[str, str, str], str] = {}
        """(namespace, pod, container) -> device."""
        self._server: grpc.Server | None = None
        self.start()

    def start(self) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        service.add_PodResourcesListerServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix://{self.path}")
        self._server.start()

    def stop(self) -> None:
        assert self._server
        self._server.stop(0).wait()
        self.path.unlink(missing_ok=True)

    def List(self, *_: object) -> wire.ListPodResourcesResponse:
        return wire.ListPodResourcesResponse(
            pod_resources=[
                wire.PodResources(
                    name=pod,
                    namespace=namespace,
                    containers=[
                        wire.ContainerResources(
                            name=container,
                            devices=[
                                wire.ContainerDevices(resource_name="eclip.dev/gpu-share", device_ids=[device]),
                                wire.ContainerDevices(resource_name="example.com/other", device_ids=["nic-1"]),
                            ],
                        )
                    ],
                )
                for (namespace, pod, container), device in list(self.pods.items())
            ]
        )


class Node:
    """A node's state root with an emulated GPU, its kubelet, its API server, its agent, and pods."""

    chain_table = staticmethod(chain_table)
    until = staticmethod(until)

    def __init__(self, folder: Path, state: Path, chip: EmulatedGpu) -> None:
        self.folder, self.state, self.chip = folder, state, chip
        self.gpu = f"{chip.gpu.unique_id:x}"
        self.api = ApiServer(folder)
        self.kubelet = Kubelet(state.parent / "kubelet.sock")
        self.agents: list[subprocess.Popen[bytes]] = []
        self.programs: dict[str, subprocess.Popen[str]] = {}
        self.log = folder / "agent.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.report()

    def report(self, library: str = "1") -> None:
        """The plugin's word."""
        gpu = self.chip.gpu
        made = Report(
            plugin_version="1",
            library=library,
            source=Source.EMULATED,
            resource="eclip.dev/gpu-share",
            registered=True,
            config=ConfigReport(name="default", in_force="default", valid=True),
            gpus=(
                GpuReport(
                    id=self.gpu, node=gpu.node, product=gpu.product, compute_units=gpu.compute_units,
                    pci_address="0000:03:00.0", render_minor=gpu.render_minor, shares=4, health=Health.HEALTHY,
                ),
            ),
            changed_at=datetime.now(UTC),
        )  # fmt: skip
        (self.state / REPORT).write_text(made.text())

    def allocate(self, number: int, *, injection: Injection = Injection.PRELOAD, library: str = "1") -> Path:
        """What the plugin does for a share: the folder of a new allocation."""
        slot, allocation = f"{self.gpu}-s{number:02}", uuid.uuid4().hex[:12]
        with Slot.create(self.state, slot, allocation) as made:
            folder = made.folder
        record = Record(
            slot=slot, allocation=allocation, gpu=self.gpu, created_at=datetime.now(UTC), library=library,
            injection=injection,
        )  # fmt: skip
        (folder / f".{RECORD}").write_text(record.text())
        (folder / f".{RECORD}").rename(folder / RECORD)
        return folder

    def pod(self, number: int, name: str, **options: Any) -> Path:
        """A pod with a share, as kubelet lists it."""
        folder = self.allocate(number, **options)
        self.kubelet.pods["team", name, "main"] = folder.parent.name
        return folder

    def start_agent(self) -> subprocess.Popen[bytes]:
        token = self.folder / "token"
        claims = {"kubernetes.io": {"node": {"name": NODE, "uid": NODE_UID}}}
        token.write_text(f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s")
        command = [
            sys.executable, "-m", "eclip_node_agent", f"--state={self.state}", f"--kubelet={self.kubelet.path}",
            f"--sysfs={self.chip.sysfs}", "--proc=/proc", f"--token={token}", f"--kubeconfig={self.api.kubeconfig}",
            f"--port={self.port}", "--log-level=debug",
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.agents.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.agents[-1]

    def run(
        self, folder: Path, *, requests: int = 10_000_000, inject: bool = True, **more: str
    ) -> "subprocess.Popen[str]":
        """The chain program in a slot, as its pod would run it."""
        variables = {"ECLIP_ALLOCATION": folder.name, "CHAIN_CODE_OBJECT": str(CHAIN / "chain.hsaco")}
        if inject:
            variables |= {"LD_PRELOAD": str(INTERPOSER), "ECLIP_SLOT": str(folder)}
        environment = {**os.environ, **self.chip.environment(), **variables, **more}
        environment["LD_LIBRARY_PATH"] += f":{CHAIN}"
        command = [str(CHAIN / "chain"), "null", str(requests)]
        self.programs[folder.name] = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        return self.programs[folder.name]

    def want(self, *folders: tuple[Path, str | None], mode: str = "Enforce") -> None:
        """The operator's word: a table for each allocation, or none."""
        slots = tuple(
            SlotSpec(slot=folder.parent.name, allocation=folder.name, mode=mode if name else "Unmasked", table=name)
            for folder, name in folders
        )
        self.api.want(self.gpu, *slots)

    def until_state(self, folder: Path, state: str, reason: str | None = None) -> SlotStatus:
        """The slot's status as soon as it is this one."""

        def found() -> SlotStatus | None:
            slot = self.api.slot(folder.name)
            wanted = slot is not None and slot.state.value == state
            return slot if wanted and (slot.reason.value if slot.reason else None) == reason else None

        try:
            return until(found, f"{state} {reason}")
        except AssertionError:
            raise AssertionError(f"{state} {reason}: {self.api.slot(folder.name)}\n{self.said[-3000:]}") from None

    @property
    def said(self) -> str:
        """The agents' log."""
        return self.log.read_text() if self.log.exists() else ""

    def clients(self, folder: Path) -> tuple[ClientRecord, ...]:
        return stats.read(folder / "stats")

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def end(self) -> None:
        """Ends the agents and all programs."""
        for process in (*self.agents, *self.programs.values()):
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()

    def close(self) -> None:
        self.end()
        self.api.stop()
        self.kubelet.stop()


@pytest.fixture
def node(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    for needed in (INTERPOSER, CHAIN / "chain"):
        assert needed.exists(), f"{needed} is not built: make native"

    with tempfile.TemporaryDirectory(prefix="eclip-") as short:  # sockets want short paths
        state = Path(short) / "state"
        (state / "lib" / "1").mkdir(parents=True)
        (state / "lib" / "1" / LIBRARY).symlink_to(INTERPOSER)
        (state / "emulated").mkdir()
        kernels = (CHAIN / "libchain_kernels.so",)
        chip = EmulatedGpu("MI50", tmp_path / "gpu", kernels=kernels).create()
        (state / "emulated" / "chip").mkdir()
        (state / "emulated" / "chip" / "chip0").symlink_to(chip.chip_path(0))
        made = Node(tmp_path, state, chip)
        yield made
        made.close()
