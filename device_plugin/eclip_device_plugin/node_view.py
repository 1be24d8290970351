"""Edge: one look at the node after another: GPUs, node config, what is in use, and what follows from all of it."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from eclip.api.node_status import HealthReason
from eclip.errors import EclipError, InputError
from eclip.node.record import Injection
from eclip.node.report import ConfigReport
from eclip_device_plugin import allocations, double, library, presence
from eclip_device_plugin.config_files import ConfigFiles, Named
from eclip_device_plugin.gpus import Choice, Fault, NodeGpu, choose
from eclip_device_plugin.node_config import NodeConfig
from eclip_device_plugin.shares import Offer, gpu_of, offers
from eclip_device_plugin.source import Source

_CHECKPOINT = "kubelet_internal_checkpoint"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """The node at one moment."""

    config: NodeConfig
    config_report: ConfigReport
    offers: tuple[Offer, ...] = ()

    def offer_of(self, device: str) -> Offer | None:
        """The GPU that a device id belongs to."""
        return next((offer for offer in self.offers if offer.gpu.id == gpu_of(device)), None)


@dataclass
class NodeView:
    """Looks at a node."""

    source: Source
    files: ConfigFiles
    state: Path
    kubelet: Path
    """Kubelet's folder of device plugins."""
    _known: tuple[NodeGpu, ...] = ()
    _good: Named | None = None
    _complaints: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._good = self.files.last_good()

    def look(self) -> View:
        """The node now."""
        in_use = allocations.in_use(self.state)
        common = self._read_gpus({gpu_of(slot) for slot in in_use})
        report, choices = self._follow_config()
        config = self._good.config if self._good else NodeConfig()
        if config.injection is Injection.PRELOAD:
            common = common or self._library_fault()
        made = offers(choices, self._known, in_use, self._doubled(), common)
        return View(config, report, made)

    def _read_gpus(self, used: set[str]) -> Fault | None:
        try:
            found = self.source.read()
        except InputError as error:
            return self._complain("GPUs", Fault(HealthReason.SOURCE_UNREADABLE, str(error)))
        self._complaints.pop("GPUs", None)
        self._known = presence.remember(self._known, found, used)
        return None

    def _library_fault(self) -> Fault | None:
        try:
            if library.is_installed(self.state):
                return None
            message = f"{library.path(self.state, library.version())} is missing; eclip-install-library puts it there"
        except EclipError as error:
            message = str(error)
        return self._complain("library", Fault(HealthReason.LIBRARY_MISSING, message))

    def _follow_config(self) -> tuple[ConfigReport, tuple[Choice, ...]]:
        asked = self.files.asked_for()
        try:
            named = self.files.read(asked)
            choices = choose(named.config, self._known, f"node config {asked}")
        except InputError as error:
            self._complain("node config", Fault(HealthReason.SOURCE_UNREADABLE, str(error)))
            return self._last_good(asked, str(error))
        self._keep(named)
        return ConfigReport(name=asked, in_force=asked, valid=True), choices

    def _last_good(self, asked: str, why: str) -> tuple[ConfigReport, tuple[Choice, ...]]:
        if self._good is None:
            return ConfigReport(name=asked, in_force="", valid=False, message=why), ()
        report = ConfigReport(name=asked, in_force=self._good.name, valid=False, message=why)
        try:
            return report, choose(self._good.config, self._known, f"node config {self._good.name}", lenient=True)
        except InputError:
            return report, ()

    def _keep(self, named: Named) -> None:
        if named == self._good:
            return
        self._good = named
        _log.info("node config %s is in force", named.name)
        try:
            self.files.keep(named)
        except EclipError as error:
            _log.warning("node config %s is followed, but a restart may forget it: %s", named.name, error)

    def _doubled(self) -> frozenset[str]:
        try:
            return double.advertised_by_amd((self.kubelet / _CHECKPOINT).read_text(errors="replace"))
        except OSError:
            return frozenset()

    def _complain(self, about: str, fault: Fault) -> Fault:
        if self._complaints.get(about) != fault.message:
            self._complaints[about] = fault.message
            _log.warning("%s", fault.message)
        return fault
