"""A node without containers: state folder, emulated GPU, the plugin as a process, a fake kubelet."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_kubelet import FakeKubelet
from kubelet_contract import SHARE, WHOLE, until

from eclip import node
from eclip.emulated.node_source import NodeSource
from eclip.node import report
from eclip.node.report import Report
from eclip_device_plugin import library


class Kubelet(FakeKubelet):
    """Knows the node's disk too."""

    def __init__(self, folder: Path, state: Path) -> None:
        super().__init__(folder)
        self._state = state

    def records(self) -> Mapping[str, str]:
        found = self._state.glob(f"slots/*/*/{node.RECORD}")
        return {path.parent.name: path.read_text() for path in found}


@dataclass
class Node:
    """A node of its own folder."""

    root: Path
    kubelet: Kubelet
    source: NodeSource
    process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def configs(self) -> Path:
        return self.root / "configs"

    def start(self, *arguments: str) -> None:
        """Starts the plugin."""
        command = [sys.executable, "-m", "eclip_device_plugin", "--state", str(self.state)]
        command += ["--device-source", "emulated", "--kubelet", str(self.kubelet.folder)]
        command += ["--node-configs", str(self.configs), *arguments]
        with (self.root / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def kill(self) -> None:
        """kill -9, and kubelet has seen it."""
        assert self.process
        self.process.kill()
        self.process.wait()
        until("seen as gone", lambda: self.kubelet.capacity(SHARE) == 0)

    def configure(self, text: str, name: str = "default") -> None:
        """Puts a node config into the mounted folder, as kubelet does."""
        path = self.configs / f"{name}.yaml"
        unfinished = path.with_suffix(".new")
        unfinished.write_text(text)
        unfinished.replace(path)

    def report(self) -> Report:
        path = self.state / node.REPORT
        return report.Report.parse(path.read_text(), str(path))

    def log(self) -> str:
        return (self.root / "log").read_text()

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
        self.kubelet.close()


MakeNode = Callable[..., Node]


@pytest.fixture
def make_node() -> Iterator[MakeNode]:
    """Makes nodes. Their folders are short: a socket's path has room for 107 bytes."""
    made: list[Node] = []

    def make(*, gpus: int = 1, config: str = "", started: bool = True, **options: Any) -> Node:
        root = Path(tempfile.mkdtemp(prefix="eclip-node-"))
        for folder in ("plugins", "configs", "state"):
            (root / folder).mkdir()
        source = NodeSource.of(root / "state" / "emulated", "MI50", node=root.name, count=gpus, **options)
        source.fill()
        one = Node(root, Kubelet(root / "plugins", root / "state"), source)
        made.append(one)
        library.install(one.state)
        if config:
            one.configure(config)
        if started:
            one.start()
            until("shares", lambda: one.kubelet.allocatable(SHARE) > 0 and one.kubelet.allocatable(WHOLE) == gpus)
            until("a report", lambda: (one.state / node.REPORT).exists() and one.report().registered)
        return one

    yield make
    for one in made:
        one.close()
        shutil.rmtree(one.root)


@pytest.fixture
def one(make_node: MakeNode) -> Node:
    """A node with one GPU of four shares, whose plugin runs."""
    return make_node()
