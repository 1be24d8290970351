"""Edge: what is deleted, and what is left for the plugin to read."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from eclip.errors import EclipError
from eclip.node.report import Report
from eclip_node_agent import garbage
from eclip_node_agent.garbage import Unlisted
from eclip_node_agent.kubelet import Answer
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.slots import Slots
from eclip_node_agent.store import Shelf, Store

T = TypeVar("T")

log = logging.getLogger(__name__)
FRESH_S = 10.0
"""Kubelet that said nothing for longer is away."""


class Keeper:
    """Keeps the state root in order."""

    def __init__(self, store: Store, slots: Slots) -> None:
        self._store, self._slots = store, slots
        self._unlisted = Unlisted()
        self._config: str | None = None

    def fresh(self, answer: Answer | None) -> bool:
        """Whether kubelet answers."""
        return answer is not None and time.monotonic() - answer.at < FRESH_S

    def follow_config(self, name: str) -> None:
        """Leaves the name of the node config for the plugin."""
        try:
            self._store.follow_config(name)
        except EclipError as error:
            if self._config != name:
                log.error("node config %s: %s", name, error)
        self._config = name

    def sweep(
        self, shelf: Shelf, occupants: Mapping[str, Occupant], answer: Answer | None, report: Report | None
    ) -> None:
        """Deletes what nobody has any more. While kubelet does not answer, nobody's time passes."""
        if answer is None:
            return
        every = {**{name: found.folder for name, found in shelf.complete.items()}, **shelf.others}
        damaged = [name for name, folder in shelf.others.items() if folder.parent.name in answer.listing]
        self._unlisted = self._unlisted.noted(every, [*occupants, *damaged], answer.at)
        for name in self._unlisted.garbage:
            self._slots.let_go(name)
            self._try(self._store.remove_allocation, every[name], f"allocation {name}")
        if not shelf.others:  # one that cannot be read may be in use with any version
            mounted = [found.record.library for found in shelf.complete.values()]
            offered = report.library if report else None
            for version in garbage.stale_libraries(self._store.old_libraries(), mounted, offered):
                self._try(self._store.remove_library, version, f"library {version}")

    def _try(self, remove: Callable[[T], None], thing: T, what: str) -> None:
        try:
            remove(thing)
        except EclipError as error:
            log.error("%s", error)
        else:
            log.info("%s was not used any more and is deleted", what)
