"""Edge: energy and memory of a real GPU, as the amdgpu driver shows them in sysfs. Not yet run on silicon."""

import time
from collections.abc import Callable
from pathlib import Path

from eclip.gpu.topology import Gpu
from eclip.host.meter import Reading

DRM = Path("/sys/class/drm")


class SysfsMeter:
    """Power is read at every look and held until the next one; a run looks twice a second."""

    def __init__(self, gpu: Gpu, drm: Path = DRM, clock: Callable[[], float] = time.monotonic) -> None:
        self._device = drm / f"renderD{gpu.render_minor}" / "device"
        self._clock = clock
        self._began = self._last = clock()
        self._watts = self._power()
        self._joules = 0.0

    def reading(self) -> Reading:
        """As of now."""
        now, watts = self._clock(), self._power()
        if watts is not None and self._watts is not None:
            self._joules += (watts + self._watts) / 2 * (now - self._last)
        self._last, self._watts = now, watts
        joules = None if watts is None else self._joules
        return Reading((now - self._began) * 1e6, joules, None, _number(self._device / "mem_info_vram_used"))

    def _power(self) -> float | None:
        """Watts of the whole board; None where the driver does not tell."""
        for name in ("power1_average", "power1_input"):
            for path in sorted(self._device.glob(f"hwmon/hwmon*/{name}")):
                microwatts = _number(path)
                if microwatts is not None:
                    return microwatts / 1e6
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
