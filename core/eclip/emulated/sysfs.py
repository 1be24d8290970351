"""A sysfs tree of emulated GPUs: what the KFD and amdgpu drivers would show of them. Pure but for `write`."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu, gfx_version

_AMD_NAMES = {"gfx906": "vega20", "gfx908": "arcturus", "gfx90a": "aldebaran", "gfx942": "ip discovery"}
_GPU_ID = 20000


def marketing_name(row: Product) -> str:
    """As `rocminfo` shows it; presets are named after the product that they are a variant of."""
    name = row.name.split("-")[0].upper()
    return f"AMD Instinct {name}" if name.startswith("MI") else f"AMD {name}"


def amd_name(row: Product) -> str:
    """The driver's code name of the chip."""
    return _AMD_NAMES.get(row.gfx, row.gfx)


def device_id(row: Product) -> int:
    """PCI device id."""
    return max(row.device_ids, default=0x66A1)


def location_id(index: int) -> int:
    """Bus, device and function of a GPU, as KFD packs them: 03:00.0, 06:00.0, ..."""
    return 0x0300 * (index + 1)


def unique_id(index: int, node: str = "") -> int:
    """Differs from GPU to GPU, and from node to node of a cluster."""
    return 0x0E11B50000000001 + (zlib.crc32(node.encode()) << 8 if node else 0) + index


DEVICES = "devices"
DEVICES_IN_CLASS = "class/devices"
"""For a tree of which `class` alone takes the place of /sys/class: links of that folder must not lead out of it."""


def write(root: Path, gpus: Sequence[Gpu], row: Product, *, devices: str = DEVICES) -> None:
    """Writes the tree of these GPUs, all of one product, below `root`; files that are there are replaced."""
    count = len(gpus)
    files = dict(_host_files(count)) | {
        f"class/kfd/kfd/topology/nodes/0/io_links/{index}/properties": _link_properties(0, index + 1)
        for index in range(count)
    }
    for index, gpu in enumerate(gpus):
        files |= _kfd_files(gpu, row, index) | _drm_files(gpu, row, index, devices)
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _put(target, text)
    for index in range(count):
        _link_device(root, index, devices)


def show(
    root: Path, index: int, watts: float, busy_percent: float, vram_used_bytes: int, *, devices: str = DEVICES
) -> None:
    """Puts the meters' values where the amdgpu driver has them."""
    device = root / devices / "pci0000:00" / _address(index)
    _put(device / f"hwmon/hwmon{index}/power1_average", f"{round(watts * 1e6)}\n")
    _put(device / "gpu_busy_percent", f"{round(busy_percent)}\n")
    _put(device / "mem_info_vram_used", f"{vram_used_bytes}\n")


def _host_files(count: int) -> Mapping[str, str]:
    node = "class/kfd/kfd/topology/nodes/0"
    return {
        "module/amdgpu/initstate": "live\n",
        "module/amdgpu/version": "5.18.0\n",
        "class/kfd/kfd/topology/generation_id": "2\n",
        "class/kfd/kfd/topology/system_properties": "platform_oem 0\nplatform_id 0\nplatform_rev 0\n",
        f"{node}/gpu_id": "0\n",
        f"{node}/name": "\n",
        f"{node}/properties": _properties(_node_zero(count)),
        f"{node}/mem_banks/0/properties": _properties(
            {"heap_type": 0, "size_in_bytes": 16 << 30, "flags": 0, "width": 64, "mem_clk_max": 2400}
        ),
    }


def _node_zero(count: int) -> Mapping[str, int]:
    return _NOTHING | {"cpu_cores_count": 2, "mem_banks_count": 1, "io_links_count": count}


_ORDER = """
cpu_cores_count simd_count mem_banks_count caches_count io_links_count p2p_links_count cpu_core_id_base simd_id_base
max_waves_per_simd lds_size_in_kb gds_size_in_kb num_gws wave_front_size array_count simd_arrays_per_engine
cu_per_simd_array simd_per_cu max_slots_scratch_cu gfx_target_version vendor_id device_id location_id domain
drm_render_minor hive_id num_sdma_engines num_sdma_xgmi_engines num_sdma_queues_per_engine num_cp_queues
max_engine_clk_ccompute
"""
_NOTHING = dict.fromkeys(_ORDER.split(), 0)


def _kfd_files(gpu: Gpu, row: Product, index: int) -> dict[str, str]:
    node = f"class/kfd/kfd/topology/nodes/{index + 1}"
    vram = {"heap_type": 1, "size_in_bytes": gpu.vram_bytes, "flags": 0, "width": 4096, "mem_clk_max": 1000}
    return {
        f"{node}/gpu_id": f"{_GPU_ID + index}\n",
        f"{node}/name": f"{amd_name(row)}\n",
        f"{node}/properties": _properties(_gpu_properties(gpu, row, index)),
        f"{node}/mem_banks/0/properties": _properties(vram),
        f"{node}/io_links/0/properties": _link_properties(index + 1, 0),
    }


def _link_properties(start: int, end: int) -> str:
    link = {"type": 2, "version_major": 0, "version_minor": 0, "node_from": start, "node_to": end, "weight": 20}
    rates = {"min_latency": 0, "max_latency": 0, "min_bandwidth": 0, "max_bandwidth": 16000}
    return _properties(link | rates | {"recommended_transfer_size": 0, "flags": 0})


