"""Which status is written when: the bucket, and what was written last."""

from typing import Protocol

from eclip.api import NodeColocation
from eclip.api.node_status import NodeStatus
from eclip_node_agent import pace, reports


class Writer(Protocol):
    """Whoever takes statuses to the API server."""

    current: NodeColocation | None

    def report(self, status: NodeStatus) -> None:
        """Writes it, sooner or later."""


class Writing:
    """Remembers the status that was handed over last."""

    def __init__(self) -> None:
        self.written: NodeStatus | None = None
        self._uid: str | None = None
        self._bucket = pace.bucket()
        self._at = float("-inf")

    def offer(self, full: NodeStatus, writer: Writer, now: float) -> None:
        """Hands the status over if it has to be written now, in seconds."""
        uid = writer.current.metadata.uid if writer.current else None
        self._bucket = self._bucket.refilled(now)
        changed = self.written is None or uid != self._uid or _plain(full) != _plain(self.written)
        moved = self.written is not None and pace.moved(reports.figures_of(self.written), reports.figures_of(full))
        if pace.due(self._bucket, changed=changed, moved=moved, since_write=now - self._at):
            writer.report(full)
            self.written, self._uid, self._at = full, uid, now
            self._bucket = self._bucket.taken()


def _plain(full: NodeStatus) -> NodeStatus:
    return reports.without_figures(full)
