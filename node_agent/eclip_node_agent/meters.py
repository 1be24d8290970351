"""Edge: power, temperature, use and memory of GPUs by ROCm's system management library, through pyrsmi."""

import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)
_EDGE_SENSOR, _CURRENT = 0, 0
"""Of rsmi_dev_temp_metric_get: the sensor at the die's edge, its present value."""
_MILLI = 1000


@dataclass(frozen=True, slots=True)
class Meter:
    """One GPU at present; None: this GPU cannot tell."""

    gpu: str
    watts: float | None
    celsius: float | None
    use: float | None
    """0 to 1."""
    vram_used_bytes: int | None
    vram_total_bytes: int | None


class Meters:
    """All GPUs of the node. Without the library there is nothing to read."""

    def __init__(self) -> None:
        self._smi: Any = None
        try:
            from pyrsmi import rocml  # noqa: PLC0415 - its import looks for the library

            rocml.smi_initialize()
            self._smi = rocml
        except Exception as error:  # it raises whatever comes to its mind, and metrics are an extra
            log.info("no power, temperature and use of GPUs: %s", error)

    def read(self) -> tuple[Meter, ...]:
        """As of now."""
        if self._smi is None:
            return ()
        return tuple(self._meter(device) for device in range(max(0, self._smi.smi_get_device_count())))

    def _meter(self, device: int) -> Meter:
        smi = self._smi
        use = _known(smi.smi_get_device_utilization, device)
        return Meter(
            f"{smi.smi_get_device_unique_id(device):x}",
            _known(smi.smi_get_device_average_power, device),
            self._celsius(device),
            None if use is None else use / 100,
            _whole(_known(smi.smi_get_device_memory_used, device)),
            _whole(_known(smi.smi_get_device_memory_total, device)),
        )

    def _celsius(self, device: int) -> float | None:
        # The one reading that pyrsmi has no function for; the library under it is the same.
        read = getattr(self._smi.rocm_lib, "rsmi_dev_temp_metric_get", None)
        value = ctypes.c_int64()
        if read is None or read(device, _EDGE_SENSOR, _CURRENT, ctypes.byref(value)) != 0:
            return None
        return value.value / _MILLI


def _known(read: Callable[[int], float], device: int) -> float | None:
    value = read(device)
    return None if value < 0 else value


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
