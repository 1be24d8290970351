"""Edge: answers a request of kubelet for one container."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from eclip.errors import InputError
from eclip.gpu import masks
from eclip_device_plugin import allocations, ceilings, library
from eclip_device_plugin.container import Container, container, one_share
from eclip_device_plugin.node_view import View
from eclip_device_plugin.shares import Offer, whole_id
from eclip_device_plugin.source import Source
from eclip_device_plugin.stock import Stock


@dataclass
class Allocator:
    """Lays out allocations, one at a time: a whole GPU and one of its shares exclude each other."""

    state: Path
    source: Source
    stock: Stock
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def allocate(self, view: View, devices: list[str]) -> Container:
        """A new allocation of the only device, and what its container gets.

        Raises:
            InputError: this cannot be given; says why.
            EclipError: the disk refuses.
        """
        device = one_share(devices)
        offer = view.offer_of(device)
        known = offer is not None and device in {share.id for share in (*offer.shares, offer.whole) if share}
        if offer is None or not known:
            raise InputError(f"share {device}: is not offered by this node; ask again, the node's list has changed")
        if offer.fault:
            raise InputError(f"share {device}: {offer.fault.message}")
        passage = self.source.passage(offer.gpu)
        version = library.version()
        with self._one_at_a_time:
            self._check_exclusive(offer, device)
            folder, record = allocations.make(
                self.state,
                device,
                offer.gpu.id,
                whole=device == whole_id(offer.gpu.id),
                library=version,
                injection=view.config.injection,
                ceiling=self._ceiling(offer, device),
                laid_out=self.stock.take(),
            )
        return container(record, folder, library.path(self.state, version), view.config.hardware_queues, passage)

    def _ceiling(self, offer: Offer, device: str) -> str | None:
        """HSA_CU_MASK for a new container, whose GPU is the only one that it sees."""
        if offer.choice.ceiling is None:
            return None
        others = [share.id for share in offer.shares if share.id != device]
        taken = allocations.ceilings(self.state, others)
        return masks.format_hsa_cu_mask({0: ceilings.choose(offer.gpu.gpu, offer.choice.ceiling, taken)})

    def _check_exclusive(self, offer: Offer, device: str) -> None:
        whole = whole_id(offer.gpu.id)
        if device != whole:
            if allocations.is_in_use(self.state, whole):
                raise InputError(f"share {device}: the whole GPU {offer.gpu.id} was given to one container")
            return
        others = [share.id for share in offer.shares if allocations.is_in_use(self.state, share.id)]
        if others:
            raise InputError(f"GPU {offer.gpu.id}: {', '.join(others)} in use; a whole GPU needs all its shares free")
