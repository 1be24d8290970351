"""A cluster in memory: objects as the API server has them, and the operator's mind before them, without its edges."""

import base64
import copy
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from reported_gpu import gpu_status

from eclip.slot import table
from eclip.slot.table import Table
from eclip_operator import questions, reading, solving
from eclip_operator.events import Event
from eclip_operator.questions import Outcome, Question
from eclip_operator.reconciler import Reconciler, Step

API = "eclip.dev/v1alpha1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Raw = dict[str, Any]


def profile(name: str, namespace: str = "team", product: str = "MI50", units: int = 60, scale: float = 1.0) -> Raw:
    """A model of six kernels: three that use the whole GPU, three that need little of it."""
    quarter = units // 4
    sizes = [quarter, 2 * quarter, 3 * quarter, units]
    wide = [400.0 * scale, 200.0 * scale, 134.0 * scale, 100.0 * scale]
    narrow = [50.0 * scale] * 4
    return {
        "apiVersion": API,
        "kind": "KernelProfile",
        "metadata": {"name": name, "namespace": namespace, "uid": f"profile-{namespace}-{name}"},
        "spec": {
            "gpu": {"product": product, "computeUnits": units},
            "origin": "Modelled",
            "sizes": sizes,
            "symbols": ["wide", "narrow"],
            "kernels": [
                {"symbol": int(index >= 3), "grid": [64, 1, 1], "block": [256, 1, 1], "micros": times}
                for index, times in enumerate([wide] * 3 + [narrow] * 3)
            ],
        },
    }


def workload(name: str, profiles: tuple[str, ...] = (), **more: Any) -> Raw:
    """An entry of a policy for the pods with the label app=name."""
    return {
        "name": name,
        "podSelector": {"matchLabels": {"app": name}},
        "profileRefs": [{"name": one} for one in profiles],
        **more,
    }


def policy(name: str, *workloads: Raw, namespace: str = "team", age: int = 0, **spec: Any) -> Raw:
    """A policy; the higher its age, the older."""
    return {
        "apiVersion": API,
        "kind": "ColocationPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"policy-{namespace}-{name}",
            "generation": 1,
            "creationTimestamp": f"2025-12-{30 - age:02d}T00:00:00Z",
        },
        "spec": {"workloads": list(workloads), **spec},
    }


