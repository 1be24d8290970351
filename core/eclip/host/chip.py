"""Edge: the GPU that a colocation file names, real or emulated, and what programs need to find it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eclip.gpu import kfd, products
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.host import gpus
from eclip.host.meter import Meter
from eclip.host.sysfs_meter import SysfsMeter


@dataclass(frozen=True, slots=True)
class Chip:
    """A GPU that programs of this host can use."""

    gpu: Gpu
    product: Product
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a program needs to run on this GPU and no other."""
    time_scale: float = 1.0
    """Wall time over GPU time; above 1 only on the emulated GPU."""
    virtual_time: bool = False
    """GPU time does not follow the wall clock: what programs measure by it means nothing."""
    clock: Callable[[], float] = time.monotonic
    """Seconds in which a program's silence is judged: of the wall clock, or of virtual time, which may stand."""
    meter: Meter | None = None
    trace: Path | None = None
    key: str = "gpu"
    """The same for all who mean this GPU; fit for a file name."""
    scratch: Path | None = None
    """Files that only its present user needs, to be removed afterwards."""


def find(which: int | str, source: str, folder: Path) -> Chip:
    """The chip of this index or unique id, or an emulated one that keeps its files in `folder`.

    Raises:
        InputError: there is no such GPU.
    """
    if which == gpus.EMULATED:
        from eclip.host import emulation  # noqa: PLC0415 - the testbed is not part of every installation

        return emulation.start(folder, os.environ)
    found = kfd.read_gpus()
    index = gpus.chosen(found, which, source)
    only = {"ROCR_VISIBLE_DEVICES": str(index)} if len(found) > 1 else {}
    gpu = found[index]
    key = f"{gpu.unique_id:016x}" if gpu.unique_id else f"node{gpu.node}"
    return Chip(gpu, products.product(gpu.product), only, meter=SysfsMeter(gpu), key=key)


def describe(which: int | str, source: str) -> Gpu:
    """The shape of the GPU alone, for planning."""
    if which == gpus.EMULATED:
        from eclip.host import emulation  # noqa: PLC0415 - as above

        return emulation.shape(os.environ)
    found = kfd.read_gpus()
    return found[gpus.chosen(found, which, source)]
