"""Edge: the API server: this node's own object, and tables by name. Everything waits on threads of its own, so that
the agent's loop never does; an API server that is away changes nothing but how old the news are."""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3
from kubernetes.client import ApiClient, ApiException, CustomObjectsApi

from eclip.api import LookupTable, NodeColocation, names
from eclip.api.node_status import NodeStatus
from eclip.errors import InputError
from eclip_node_agent.identity import Node

log = logging.getLogger(__name__)

NODES = (names.GROUP, names.VERSION, "nodecolocations")
TABLES = (names.GROUP, names.VERSION, "lookuptables")
APPLY = "application/apply-patch+yaml"
PATIENCE_S = 10.0
LIMIT = (PATIENCE_S, PATIENCE_S)
"""To connect, and between two parts of an answer."""
WATCH_S = 55
"""After this long the API server ends a watch; one that has said nothing for longer is dead."""
FIRST_RETRY_S, LAST_RETRY_S = 0.25, 5.0
AWAY = (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError)
"""What asking may end in, all of it to be tried again."""

FOLLOWING = "the node's object cannot be followed"
CARRYING = "the status cannot be written, or a table cannot be read"


class Backoff:
    """Ever longer between tries, never the same for all nodes."""

    def __init__(self) -> None:
        self._next = FIRST_RETRY_S

    def reset(self) -> None:
        """It worked."""
        self._next = FIRST_RETRY_S

    def seconds(self) -> float:
        """How long to wait now."""
        now, self._next = self._next, min(LAST_RETRY_S, self._next * 2)
        return now * random.uniform(0.8, 1.2)


