"""Carries out writes: the newest per object only, several objects at a time, tried again until they succeed.

Of a node, LookupTables come before the spec that names them.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from eclip.api import names
from eclip.bucket import Bucket
from eclip_operator import metrics
from eclip_operator.cluster import GROUP, ApiError, Cluster, Object
from eclip_operator.events import Event
from eclip_operator.reconciler import AgentWrite, LabelWrite, SpecWrite, StatusWrite

log = logging.getLogger(__name__)
Write = SpecWrite | LabelWrite | AgentWrite | StatusWrite | Event
_ORDER = (SpecWrite, LabelWrite, AgentWrite, StatusWrite, Event)
"""What is urgent comes first."""
WORKERS = 16
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
REFUSED_S = 60.0
"""After the API server has said that a write can never succeed: something else is wrong, but no reason to give up."""
MOST_EVENTS = 8192
"""That wait; of more the oldest are dropped, as Events may be."""
EVENTS_A_SECOND, EVENTS_BURST = 20.0, 200.0
"""A policy of a thousand nodes makes thousands of Events at once: the API server has better things to do."""
PRESSED_S, PRESSED_COST = 1.0, 10.0
"""For so long after a spec an Event costs as much as so many: where specs follow one another, Events hardly do."""


@dataclass
class Writer:
    """All writes of the operator."""

    cluster: Cluster
    table: Callable[[str], str]
    """JSON of a LookupTable by its name; KeyError if it is not known any more."""
    tables: set[str]
    """Names of those that are there; kept true here, too."""
    written: Callable[[Object], None]
    """Told every NodeColocation and ColocationPolicy as it is after a write."""
    _waiting: dict[type, dict[str, Write]] = field(default_factory=lambda: {kind: {} for kind in _ORDER})
    _newest: dict[str, Write] = field(default_factory=dict)
    """By object, until it is written or given up."""
    _busy: set[str] = field(default_factory=set)
    _tries: dict[str, int] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)
    _events: Bucket = field(default_factory=lambda: Bucket.full(EVENTS_BURST, EVENTS_A_SECOND))
    _pressed: float = -math.inf
    """When the last spec came in or was written."""
    _nudge: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Writes that are not done, Events included."""
        return sum(map(len, self._waiting.values())) + len(self._busy)

    @property
    def events(self) -> int:
        """Events that wait."""
        return len(self._waiting[Event])

    async def put(self, writes: Iterable[Write]) -> None:
        """Have these done; each replaces what waits for the same object."""
        async with self._news:
            for write in writes:
                key, queue = _key(write), self._waiting[type(write)]
                queue[key] = self._newest[key] = write
                if isinstance(write, SpecWrite):
                    self._pressed = time.monotonic()
                elif isinstance(write, Event) and len(queue) > MOST_EVENTS:
                    oldest = next(iter(queue))
                    del queue[oldest], self._newest[oldest]
            self._news.notify_all()

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def delete_table(self, name: str) -> None:
        """Removes a LookupTable. ApiError."""
        async with self._lock(name):
            self.tables.discard(name)
            await self.cluster.delete(f"{GROUP}/lookuptables/{name}")
        metrics.writes.labels("LookupTable", "deleted").inc()

    async def _work(self) -> None:
        while True:
            key, write = await self._next()
            try:
                await self._try(key, write)
            finally:
                async with self._news:
                    self._busy.discard(key)
                    if key not in self._tries and self._newest.get(key) is write:
                        del self._newest[key]
                    self._news.notify_all()

    async def _next(self) -> tuple[str, Write]:
        async with self._news:
            while True:
                for kind, queue in self._waiting.items():
                    key = next((key for key in queue if key not in self._busy), None)
                    if key is not None and (kind is not Event or self._may_tell()):
                        self._busy.add(key)
                        return key, queue.pop(key)
                await self._news.wait()

    def _may_tell(self) -> bool:
        now = time.monotonic()
        cost = PRESSED_COST if now - self._pressed < PRESSED_S else 1.0
        self._events = self._events.refilled(now)
        if self._events.tokens >= cost:
            self._events = self._events.taken(cost)
            return True
        if self._nudge is None:
            self._nudge = asyncio.get_running_loop().call_later(1.0 / EVENTS_A_SECOND, self._look_again)
        return False

    def _look_again(self) -> None:
        self._nudge = None
        self._wake = asyncio.create_task(self.put(()))

    async def _try(self, key: str, write: Write) -> None:
        kind = type(write).__name__.removesuffix("Write")
        try:
            await self._carry_out(write)
        except ApiError as error:
            if isinstance(write, Event):
                metrics.writes.labels(kind, "refused").inc()
                return
            if error.code in (404, 409):
                self._tries.pop(key, None)
                # The object is gone, or another one has its name: its watch tells.
                metrics.writes.labels(kind, "gone").inc()
                return
            metrics.writes.labels(kind, "retried" if error.passing else "refused").inc()
            await self._later(key, write, error)
            return
        self._tries.pop(key, None)
        metrics.writes.labels(kind, "ok").inc()

    async def _later(self, key: str, write: Write, error: ApiError) -> None:
        tries = self._tries.get(key, 0)
        self._tries[key] = tries + 1
        pause = BACKOFF_S[min(tries, len(BACKOFF_S) - 1)] if error.passing else REFUSED_S
        log.warning("%s; tried again in %g s", error, pause)
        asyncio.get_running_loop().call_later(pause, self._again, key, write)

    def _again(self, key: str, write: Write) -> None:
        """Once more, unless there is, or was, a newer one."""
        if self._newest.get(key) is not write:
            return
        self._waiting[type(write)].setdefault(key, write)
        self._look_again()

    async def _carry_out(self, write: Write) -> None:
        match write:
            case SpecWrite():
                await self._write_spec(write)
            case StatusWrite():
                await self._write_status(write)
            case LabelWrite():
                body = {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": write.node.name, "labels": write.labels},
                }
                body["metadata"]["uid"] = write.node.uid  # type: ignore[index]
                await self.cluster.apply(f"/api/v1/nodes/{write.node.name}", body)
            case AgentWrite():
                await self._write_agent(write)
            case Event():
                path = f"/api/v1/namespaces/{write.home}/events/{write.title}"
                await self.cluster.apply(path, write.body(datetime.now(UTC)))

    async def _write_spec(self, write: SpecWrite) -> None:
        started = time.monotonic()
        await asyncio.gather(*(self._ensure_table(name) for name in sorted(write.spec.tables)))
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": "NodeColocation",
            # With the UID it is never made anew: that is for its agent.
            "metadata": {"name": write.node, "uid": write.uid},
            "spec": write.spec.wire(),
        }
        self.written(await self.cluster.apply(f"{GROUP}/nodecolocations/{write.node}", body))
        self._pressed = time.monotonic()
        log.info("node %s programmed", write.node, extra={"node": write.node, "seconds": time.monotonic() - started})

    async def _write_agent(self, write: AgentWrite) -> None:
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": "NodeColocation",
            "metadata": {"name": write.node, "uid": write.uid},
            "status": {"conditions": [write.condition.wire()]},
        }
        self.written(await self.cluster.apply(f"{GROUP}/nodecolocations/{write.node}/status", body))

    async def _write_status(self, write: StatusWrite) -> None:
        namespace, name = write.policy
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": "ColocationPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "status": write.status.wire(),
        }
        path = f"{GROUP}/namespaces/{namespace}/colocationpolicies/{name}/status"
        self.written(await self.cluster.apply(path, body))

    async def _ensure_table(self, name: str) -> None:
        async with self._lock(name):
            if name in self.tables:
                return
            with suppress(KeyError):  # kept from an older spec, and there
                body = json.loads(self.table(name))
                await self.cluster.apply(f"{GROUP}/lookuptables/{name}", body)
                self.tables.add(name)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _key(write: Write) -> str:
    match write:
        case SpecWrite():
            return f"spec {write.node}"
        case StatusWrite():
            return f"status {write.policy}"
        case LabelWrite():
            return f"labels {write.node.name}"
        case AgentWrite():
            return f"agent {write.node}"
        case Event():
            return f"event {write.uid} {write.about}"
