"""The node agents' own pods, watched: those of the release alone, by namespace and labels."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from eclip_operator.cluster import ApiError, Cluster
from eclip_operator.reading import agent

log = logging.getLogger(__name__)
AGAIN_S = 1.0


class Agents:
    """Knows which nodes have an agent that is ready; calls `changed` when that may have changed."""

    def __init__(self, cluster: Cluster, namespace: str, selector: str, changed: Callable[[], None]) -> None:
        self.ready: frozenset[str] | None = None
        """None: not known yet."""
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._selector = selector
        self._changed = changed
        self._pods: dict[str, str | None] = {}
        """By pod: the node on which its agent is ready."""

    async def run(self) -> None:
        """Works until it is cancelled. While the API server is away, what was known last holds."""
        while True:
            try:
                await self._follow()
            except ApiError as error:
                log.warning("%s; tried again in %g s", error, AGAIN_S)
                await asyncio.sleep(AGAIN_S)

    async def _follow(self) -> None:
        listed = await self._cluster.get(self._path, labelSelector=self._selector, resourceVersion="0")
        if listed is None:
            raise ApiError(self._path, 404, "no such namespace")
        self._pods = {}
        for raw in listed["items"] or ():
            self._see("ADDED", raw)
        self._settle()
        since = listed["metadata"]["resourceVersion"]
        async for event in self._cluster.watch(self._path, since, labelSelector=self._selector):
            if event["type"] == "ERROR":  # too old a version, most of all: all is listed anew
                return
            self._see(event["type"], event["object"])
            self._settle()

    def _see(self, kind: str, raw: dict[str, Any]) -> None:
        name = raw["metadata"]["name"]
        if kind == "DELETED":
            self._pods.pop(name, None)
        else:
            self._pods[name] = agent(raw)

    def _settle(self) -> None:
        ready = frozenset(node for node in self._pods.values() if node is not None)
        if ready != self.ready:
            self.ready = ready
            self._changed()
