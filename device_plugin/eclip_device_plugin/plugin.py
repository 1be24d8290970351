"""Edge: the plugin: looks at the node again and again, and keeps kubelet and the agent told."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from eclip.api.node_status import HealthReason
from eclip_device_plugin import library
from eclip_device_plugin.allocator import Allocator
from eclip_device_plugin.container import Container
from eclip_device_plugin.node_view import NodeView, View
from eclip_device_plugin.preference import preferred
from eclip_device_plugin.report_file import ReportFile
from eclip_device_plugin.service import Service
from eclip_device_plugin.servicer import Listed
from eclip_device_plugin.stock import Stock

_REPEAT_LOOKS = 10
"""Kubelet notes that another plugin has gone only when it next hears of some device."""


@dataclass
class Plugin:
    """One node's plugin. Two resources: shares, and whole GPUs."""

    node: NodeView
    allocator: Allocator
    _view: View | None = None
    _services: list[Service] = field(default_factory=list)
    _report: ReportFile | None = None
    _looks: int = 0

    def run(self, stopped: threading.Event, every_seconds: float) -> None:
        """Until it is told to stop."""
        try:
            while not stopped.is_set():
                self.look()
                stopped.wait(every_seconds)
        finally:
            self.close()

    def look(self) -> View:
        """One look at the node, and all that follows from it."""
        view = self.node.look()
        self._view = view
        self._offer(view)
        for service in self._services:
            service.tend()
        if self._report is None:
            self._report = ReportFile(self.node.state, self.node.source.kind, library.version())
        self._report.write(view, registered=bool(self._services) and all(s.watched for s in self._services))
        self.allocator.stock.fill()
        return view

    def close(self) -> None:
        """Kubelet finds the streams closed; what was allocated stays."""
        for service in self._services:
            service.stop()
        self._services = []

    def _offer(self, view: View) -> None:
        resources = [view.config.resource, view.config.whole_resource]
        if [service.resource for service in self._services] != resources:
            self.close()
            folder = self.node.kubelet
            self._services = [Service(folder, resource, self._prefer, self._give) for resource in resources]
        shares, whole = self._services
        shares.show(tuple(_listed(view, whole=False)))
        whole.show(tuple(_listed(view, whole=True)))
        self._looks += 1
        doubled = any(offer.fault and offer.fault.reason is HealthReason.DOUBLE_ADVERTISED for offer in view.offers)
        if doubled and self._looks % _REPEAT_LOOKS == 0:
            shares.repeat()

    def _prefer(self, available: list[str], required: list[str], size: int) -> Iterable[str]:
        view = self._seen()
        return preferred(
            available,
            required,
            size,
            placement=view.config.placement,
            same_gpu=view.config.same_gpu == "allow",
            offered=[share.id for offer in view.offers for share in offer.shares],
        )

    def _give(self, devices: list[str]) -> Container:
        return self.allocator.allocate(self._seen(), devices)

    def _seen(self) -> View:
        return self._view or self.look()


def _listed(view: View, *, whole: bool) -> Iterable[Listed]:
    for offer in view.offers:
        shares = [offer.whole] if whole else offer.shares
        for share in filter(None, shares):
            yield Listed(share.id, share.healthy, offer.gpu.gpu.numa_node)


def at(node: NodeView, state: Path) -> Plugin:
    """A plugin that allocates below this state root."""
    return Plugin(node, Allocator(state, node.source, Stock(state)))