def _gpu_properties(gpu: Gpu, row: Product, index: int) -> dict[str, int]:
    major, minor, stepping = gfx_version(gpu.gfx)
    arrays = len(gpu.active[0][0])
    return _NOTHING | {
        "simd_count": gpu.compute_units * 4 // (2 if gpu.wgp_mode else 1),
        "mem_banks_count": 1,
        "caches_count": 0,
        "io_links_count": 1,
        "simd_id_base": 0x80000000,
        "max_waves_per_simd": 10,
        "lds_size_in_kb": 64,
        "wave_front_size": 32 if gpu.wgp_mode else 64,
        "array_count": gpu.xccs * gpu.shader_engines * arrays,
        "simd_arrays_per_engine": arrays,
        "cu_per_simd_array": max(cus for xcc in gpu.active for engine in xcc for cus in engine),
        "simd_per_cu": 2 if gpu.wgp_mode else 4,
        "max_slots_scratch_cu": 32,
        "gfx_target_version": major * 10000 + minor * 100 + stepping,
        "vendor_id": 0x1002,
        "device_id": device_id(row),
        "location_id": location_id(index),
        "drm_render_minor": gpu.render_minor,
        "num_sdma_engines": 2,
        "num_sdma_queues_per_engine": 8,
        "num_cp_queues": row.queue_slots,
        "max_engine_clk_fcompute": 1725,
        "local_mem_size": 0,
        "fw_version": 462,
        "capability": 0x2208,
        "debug_prop": 0,
        "sdma_fw_version": 145,
        "unique_id": gpu.unique_id,
        "num_xcc": gpu.xccs,
        "max_engine_clk_ccompute": 3000,
    }


def _drm_files(gpu: Gpu, row: Product, index: int, devices: str) -> dict[str, str]:
    device = f"{devices}/pci0000:00/{_address(index)}"
    sensors = f"{device}/hwmon/hwmon{index}"
    return {
        f"{device}/vendor": "0x1002\n",
        f"{device}/device": f"0x{device_id(row):04x}\n",
        f"{device}/subsystem_vendor": "0x1002\n",
        f"{device}/subsystem_device": "0x0834\n",
        f"{device}/revision": "0x01\n",
        f"{device}/numa_node": "0\n",
        f"{device}/unique_id": f"{gpu.unique_id:016x}\n",
        f"{device}/uevent": f"DRIVER=amdgpu\nPCI_SLOT_NAME={_address(index)}\n",
        f"{device}/vbios_version": "113-EMULATED-000\n",
        f"{device}/gpu_busy_percent": "0\n",
        f"{device}/mem_busy_percent": "0\n",
        f"{device}/mem_info_vram_total": f"{gpu.vram_bytes}\n",
        f"{device}/mem_info_vram_used": "0\n",
        f"{device}/pp_dpm_sclk": "0: 925Mhz\n1: 1725Mhz *\n",
        f"{device}/pp_dpm_mclk": "0: 350Mhz\n1: 1000Mhz *\n",
        f"{device}/power_dpm_force_performance_level": "auto\n",
        f"{sensors}/name": "amdgpu\n",
        f"{sensors}/power1_average": f"{round(row.idle_watts * 1e6)}\n",
        f"{sensors}/power1_cap": "300000000\n",
        f"{sensors}/power1_cap_max": "300000000\n",
        f"{sensors}/power1_cap_min": "0\n",
        f"{sensors}/temp1_input": "35000\n",
        f"{sensors}/temp1_label": "edge\n",
        f"{sensors}/temp2_input": "36000\n",
        f"{sensors}/temp2_label": "junction\n",
        f"{sensors}/temp3_input": "34000\n",
        f"{sensors}/temp3_label": "mem\n",
        f"{sensors}/in0_input": "800\n",
        f"{sensors}/in0_label": "vddgfx\n",
        f"{device}/drm/card{index}/dev": f"226:{index}\n",
        f"{device}/drm/renderD{gpu.render_minor}/dev": f"226:{gpu.render_minor}\n",
    }


def _address(index: int) -> str:
    return f"0000:{location_id(index) >> 8:02x}:00.0"


def _link_device(root: Path, index: int, devices: str) -> None:
    """The class folder shows each card as a link into the tree of devices, and each card its device."""
    device = root / devices / "pci0000:00" / _address(index)
    card = device / "drm" / f"card{index}"
    _link(card / "device", Path("../.."))
    classes, drivers = root / "class" / "drm", root / "bus" / "pci" / "drivers" / "amdgpu"
    for folder in (classes, drivers):
        folder.mkdir(parents=True, exist_ok=True)
    _link(classes / card.name, _from(root, classes, card))
    _link(drivers / "module", Path("../../../../module/amdgpu"))
    _link(device / "driver", _from(root, device, drivers))


def _from(root: Path, folder: Path, to: Path) -> Path:
    """The way from a folder of the tree to a place in it."""
    up = [".."] * len(folder.relative_to(root).parts)
    return Path(*up, *to.relative_to(root).parts)


def _put(path: Path, text: str) -> None:
    """As in a real tree, a reader never meets an empty file."""
    if path.exists() and path.read_text() == text:
        return
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_text(text)
    unfinished.replace(path)


def _link(path: Path, to: Path) -> None:
    if path.is_symlink() and path.readlink() == to:
        return
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def _properties(values: Mapping[str, int]) -> str:
    return "".join(f"{key} {value}\n" for key, value in values.items())
