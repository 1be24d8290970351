"""Edge: the shape of this node's GPUs, and the groups that own their device files."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from eclip.api.node_status import DeviceGroups
from eclip.errors import InputError
from eclip.gpu import inventory
from eclip.gpu.topology import Gpu

READ_S = 5.0
"""Between two looks at the tree."""


class Devices:
    """The GPUs of a node. One that is gone keeps the shape that it had: pods may still be in its slots."""

    def __init__(self, sysfs: Path, dev: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._sysfs, self._dev, self._clock = sysfs, dev, clock
        self._known: dict[str, Gpu] = {}
        self._read_at = float("-inf")

    def gpus(self) -> dict[str, Gpu]:
        """By id, as the plugin writes it."""
        if self._clock() - self._read_at >= READ_S:
            self._read_at = self._clock()
            with contextlib.suppress(InputError):  # the plugin says what is wrong with the tree, in its report
                self._known |= {found.id: found.gpu for found in inventory.read(self._sysfs)}
        return self._known

    def groups(self) -> dict[str, DeviceGroups]:
        """By GPU."""
        kfd_group = _group(self._dev / "kfd")
        return {
            name: DeviceGroups(render=_group(self._dev / "dri" / f"renderD{gpu.render_minor}"), kfd=kfd_group)
            for name, gpu in self._known.items()
        }


def _group(device: Path) -> int | None:
    try:
        return device.stat().st_gid
    except OSError:
        return None
