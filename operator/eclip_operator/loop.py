"""The loop: waits for changes, lets the mind think, and hands what follows to the writer, the solver and the API."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from eclip.errors import EclipError
from eclip_operator import metrics, questions, reading
from eclip_operator.agents import Agents
from eclip_operator.cluster import GROUP, ApiError, Cluster, Object
from eclip_operator.inputs import PodKey
from eclip_operator.presence import Presence
from eclip_operator.questions import MixQuestion, Outcome, Question
from eclip_operator.reconciler import Reconciler, Step
from eclip_operator.retention import KEPT_S, Retention
from eclip_operator.solver import Solver
from eclip_operator.writer import Writer

log = logging.getLogger(__name__)
DEBOUNCE_S = 0.1
"""Changes that come together are answered together."""
NODES_A_STEP = 50
"""So many nodes are thought about before others get their turn."""
JUDGE_S = 0.5
"""Policies are told at most so often."""
PLANNING_S = 2.0
"""While plans are made or pods are read they are told at most so often."""
START_LIMIT_S = 30.0
"""The same while the operator has just started, and may not know much yet."""
FIGURES_S = 30.0
"""How often figures alone reach a policy."""
LABELS_S, LABELS_SHARE = 15.0, 0.02
"""Labels of pods may have changed: they are listed this often, but for no more than this share of the time."""
LISTS = {
    "ColocationPolicy": f"{GROUP}/colocationpolicies",
    "KernelProfile": f"{GROUP}/kernelprofiles",
    "NodeColocation": f"{GROUP}/nodecolocations",
    "LookupTable": f"{GROUP}/lookuptables",
    "Node": "/api/v1/nodes",
}
START_S = 1.0
"""Between two lists of what is to be seen before anything is decided."""
SWEEP_S = 300.0
"""How often lists are compared with what is known: a watch may have missed the end of an object."""
POD_READERS = 16


class Operator:
    """Everything but the watches, which put what they see through `see` and `gone`."""

    def __init__(self, cluster: Cluster, *, kept_s: float = KEPT_S, agents: tuple[str, str] | None = None) -> None:
        """
        Args:
            kept_s: how long a LookupTable is kept that nobody names.
            agents: namespace and label selector of the agents' pods; None: only Nodes tell who is lost.
        """
        self.mind = Reconciler(lost=None if agents else frozenset())
        self.ready = asyncio.Event()
        """Set once all has been seen, and been thought about."""
        self.beat = time.monotonic()
        """When the loop was last alive."""
        self._cluster = cluster
        self._kept_s = kept_s
        self._woken = asyncio.Event()
        self._solver = Solver(self._solved)
        self._writer = Writer(cluster, self.mind.table, self.mind.tables, self.see_written)
        self._reading: dict[PodKey, asyncio.Task[None]] = {}
        self._readers = asyncio.Semaphore(POD_READERS)
        self._judged = 0.0
        self._seen: set[tuple[str, str, str]] = set()
        self._retention = Retention({})
        self._agents = Agents(cluster, *agents, self._miss) if agents else None
        self._presence = Presence()

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._solver.run())
            group.create_task(self._writer.run())
            if self._agents:
                group.create_task(self._agents.run())
            group.create_task(self._think())
            group.create_task(self._every(FIGURES_S, self._refresh))
            group.create_task(self._every(min(5.0, self._kept_s / 4), self._collect))
            group.create_task(self._every(1.0, self._look_after))
            group.create_task(self._relabel())
            group.create_task(self._every(SWEEP_S, self._sweep))

    def wake(self) -> None:
        """Something has changed."""
        self._woken.set()

    def see(self, kind: str, raw: Object) -> None:
        """An object of the cluster, as a watch or an answer shows it."""
        metadata = raw["metadata"]
        if not self.ready.is_set():
            self._seen.add((kind, metadata.get("namespace", ""), metadata["name"]))
        try:
            self.mind.see(kind, raw)
        except EclipError as error:
            metrics.unreadable.labels(kind).inc()
            log.warning("%s", error)
            self.gone(kind, metadata.get("namespace", ""), metadata["name"])

    def see_written(self, raw: Object) -> None:
        """An object as our own write has left it."""
        self.see(raw["kind"], raw)

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """An object that is not there any more."""
        self.mind.gone(kind, namespace, name)
        if kind == "Pod":  # it may only have lost the label by which we watch it
            for key in self.mind.pod_keys(namespace, name):
                self._read(key)

    async def _think(self) -> None:
        await self._see_all()
        self._judged = time.monotonic()
        self.wake()
        while True:
            await self._woken.wait()
            await asyncio.sleep(DEBOUNCE_S)
            self._woken.clear()
            while self.mind.stale:
                await self._step()
                await asyncio.sleep(0)
                self.beat = time.monotonic()
                if not self.mind.stale_nodes and not self._judging():
                    asyncio.get_running_loop().call_later(JUDGE_S, self.wake)
                    break
            if not self._unsettled:
                self.ready.set()
                self._seen.clear()

    async def _see_all(self) -> None:
        """Until the watches have shown all that is there: half a world would have masks taken away."""
        while True:
            self.beat = started = time.monotonic()
            try:
                listed = {(kind, *name) for kind, path in LISTS.items() for name in await self._cluster.names(path)}
                while time.monotonic() - started < START_S:
                    if listed <= self._seen:
                        return
                    await asyncio.sleep(DEBOUNCE_S / 2)
                log.info("%d objects are still to be seen", len(listed - self._seen))
            except ApiError as error:
                log.warning("%s; tried again in %g s", error, START_S)
                await asyncio.sleep(START_S)

    def _judging(self) -> bool:
        """Whether policies are told now. What is nearly known is waited for."""
        pause = JUDGE_S
        if self._unsettled:
            pause = PLANNING_S if self.ready.is_set() else START_LIMIT_S
        return time.monotonic() - self._judged >= pause

    @property
    def _unsettled(self) -> bool:
        return bool(self._solver.waiting or self._reading)

    async def _step(self) -> None:
        started = time.monotonic()
        judge = self._judging()
        step = self.mind.step(datetime.now(UTC), NODES_A_STEP, judge=judge)
        if judge and not self.mind.stale_nodes:
            self._judged = time.monotonic()
        metrics.reconcile_seconds.observe(time.monotonic() - started)
        self._ask(step)
        for key in step.pods:
            self._read(key)
        await self._writer.put((*step.specs, *step.labels, *step.agents, *step.statuses, *step.events))

    def _ask(self, step: Step) -> None:
        metrics.plan_lookups.labels("miss").inc(len(step.questions))
        metrics.plan_lookups.labels("hit").inc(step.hits)
        for question in step.questions:
            self._solver.ask(question, self._texts(question), urgent=question in step.urgent)
        if step.questions:
            self._solver.keep(self.mind.asked)

    def _texts(self, question: Question) -> dict[str, str]:
        wanted = question.profiles if isinstance(question, MixQuestion) else frozenset()
        return {one.digest: one.text for one in self.mind.profiles.values() if one.digest in wanted}

    def _solved(self, question: Question, outcome: Outcome) -> None:
        log.info("planned", extra={"plan": questions.key(question)[:12], "result": type(outcome).__name__})
        self.mind.put_outcome(question, outcome)
        self.wake()

    def _read(self, key: PodKey) -> None:
        if key not in self._reading:
            self._reading[key] = asyncio.create_task(self._read_pod(key))

    async def _read_pod(self, key: PodKey) -> None:
        try:
            async with self._readers:
                raw = await self._cluster.get(f"/api/v1/namespaces/{key.namespace}/pods/{key.name}")
            self.mind.put_pod(key, reading.pod(raw) if raw else None)
        except ApiError as error:
            log.warning("%s; tried again in 1 s", error)
            await asyncio.sleep(1.0)
            asyncio.get_running_loop().call_soon(self._read, key)
        finally:
            del self._reading[key]
        self.wake()

    async def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            if self.ready.is_set():
                try:
                    await do()
                except ApiError as error:
                    log.warning("%s; tried again in %g s", error, seconds)

    def _miss(self) -> None:
        """Look who has an agent, and since when the others have none."""
        if self._agents and self._agents.ready is not None:
            now = time.monotonic()
            nodes = {name: report.lost for name, report in self.mind.reports.items()}
            self._presence = self._presence.look(nodes, self._agents.ready, now)
            self.mind.put_lost(self._presence.lost(now))
            if self.mind.stale:
                self.wake()

    async def _refresh(self) -> None:
        self.mind.refresh()
        self.wake()

    async def _relabel(self) -> None:
        """Sees new labels of pods that sit in slots, without a watch on all pods: by lists of their metadata."""
        while True:
            started = time.monotonic()
            for namespace in sorted({key.namespace for key, pod in self.mind.pods.items() if pod}):
                try:
                    self._see_labels(namespace, await self._cluster.metadata(f"/api/v1/namespaces/{namespace}/pods"))
                except ApiError as error:
                    log.warning("%s; tried again in %g s", error, LABELS_S)
            await asyncio.sleep(max(LABELS_S, (time.monotonic() - started) / LABELS_SHARE))

    def _see_labels(self, namespace: str, listed: list[Object]) -> None:
        found = {one["name"]: one for one in listed}
        for key, pod in [item for item in self.mind.pods.items() if item[0].namespace == namespace]:
            metadata = found.get(key.name)
            if pod and metadata and metadata["uid"] == pod.uid:
                self.mind.put_pod(key, reading.relabelled(pod, metadata))
            elif pod:
                self._read(key)
        if self.mind.stale:
            self.wake()

    async def _look_after(self) -> None:
        if not self.mind.stale:
            self.beat = time.monotonic()
        self.mind.forget()
        self._miss()
        self._gauge()

    def _gauge(self) -> None:
        for queue, length in (
            ("solves", self._solver.waiting),
            ("writes", self._writer.waiting - self._writer.events),
            ("events", self._writer.events),
            ("pods", len(self._reading)),
        ):
            metrics.queue_length.labels(queue).set(length)
        known: dict[str, Any] = {
            "policies": self.mind.policies,
            "profiles": self.mind.profiles,
            "nodes": self.mind.reports,
            "tables": self.mind.tables,
            "pods": self.mind.pods,
            "plans": self.mind.outcomes,
        }
        for kind, there in known.items():
            metrics.objects.labels(kind).set(len(there))

    async def _collect(self) -> None:
        now = time.monotonic()
        self._retention = self._retention.look(self.mind.tables, self.mind.wanted_tables(), now)
        for name in self._retention.due(now, self._kept_s):
            if name not in self.mind.wanted_tables():
                await self._writer.delete_table(name)
                log.info("table %s deleted: nobody has named it for %g s", name, self._kept_s)

    async def _sweep(self) -> None:
        known: dict[str, list[tuple[str, str]]] = {
            "ColocationPolicy": list(self.mind.policies),
            "KernelProfile": list(self.mind.profiles),
            "NodeColocation": [("", name) for name in self.mind.reports],
            "LookupTable": [("", name) for name in self.mind.tables],
            "Node": [("", name) for name in self.mind.nodes],
        }
        for kind, path in LISTS.items():
            there = await self._cluster.names(path)
            for namespace, name in known[kind]:
                if (namespace, name) not in there:
                    self.gone(kind, namespace, name)
                    self.wake()