class ApiServer:
    """Works until `close`. What it has learned is in its attributes; `wake` is called when there is more."""

    def __init__(self, client: ApiClient, node: Node, wake: Callable[[], None]) -> None:
        self.current: NodeColocation | None = None
        """This node's object as last seen."""
        self.tables: Mapping[str, LookupTable] = {}
        self.missing: frozenset[str] = frozenset()
        """Tables that were asked for, and are not there."""
        self.connected = False
        self.writes = 0
        self.failures = 0
        self._objects: Any = CustomObjectsApi(client)  # whose types say less than it takes and gives
        self._node, self._wake = node, wake
        self._mine = f"metadata.name={node.name}"
        self._over = threading.Event()
        self._bell = threading.Condition()
        self._outbox: NodeStatus | None = None
        self._asked: frozenset[str] = frozenset()
        self._misses, self._retry_at = Backoff(), 0.0
        self._told: set[str] = set()
        self._watch: urllib3.HTTPResponse | None = None
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._follow, self._carry)]
        for thread in self._threads:
            thread.start()

    def report(self, status: NodeStatus) -> None:
        """Writes this status, and if that fails the newest one that was given meanwhile, until it works."""
        with self._bell:
            self._outbox = status
            self._bell.notify()

    def ask(self, wanted: frozenset[str]) -> None:
        """These tables are needed, no others."""
        with self._bell:
            if wanted != self._asked:
                self._asked = wanted
                self._retry_at = 0.0
                self._bell.notify()

    def close(self) -> None:
        """Ends what is under way."""
        self._over.set()
        with self._bell:
            self._bell.notify()
        if self._watch is not None:
            self._watch.close()
        for thread in self._threads:
            thread.join(1.0)

    def _follow(self) -> None:
        backoff = Backoff()
        while not self._over.is_set():
            try:
                version = self._list_or_make()
                self.connected = True
                self._told.discard(FOLLOWING)
                for event in self._events(version):
                    if event["type"] == "ERROR":
                        raise ValueError(f"the API server ended the watch: {event['object'].get('message', '')}")
                    if event["type"] == "DELETED":
                        break
                    self._take(event["object"])
                    backoff.reset()
                backoff.reset()
            except AWAY as error:
                self.connected = False
                self._failed(FOLLOWING, error)
                self._over.wait(backoff.seconds())

    def _list_or_make(self) -> str:
        """The version from which to watch.

        It is the list's: that of an object nobody has touched for long may be too old for the API server to watch from.
        """
        listed = _mapping(
            self._objects.list_cluster_custom_object(*NODES, field_selector=self._mine, _request_timeout=LIMIT)
        )
        if listed["items"]:
            self._take(listed["items"][0])
            return str(listed["metadata"]["resourceVersion"])
        made = NodeColocation.of(self._node.name, self._node.uid).wire()
        made.pop("status", None)
        created = _mapping(
            self._objects.create_cluster_custom_object(*NODES, made, field_manager=names.AGENT, _request_timeout=LIMIT)
        )
        self._take(created)
        return str(created["metadata"]["resourceVersion"])

    def _take(self, data: Mapping[str, Any]) -> None:
        metadata = data.get("metadata", {})
        known = self.current.metadata if self.current else None
        if known and (known.uid, known.generation) == (metadata.get("uid"), metadata.get("generation")):
            return  # our own status comes back
        try:
            self.current = NodeColocation.read(data)
        except InputError as error:
            log.error("what was in force stays so: %s", error)
            return
        self._wake()

    def _events(self, version: str) -> Iterator[dict[str, Any]]:
        response: urllib3.HTTPResponse = self._objects.list_cluster_custom_object(
            *NODES,
            watch=True,
            field_selector=self._mine,
            resource_version=version,
            timeout_seconds=WATCH_S,
            _preload_content=False,
            _request_timeout=(PATIENCE_S, WATCH_S + PATIENCE_S),
        )
        self._watch = response
        rest = b""
        try:
            for chunk in response.stream(1 << 16, decode_content=False):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield json.loads(line)
        finally:
            response.close()

    def _carry(self) -> None:
        backoff = Backoff()
        while not self._over.is_set():
            with self._bell:
                self._bell.wait_for(lambda: self._over.is_set() or self._outbox is not None or bool(self._open()), 1.0)
                status, self._outbox = self._outbox, None
                wanted = self._open()
            try:
                self._fetch(wanted)
                if status is not None:
                    self._write(status)
                    self._told.discard(CARRYING)
                backoff.reset()
            except AWAY as error:
                self._failed(CARRYING, error)
                with self._bell:
                    if self._outbox is None:
                        self._outbox = status
                self._over.wait(backoff.seconds())

    def _open(self) -> frozenset[str]:
        """Tables to ask for now; those that were not there have to wait."""
        found = self._asked - self.tables.keys()
        return found if time.monotonic() >= self._retry_at else found - self.missing

    def _fetch(self, wanted: frozenset[str]) -> None:
        kept = {name: table for name, table in self.tables.items() if name in self._asked}
        missing = set(self.missing & (self._asked - kept.keys())) - wanted
        found = {}
        for name in wanted:
            try:
                data = self._objects.get_cluster_custom_object(*TABLES, name, _request_timeout=LIMIT)
                found[name] = LookupTable.read(_mapping(data))
            except ApiException as error:
                if error.status != 404:
                    raise
                missing.add(name)
            except InputError as error:
                log.error("%s", error)
                missing.add(name)
        changed = bool(found) or missing != self.missing
        self.tables, self.missing = {**kept, **found}, frozenset(missing)
        if changed:
            self._wake()
        if not missing:
            self._misses.reset()
        elif missing & wanted:
            self._retry_at = time.monotonic() + self._misses.seconds()

    def _write(self, status: NodeStatus) -> None:
        body = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": "NodeColocation",
            "metadata": {"name": self._node.name},
            "status": status.wire(),
        }
        self._objects.patch_cluster_custom_object_status(
            *NODES,
            self._node.name,
            body,
            field_manager=names.AGENT,
            force=True,
            _content_type=APPLY,
            _request_timeout=LIMIT,
        )
        self.writes += 1

    def _failed(self, what: str, error: Exception) -> None:
        if self._over.is_set():
            return
        self.failures += 1
        if what not in self._told:  # once: an API server may be away for hours
            log.warning("%s: %s", what, str(error).split("\n", maxsplit=1)[0])
        self._told.add(what)


def _mapping(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"the API server's answer is no object, but {type(data).__name__}")
    return data
