"""A GPU that programs of this host can use, real or emulated, and what they need to find it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.host.meter import Meter


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
