"""Edge: what the agent is told, in `plugin.json`; written when it changes."""

import logging
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from eclip import atomic, node
from eclip.api.node_status import Health
from eclip.errors import EclipError
from eclip.node.report import GpuReport, Report, ShareReport, ShareState, Source
from eclip_device_plugin.node_view import View
from eclip_device_plugin.shares import Offer

_log = logging.getLogger(__name__)


class ReportFile:
    """The report of one plugin."""

    def __init__(self, state: Path, source: Source, library: str) -> None:
        self._path = state / node.REPORT
        self._source = source
        self._library = library
        self._written: Report | None = None

    def write(self, view: View, *, registered: bool) -> None:
        """Tells what is new. A full disk is tried again at the next look."""
        report = Report(
            plugin_version=metadata.version("eclip"),
            library=self._library,
            source=self._source,
            resource=view.config.resource,
            registered=registered,
            config=view.config_report,
            gpus=tuple(_gpu(offer) for offer in view.offers),
            changed_at=datetime.now(UTC),
        )
        if self._written and report == report.model_copy(update={"changed_at": report.changed_at}) == (
            self._written.model_copy(update={"changed_at": report.changed_at})
        ):
            return
        try:
            atomic.write(self._path, report.text())
        except EclipError as error:
            if self._written is not None:
                _log.warning("%s", error)
            return
        self._written = report


def _gpu(offer: Offer) -> GpuReport:
    gpu = offer.gpu
    shares = [*offer.shares, *([offer.whole] if offer.whole and offer.whole.allocations else [])]
    return GpuReport(
        id=gpu.id,
        node=gpu.gpu.node,
        product=gpu.gpu.product,
        compute_units=gpu.gpu.compute_units,
        pci_address=gpu.pci,
        render_minor=gpu.gpu.render_minor,
        shares=sum(share.state is not ShareState.DRAINING for share in offer.shares),
        draining=offer.draining,
        health=Health.UNHEALTHY if offer.fault else Health.HEALTHY,
        health_reason=offer.fault.reason if offer.fault else None,
        message=offer.fault.message if offer.fault else "",
        ceiling_compute_units=offer.choice.ceiling,
        slots=tuple(ShareReport(slot=share.id, state=share.state, allocations=share.allocations) for share in shares),
    )
