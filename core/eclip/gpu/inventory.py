"""The GPUs of a node, each with an id of its own. Reads /sys, or a tree like it; opens no device.

The driver hides a GPU in its topology tree from whoever may not open the GPU's device file, as a container without it
may not. Such a GPU is known by its PCI device instead, and its CUs by the product table.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eclip.errors import InputError
from eclip.gpu import kfd, products
from eclip.gpu.topology import Gpu

AMD = "0x1002"
_WHOLE = "SPX"
"""Compute partition mode of a chip that is one GPU."""


@dataclass(frozen=True, slots=True)
class Found:
    """A GPU, or a partition of one."""

    gpu: Gpu
    """Its `unique_id` is unlike all others of the node."""
    pci: str
    """0000:03:00.0; partitions of one chip share it."""
    uuid: str | None = None
    """By which ROCr knows it alone; None if it has no unique id, or shares it with other partitions."""
    alias: str | None = None
    """Platform device of a partition, as `partition_name` spells it."""

    @property
    def id(self) -> str:
        """Names the GPU in device ids and everywhere else."""
        return f"{self.gpu.unique_id:x}"


def read(sysfs: Path) -> tuple[Found, ...]:
    """All GPUs of a tree as /sys, in the driver's order.

    Raises:
        InputError: the tree cannot be read, or hides a GPU of which nothing else is known.
    """
    topology = sysfs / "class/kfd/kfd/topology"
    try:
        seen = [Found(gpu, pci_address(topology, gpu.node)) for gpu in kfd.read_gpus(topology)]
        renders = dict(_renders(sysfs))
        hidden = kfd.hidden_nodes(topology)
        seen += _unhide(hidden, renders, {found.gpu.render_minor for found in seen})
    except OSError as error:
        raise InputError(f"{sysfs}: changed while it was read ({error}); it is read again") from error
    seen.sort(key=lambda found: found.gpu.node)
    return distinct([replace(found, alias=_alias(renders.get(found.gpu.render_minor))) for found in seen])


def distinct(found: Sequence[Found]) -> tuple[Found, ...]:
    """Gives a unique id to each that has none, or has the same as another: partitions may share their chip's."""
    counts = Counter(one.gpu.unique_id for one in found)
    places: Counter[tuple[int, str]] = Counter()
    named = []
    for one in found:
        unique = one.gpu.unique_id
        if unique and counts[unique] == 1:
            named.append(replace(one, uuid=f"GPU-{unique:016x}"))
            continue
        text = f"{unique:x}/{one.pci}/{places[unique, one.pci]}"
        places[unique, one.pci] += 1
        made = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
        named.append(replace(one, gpu=replace(one.gpu, unique_id=made), uuid=None))
    return tuple(named)


def partition_name(device: str) -> str:
    """One spelling for the two that drivers have: amdgpu_xcp_3 and amdgpu_xcp.3."""
    return device.replace("amdgpu_xcp.", "amdgpu_xcp_").lower()


def pci_address(topology: Path, node: int) -> str:
    """Bus, device and function are the low 16 bits of a node's location; higher ones count partitions."""
    lines = (topology / "nodes" / str(node) / "properties").read_text().splitlines()
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    location, domain = int(values.get("location_id", "0")), int(values.get("domain", "0"))
    return f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"


def _renders(sysfs: Path) -> Iterator[tuple[int, Path]]:
    """Devices behind the render nodes, by minor."""
    for render in sysfs.glob("class/drm/renderD*"):
        yield int(render.name.removeprefix("renderD")), (render / "device").resolve()


def _alias(device: Path | None) -> str | None:
    return partition_name(device.name) if device and device.name.startswith("amdgpu_xcp") else None


def _unhide(nodes: Sequence[int], renders: Mapping[int, Path], seen: set[int]) -> list[Found]:
    """The driver numbers nodes and render files in the same order."""
    if not nodes:
        return []
    left = sorted(minor for minor, device in renders.items() if minor not in seen and _is_gpu(device))
    if len(left) != len(nodes):
        raise InputError(
            f"{len(nodes)} GPU nodes are hidden by the device cgroup, and {len(left)} GPUs are known otherwise; "
            "let this process read and write /dev/dri/renderD*"
        )
    return [_by_device(node, minor, renders[minor]) for node, minor in zip(nodes, left, strict=True)]


def _is_gpu(device: Path) -> bool:
    return device.name.startswith("amdgpu_xcp") or _attribute(device, "vendor") == AMD


def _by_device(node: int, minor: int, device: Path) -> Found:
    mode = _attribute(device, "current_compute_partition")
    if device.name.startswith("amdgpu_xcp") or mode not in ("", _WHOLE):
        raise InputError(
            f"{device.name}: is a partition ({mode or 'no whole GPU'}), whose shape only the topology tree tells, and "
            "that is hidden by the device cgroup; let this process read and write /dev/dri/renderD*"
        )
    number = int(_attribute(device, "device") or "0", 16)
    rows = [row for row in products.PRODUCTS.values() if not row.preset and number in row.device_ids]
    if len({row.shape for row in rows}) != 1:
        raise InputError(
            f"{device.name}: device id {number:#06x} is in the product table {len(rows)} times, and the topology tree "
            "hides the GPU; let this process read and write /dev/dri/renderD*"
        )
    numa = int(_attribute(device, "numa_node") or "-1")
    gpu = replace(
        products.gpu_for(rows[0].name),
        node=node,
        unique_id=int(_attribute(device, "unique_id") or "0", 16),
        render_minor=minor,
        numa_node=numa if numa >= 0 else None,
        vram_bytes=int(_attribute(device, "mem_info_vram_total") or rows[0].vram_bytes),
    )
    return Found(gpu, device.name.lower())


def _attribute(device: Path, name: str) -> str:
    """Empty if the device has no such file."""
    try:
        return (device / name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""
