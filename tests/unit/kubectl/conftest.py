"""A cluster in files, and a `kubectl` that reads them and writes down what it was asked."""

import json
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eclip.api import NodeColocation
from eclip.api.node import GpuSpec, NodeSpec, PlanSummary, SlotSpec, SlotWorker
from eclip.api.node_status import GpuStatus, Health, NodeStatus, NodeSummary, PodRef, SlotReason, SlotState, SlotStatus
from eclip.api.objects import Metadata
from eclip.documents import profile
from eclip.documents.profile import KernelCall, KernelProfile
from eclip.gpu import products

GPU = "e11b50000000001"
KUBECTL = """#!{python}
import json, pathlib, sys
root = pathlib.Path({folder!r})
words = sys.argv[1:]
log = (root / "asked").open("a")
asked, words = words, words[next(i for i, word in enumerate(words) if not word.startswith("--")):]
given = sys.stdin.read() if words[0] == "apply" else ""
log.write(json.dumps([asked, given]) + "\\n")
log.close()
if words[0] == "get":
    names = [word for word in words[1:] if not word.startswith("-")]
    path = root / "-".join(names)
    if not path.exists():
        sys.exit(f'Error from server (NotFound): {{names}} not found')
    print(path.read_text())
if words[0] == "exec":
    answers = json.loads((root / "exec").read_text())
    print(answers.pop(0) if len(answers) > 1 else answers[0], end="")
    (root / "exec").write_text(json.dumps(answers or [""]))
"""


def slot(number: int, pod: str, **changes: Any) -> SlotStatus:
    fields = {
        "slot": f"{GPU}-s{number:02}",
        "allocation": f"alloc{number}",
        "pod": PodRef(namespace="team", name=pod),
        "container": "main",
        "state": SlotState.ENFORCED,
        "masks": ("15:111111111111111",),
        "kernels_per_second": 1234.0,
        "p95_micros": 5200.0,
    }
    return SlotStatus(**{**fields, **changes})


def node(*slots: SlotStatus, mode: str = "Enforce") -> NodeColocation:
    """A node with one MI50 and these slots: by default `web`, under a plan, and `other`, without the library."""
    found = slots or (
        slot(0, "web"),
        slot(1, "other", state=SlotState.NOT_ENFORCED, reason=SlotReason.NO_HANDSHAKE, masks=()),
    )
    gpu = GpuStatus.of(products.gpu_for("MI50"), shares=4, health=Health.HEALTHY)
    gpu = gpu.model_copy(update={"id": GPU, "slots": tuple(found)})
    worker = SlotWorker(bit=0, solo_micros=4000, predicted_slowdown=1.3)
    wanted = SlotSpec(
        slot=f"{GPU}-s00", allocation="alloc0", policy="team/vision", workload="web", mode=mode, table="t",
        workers=(worker,), groups="14@15 7@60", objective_p95_micros=6000,
    )  # fmt: skip
    plan = PlanSummary(
        strategy="kernel-groups", solved_by="exact", objective=2, lower_bound=2, gap=0.01, solve_millis=3, streams=2
    )
    spec = NodeSpec(gpus=(GpuSpec(id=GPU, policy="team/vision", strategy="kernel-groups", plan=plan, slots=(wanted,)),))
    summary = NodeSummary(gpus=1, shares=4, used=len(found), enforced="1/2")
    status = NodeStatus(summary=summary, gpus=(gpu,))
    return NodeColocation(metadata=Metadata(name="node-a"), spec=spec, status=status)


def measured(name: str = "program") -> str:
    """A profile as a program writes it."""
    calls = tuple(KernelCall("k", (60, 1, 1), (64, 1, 1), (20.0 + i, 10.0 + i), 0) for i in range(4))
    return profile.dump(KernelProfile(name, "MI50", 60, "Measured", (15, 60), calls))


@dataclass
class FakeCluster:
    """Objects by what one asks `kubectl get` for."""

    folder: Path
    slot = staticmethod(slot)
    node = staticmethod(node)
    measured = staticmethod(measured)

    def put(self, what: str, data: dict[str, Any]) -> None:
        (self.folder / what).write_text(json.dumps(data))

    def put_list(self, what: str, *items: dict[str, Any]) -> None:
        self.put(what, {"items": list(items)})

    def says(self, *answers: str) -> None:
        """What the agent prints, one answer after another, the last one for ever."""
        (self.folder / "exec").write_text(json.dumps(answers))

    @property
    def asked(self) -> list[list[str]]:
        log = self.folder / "asked"
        return [json.loads(line)[0] for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def applied(self) -> list[dict[str, Any]]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [json.loads(given) for words, given in map(json.loads, lines) if words[0] == "apply"]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("COLUMNS", "140")
    made = FakeCluster(tmp_path)
    made.put_list("nodecolocations", node().wire())
    made.put("pod-web", {"metadata": {"name": "web", "namespace": "team"}})
    return made