class Stage:
    """Objects by kind and name, and a mind that is shown them."""

    now = NOW

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Raw] = {}
        self.mind = Reconciler()
        self.events: list[Event] = []
        self.solved: list[Question] = []
        self.specs: list[tuple[str, Raw]] = []

    def put(self, *objects: Raw) -> None:
        """Objects come or change."""
        for raw in objects:
            metadata = raw["metadata"]
            self.objects[raw["kind"], metadata.get("namespace", ""), metadata["name"]] = raw
            self.show(raw)

    def remove(self, kind: str, name: str, namespace: str = "") -> None:
        """An object goes."""
        del self.objects[kind, namespace, name]
        self._forget(kind, namespace, name)

    def node(self, name: str, *gpus: str, product: str = "MI50", labels: Mapping[str, str] | None = None) -> None:
        """A node with empty GPUs, and its object."""
        self.put(
            {
                "kind": "Node",
                "metadata": {"name": name, "uid": f"node-{name}", "labels": dict(labels or {})},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            },
            {
                "apiVersion": API,
                "kind": "NodeColocation",
                "metadata": {"name": name, "uid": f"object-{name}", "generation": 1},
                "spec": {},
                "status": {"gpus": [gpu_status(one, [], product) for one in gpus]},
            },
        )

    def pod(self, name: str, node: str, gpu: str, app: str = "", namespace: str = "team", **slot: Any) -> None:
        """A pod with one share of a GPU."""
        self.put(
            {
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "uid": f"pod-{namespace}-{name}",
                    "labels": {"app": app or name.split("-", maxsplit=1)[0]},
                },
                "spec": {"nodeName": node},
            }
        )
        report = copy.deepcopy(self.objects["NodeColocation", "", node])
        slots = next(one for one in report["status"]["gpus"] if one["id"] == gpu)["slots"]
        free = next(number for number in range(8) if f"{gpu}-s{number:02d}" not in {one["slot"] for one in slots})
        slots.append(
            {
                "slot": f"{gpu}-s{free:02d}",
                "allocation": f"allocation-{namespace}-{name}",
                "pod": {"namespace": namespace, "name": name, "uid": f"pod-{namespace}-{name}"},
                "container": "main",
                "state": "Pending",
                **slot,
            }
        )
        self.put(report)

    def leave(self, name: str, node: str) -> None:
        """A pod ends."""
        report = copy.deepcopy(self.objects["NodeColocation", "", node])
        for one in report["status"]["gpus"]:
            one["slots"] = [slot for slot in one["slots"] if slot["pod"]["name"] != name]
        self.put(report)

    def slot(self, name: str, **changes: Any) -> None:
        """What the agent says of a pod's slot changes."""
        for raw in list(self.objects.values()):
            if raw["kind"] == "NodeColocation":
                report = copy.deepcopy(raw)
                for one in report["status"]["gpus"]:
                    for slot in one["slots"]:
                        if slot["pod"]["name"] == name:
                            slot.update(changes)
                if report != raw:
                    self.put(report)

    def settle(self, limit: int = 20) -> "Stage":
        """Carry out what the mind wants until it wants nothing more."""
        for _ in range(limit):
            if not self.mind.stale:
                return self
            self.step()
        raise AssertionError("the mind never comes to rest")

    def step(self) -> None:
        """One step of the mind, carried out. Policies are told when nothing else is to be done, as by the loop."""
        self._carry_out(self.mind.step(NOW, judge=False))
        if not self.mind.stale_nodes:
            self._carry_out(self.mind.step(NOW))

    def _carry_out(self, step: Step) -> None:
        self.events += step.events
        for key in step.pods:
            raw = self.objects.get(("Pod", key.namespace, key.name))
            self.mind.put_pod(key, reading.pod(raw) if raw else None)
        for question in step.questions:
            self.solved.append(question)
            self.mind.put_outcome(question, self.answer(question))
        for write in step.specs:
            self.specs.append((write.node, write.spec.wire()))
            self._write("NodeColocation", "", write.node, spec=write.spec.wire())
        for agent in step.agents:
            status = copy.deepcopy(self.objects["NodeColocation", "", agent.node]["status"])
            others = [one for one in status.get("conditions", ()) if one["type"] != agent.condition.type]
            self._write(
                "NodeColocation", "", agent.node, status={**status, "conditions": [*others, agent.condition.wire()]}
            )
        for status in step.statuses:
            self._write("ColocationPolicy", *status.policy, status=status.status.wire())
        for label in step.labels:
            node = copy.deepcopy(self.objects["Node", "", label.node.name])
            kept = {key: value for key, value in node["metadata"]["labels"].items() if "gpu." not in key}
            node["metadata"]["labels"] = kept | label.labels
            self.put(node)

    def answer(self, question: Question) -> Outcome:
        """What the solver's process would say."""
        texts = {one.digest: one.text for one in self.mind.profiles.values() if one.digest in question.profiles}
        return _answer(questions.key(question), question, tuple(sorted(texts.items())))

    def spec(self, node: str) -> Raw:
        """Of a node's object."""
        return self.objects["NodeColocation", "", node]["spec"]

    def slots(self, node: str) -> dict[str, Raw]:
        """Slots of the spec of a node, by allocation's pod."""
        return {
            slot["allocation"].rsplit("-", 2)[-2] + "-" + slot["allocation"].rsplit("-", 1)[-1]: slot
            for gpu in self.spec(node)["gpus"]
            for slot in gpu["slots"]
        }

    def condition(self, name: str, kind: str, namespace: str = "team") -> Raw:
        """One condition of a policy."""
        status = self.objects["ColocationPolicy", namespace, name]["status"]
        return next(one for one in status["conditions"] if one["type"] == kind)

    def table(self, name: str) -> Raw:
        """A LookupTable as it would be written."""
        found: Raw = json.loads(self.mind.table(name))
        return found

    def decoded(self, name: str) -> Table:
        """The table in it."""
        return table.decode(base64.b64decode(self.table(name)["spec"]["table"]))

    def show(self, raw: Raw) -> None:
        """The mind sees an object."""
        self.mind.see(raw["kind"], raw)

    def _forget(self, kind: str, namespace: str, name: str) -> None:
        self.mind.gone(kind, namespace, name)

    def _write(self, kind: str, namespace: str, name: str, **parts: Raw) -> None:
        raw = copy.deepcopy(self.objects[kind, namespace, name])
        self.put({**raw, **parts})


_answers: dict[str, Outcome] = {}


def _answer(key: str, question: Question, texts: tuple[tuple[str, str], ...]) -> Outcome:
    if key not in _answers:
        _answers[key] = solving.answer(question, dict(texts), 10.0)
    return _answers[key]


@pytest.fixture
def stage() -> Stage:
    """An empty cluster."""
    return Stage()


@pytest.fixture
def new_stage() -> type[Stage]:
    """Makes empty clusters."""
    return Stage


@pytest.fixture
def make_policy() -> Callable[..., Raw]:
    """Makes policies."""
    return policy


@pytest.fixture
def make_profile() -> Callable[..., Raw]:
    """Makes kernel profiles."""
    return profile


@pytest.fixture
def make_workload() -> Callable[..., Raw]:
    """Makes workloads of a policy."""
    return workload
