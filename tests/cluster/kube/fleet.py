"""A thousand nodes that exist in the API server only: their agents are simulated, and report as real ones would."""

import asyncio
import copy
import itertools
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from eclip.gpu import products
from kube.bare import BareApi, Raw
from kube.operating import OURS, policy, profile, workload

HOME = "team"
MODELS = ("alexnet-b8", "vgg19-b1", "shufflenet-b8", "albert-b1")
SHARES = 4
FIGURES_S = 30.0
"""An agent writes its figures so often, if they moved by more than a tenth. These always do."""
AT_ONCE = 24
"""Requests of the simulation at one time."""


@dataclass
class Machine:
    """A node, its agent's report, and the spec that it has seen last."""

    name: str
    number: int
    mix: tuple[str, ...]
    uids: list[str] = field(default_factory=list)
    absent: int = 0
    """How many of its pods have left."""
    spec: Raw = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gpu(self) -> str:
        return f"{self.number + 16:x}"


class Fleet:
    """All nodes. Use as an asynchronous context; agents write from then on until it ends."""

    def __init__(self, bare: BareApi, nodes: int, mixes: int) -> None:
        combinations = list(itertools.combinations_with_replacement(MODELS, SHARES))[:mixes]
        assert len(combinations) == mixes
        self.mixes = combinations
        self.machines = {
            f"n{number}": Machine(f"n{number}", number, combinations[number % mixes]) for number in range(nodes)
        }
        self.status_writes = 0
        self._bare = bare
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._random = random.Random(nodes)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Fleet":
        connector = TCPConnector(ssl=self._bare.client, limit=AT_ONCE + 8)
        self._session = ClientSession(connector=connector, timeout=ClientTimeout(total=None, sock_connect=30))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def populate(self) -> None:
        """Makes everything but the policy; agents report."""
        await self.request("POST", "/api/v1/namespaces", _object("v1", "Namespace", HOME))
        for model in MODELS:
            raw = profile(model, HOME)
            await self.apply(f"{OURS}/namespaces/{HOME}/kernelprofiles/{model}", raw)
        await self._all(self._populate)

    def live(self) -> None:
        """Agents watch their objects, and write figures from now on."""
        self._tasks.append(asyncio.create_task(self._watch()))
        self._tasks += [asyncio.create_task(self._report_figures(one)) for one in self.machines.values()]

    async def edit(self, strategy: str) -> None:
        """The one policy that governs all pods."""
        body = policy("p", HOME, [workload(model.split("-", 1)[0], model) for model in MODELS], strategy=strategy)
        await self.apply(f"{OURS}/namespaces/{HOME}/colocationpolicies/p", body)

    async def until(self, right: Callable[[Machine], bool], within: float) -> float:
        """Seconds until the spec of every node is right, as watches show it. TimeoutError."""
        started = time.monotonic()
        async with asyncio.timeout(within):
            for one in self.machines.values():
                while not right(one):
                    one.changed.clear()
                    await one.changed.wait()
        return time.monotonic() - started

    async def toggle(self, one: Machine, within: float) -> float:
        """A pod leaves or comes back; seconds from the agent's write until the new spec is seen. TimeoutError."""
        one.absent = 1 - one.absent
        started = time.monotonic()
        await self.write_status(one)
        async with asyncio.timeout(within):
            while not programmed(one):
                one.changed.clear()
                await one.changed.wait()
        return time.monotonic() - started

    async def write_status(self, one: Machine) -> None:
        """The agent's report, with new figures."""
        body = _object("eclip.dev/v1alpha1", "NodeColocation", one.name) | {"status": self._status(one)}
        await self.apply(f"{OURS}/nodecolocations/{one.name}/status", body)
        self.status_writes += 1

    async def request(self, method: str, path: str, body: Raw, kind: str = "application/json") -> Raw:
        """Any request."""
        async with (
            self._limit,
            self._session.request(
                method, self._bare.server + path, data=json.dumps(body), headers={"Content-Type": kind}
            ) as answer,
        ):
            text = await answer.text()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text[:300]}"
            found: Raw = json.loads(text)
            return found

    async def apply(self, path: str, body: Raw) -> Raw:
        """Server-side apply, as an agent."""
        where = f"{path}?fieldManager=eclip-agent&force=true"
        return await self.request("PATCH", where, body, "application/apply-patch+yaml")

    async def _all(self, do: Callable[[Machine], Awaitable[None]]) -> None:
        await asyncio.gather(*(do(one) for one in self.machines.values()))

    async def _populate(self, one: Machine) -> None:
        made = await self.request("POST", "/api/v1/nodes", _object("v1", "Node", one.name))
        owner = {"apiVersion": "v1", "kind": "Node", "name": one.name, "uid": made["metadata"]["uid"]}
        raw = _object("eclip.dev/v1alpha1", "NodeColocation", one.name) | {"spec": {}}
        raw["metadata"]["ownerReferences"] = [owner]
        await self.request("POST", f"{OURS}/nodecolocations", raw)
        for number, model in enumerate(one.mix):
            pod = _object("v1", "Pod", f"{one.name}-{number}")
            pod["metadata"] |= {"namespace": HOME, "labels": {"app": model.split("-", 1)[0]}}
            pod["spec"] = {"nodeName": one.name, "containers": [{"name": "main", "image": "none"}]}
            answer = await self.request("POST", f"/api/v1/namespaces/{HOME}/pods", pod)
            one.uids.append(answer["metadata"]["uid"])
        await self.write_status(one)

    async def _report_figures(self, one: Machine) -> None:
        await asyncio.sleep(self._random.uniform(0, FIGURES_S))
        while True:
            started = time.monotonic()
            await self.write_status(one)
            await asyncio.sleep(max(0.0, FIGURES_S - (time.monotonic() - started)))

    async def _watch(self) -> None:
        path = f"{self._bare.server}{OURS}/nodecolocations"
        while True:
            async with self._session.get(path) as answer:
                listed = await answer.json()
            for raw in listed["items"]:
                self._see(raw)
            since = listed["metadata"]["resourceVersion"]
            del listed
            with suppress(ClientError):
                where = f"{path}?watch=1&resourceVersion={since}"
                async with self._session.get(where, read_bufsize=1 << 22) as answer:
                    async for line in answer.content:
                        self._see(json.loads(line)["object"])

    def _see(self, raw: Raw) -> None:
        one = self.machines.get(raw.get("metadata", {}).get("name", ""))
        if one is not None:
            one.spec = raw["spec"]
            one.changed.set()

    def _status(self, one: Machine) -> Raw:
        status = copy.deepcopy(_CHIP)
        status["id"] = one.gpu
        rate = self._random.uniform(500.0, 5000.0)
        status["slots"] = [
            {
                "slot": f"{one.gpu}-s{number:02d}",
                "allocation": f"{one.name}-{number}-allocation",
                "pod": {"namespace": HOME, "name": f"{one.name}-{number}", "uid": uid},
                "container": "main",
                "state": "Enforced",
                "generation": 1,
                "masks": ["15:7fff", "30:3fffffff"],
                "counters": {"launches": int(rate * 1e4), "requests": int(rate * 100), "hops": int(rate * 900)},
                "p95Micros": round(self._random.uniform(1e3, 1e4), 1),
                "kernelsPerSecond": round(rate, 1),
            }
            for number, uid in enumerate(one.uids[: len(one.uids) - one.absent])
        ]
        return {"gpus": [status]}


def programmed(one: Machine, strategy: str | None = None) -> bool:
    """Whether a node's spec is right: everybody in it is masked, by this strategy, and nobody else is named."""
    gpus = one.spec.get("gpus", ())
    wanted = {f"{one.gpu}-s{number:02d}" for number in range(SHARES - one.absent)}
    named = {slot["slot"] for gpu in gpus for slot in gpu["slots"] if slot["mode"] == "Enforce" and slot.get("table")}
    return named == wanted and (strategy is None or [gpu["strategy"] for gpu in gpus] == [strategy])


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _object(version: str, kind: str, name: str) -> Raw:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _chip() -> dict[str, Any]:
    chip = products.gpu_for("MI50")
    return {
        "id": "",
        "product": chip.product,
        "gfx": chip.gfx,
        "computeUnits": chip.compute_units,
        "topology": {
            "xccs": chip.xccs,
            "shaderEngines": chip.shader_engines,
            "arraysPerEngine": len(chip.active[0][0]),
            "active": [cus for xcc in chip.active for engine in xcc for cus in engine],
        },
        "index": 1,
        "renderMinor": 128,
        "vramBytes": 16 << 30,
        "shares": SHARES,
        "health": "Healthy",
        "slots": [],
    }


_CHIP = _chip()
