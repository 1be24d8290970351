"""Whether somebody else offers our GPUs too, from kubelet's own note of what is registered with it. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from eclip.gpu.inventory import partition_name

_OTHERS = "amd.com/"


def advertised_by_amd(checkpoint: str) -> frozenset[str]:
    """Devices that are registered under amd.com/: PCI addresses, and the names of partitions' platform devices.

    The text is kubelet's `kubelet_internal_checkpoint`. One that cannot be read says nothing.
    """
    try:
        data: Any = json.loads(checkpoint)
    except ValueError:
        return frozenset()
    registered = _mapping(_mapping(data, "Data"), "RegisteredDevices")
    devices = (ids for resource, ids in registered.items() if resource.startswith(_OTHERS) and isinstance(ids, list))
    return frozenset(partition_name(device) for ids in devices for device in ids if isinstance(device, str))


def _mapping(data: Any, key: str) -> Mapping[str, Any]:
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}
