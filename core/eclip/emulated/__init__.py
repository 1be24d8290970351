"""An emulated GPU: the files that native/emulator reads, and what it leaves behind. For tests, demos and evaluation.

folder/emulator.json   the configuration, named by ECLIP_EMULATOR
folder/chip<n>         state of chip n, shared by all its programs (native/emulator/chip_file.h)
folder/trace/          one file per program, if asked for (native/emulator/trace.h)
folder/sys/            a sysfs tree that shows the GPUs
"""

import json
import os
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import eclip
from eclip.emulated import sysfs as emulated_sysfs
from eclip.emulated import trace as emulated_trace
from eclip.errors import InputError
from eclip.gpu import products
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu

LIBRARIES = Path(eclip.__file__).parent / "native" / "emulator"
WORKLOAD_KERNELS = Path(eclip.__file__).parent / "native" / "workloads" / "libeclip_workload_kernels.so"

_MAGIC = b"ECLCHIP\0"
_SUMMARY = struct.Struct("<8sII q d II 6d 4Q 8Q 2Q")
_CHIP_VERSION = 4


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets as the chip saw them, the runtime's own included."""

    dispatch: int = 0
    """Kernels of the application."""
    blit: int = 0
    """Kernels of the runtime: copies and fills."""
    barrier_and: int = 0
    barrier_or: int = 0
    barrier_value: int = 0
    vendor: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, name) for name in self.__slots__)

    def __sub__(self, before: "Packets") -> "Packets":
        """What came since `before`."""
        return Packets(*(getattr(self, name) - getattr(before, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a chip's meters show, as totals since it was made. Times in GPU microseconds."""

    micros: float
    """GPU time now."""
    joules: float
    """Idle power included."""
    busy_cu_micros: float
    """CUs kept busy, times how long."""
    bytes: float
    """Memory traffic."""
    packets: Packets
    programs: int
    """Processes on the chip now."""
    died: int
    """Processes that ended while their kernels or queues were still there; nearly all do, as HIP takes nothing down."""
    rotations: int
    """Times that the resident queues changed, because more were busy than there are slots."""
    mask_calls: int
    vram_used_bytes: int
    most_behind_micros: float
    """The furthest that the chip was behind the clock: the host was too slow for this time scale by that much."""
    passed_over: int
    """Times that the chip went on without a program that did not act in time: stopped, or starved of the host's cores.
    Results are in doubt then."""

    def power_and_use(self, since: "Reading", compute_units: int) -> tuple[float, float]:
        """Mean power in watts, and mean use of the CUs in percent, since an earlier reading."""
        micros = max(self.micros - since.micros, 1e-9)
        busy = (self.busy_cu_micros - since.busy_cu_micros) / micros / compute_units
        return (self.joules - since.joules) * 1e6 / micros, min(100, 100 * busy)


@dataclass(frozen=True, slots=True)
class EmulatedGpu:
    """An emulated GPU, or `count` equal ones, in a folder of its own. `create` writes its files."""

    product: str
    """Name of a product or preset, e.g. ``MI50`` or ``mi50-paper``."""
    folder: Path
    time_scale: float = 1.0
    """One GPU microsecond takes this many of the wall clock."""
    virtual_time: bool = False
    """GPU time does not follow the wall clock: it waits while a program computes, all but 1 / `time_scale` of the CPU
    time it takes, and passes at once while all programs wait. For programs that send a request when the last one is
    done; what they print in wall time means nothing then. (native/emulator/config.h)"""
    count: int = 1
    node: str = ""
    """Name of the cluster's node that it stands for, if any: unique ids of different nodes differ."""
    kernels: tuple[Path, ...] = ()
    """Libraries of kernels by native/include/eclip/emulator.h, beside the workloads' own."""
    trace: bool = False
    costs: Mapping[str, Any] = field(default_factory=dict)
    """Costs other than the product's, by their name in the configuration, e.g. ``launchMicros``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the configuration, e.g. ``largeBar``."""

    @property
    def row(self) -> Product:
        """The product's row in the product table."""
        return products.product(self.product)

    @property
    def gpu(self) -> Gpu:
        """The (first) GPU."""
        return self.gpus[0]

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs as their sysfs tree shows them."""
        shape = products.gpu_for(self.product)
        return tuple(
            replace(
                shape,
                node=index + 1,
                unique_id=emulated_sysfs.unique_id(index, self.node),
                render_minor=shape.render_minor + index,
            )
            for index in range(self.count)
        )

    @property
    def config_path(self) -> Path:
        """The configuration that ECLIP_EMULATOR names."""
        return self.folder / "emulator.json"

    @property
    def sysfs(self) -> Path:
        """Root of a tree that stands for /sys."""
        return self.folder / "sys"

    @property
    def topology(self) -> Path:
        """What `kfd.read_gpus` takes for its root."""
        return self.sysfs / "class" / "kfd" / "kfd" / "topology"

    @property
    def trace_folder(self) -> Path:
        """One file per program."""
        return self.folder / "trace"

    def chip_path(self, index: int = 0) -> Path:
        """State of one chip."""
        return self.folder / f"chip{index}"

    def create(self) -> "EmulatedGpu":
        """Writes the configuration and the sysfs tree. Programs that run on the chip keep it as it was.

        Raises:
            InputError: the product is unknown, or a library is missing.
        """
        for library in (LIBRARIES / "libhsakmt.so.1", *self._libraries()):
            if not library.exists():
                raise InputError(f"the emulated GPU needs {library}, which is not there; `make native` builds it")
        self.folder.mkdir(parents=True, exist_ok=True)
        emulated_sysfs.write(self.sysfs, self.gpus, self.row)
        unfinished = self.config_path.with_suffix(".new")
        unfinished.write_text(json.dumps(self.config(), indent=1))
        unfinished.replace(self.config_path)
        return self

    def config(self) -> dict[str, Any]:
        """The configuration as native/emulator/config.cpp reads it."""
        return {
            "timeScale": self.time_scale,
            "virtualTime": self.virtual_time,
            "trace": str(self.trace_folder) if self.trace else "",
            "kernels": [str(library) for library in self._libraries()],
            "gpus": [self._gpu_config(index) for index in range(self.count)],
            **self.settings,
        }

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program needs to run on this GPU, on top of `base` (default: this process's environment)."""
        before = (os.environ if base is None else base).get("LD_LIBRARY_PATH", "")
        path = f"{LIBRARIES}:{before}" if before else str(LIBRARIES)
        found = {"LD_LIBRARY_PATH": path, "ECLIP_EMULATOR": str(self.config_path)}
        # In virtual time the emulator has to see who waits, which it learns as a tool of ROCr.
        return {**found, "HSA_TOOLS_LIB": str(LIBRARIES / "libhsakmt.so.1")} if self.virtual_time else found

    def reading(self, index: int = 0) -> Reading:
        """What the chip's meters show now; all zero before the first program.

        Raises:
            InputError: the chip's file is of another version, or damaged.
        """
        path = self.chip_path(index)
        try:
            with path.open("rb") as file:
                page = file.read(_SUMMARY.size)
        except FileNotFoundError:
            page = b""
        if not any(page[: len(_MAGIC)]):  # the first program is about to make it, and marks it when it is whole
            return Reading(0, 0, 0, 0, Packets(), 0, 0, 0, 0, 0, 0, 0)
        return _reading(page, str(path))

    def show(self, since: Reading, index: int = 0) -> Reading:
        """Brings the sysfs tree up to date with the mean power and use since that reading; returns the new one."""
        now = self.reading(index)
        watts, busy_percent = now.power_and_use(since, self.gpu.compute_units)
        emulated_sysfs.show(self.sysfs, index, watts, busy_percent, now.vram_used_bytes)
        return now

    def programs(self) -> tuple[emulated_trace.Program, ...]:
        """What each program had the hardware do, from the trace."""
        return emulated_trace.read(self.trace_folder)

    def export_trace(self, to: Path) -> None:
        """Writes the trace in Chrome's JSON format, which Perfetto opens."""
        unfinished = to.with_name(f"{to.name}.new")
        unfinished.write_text(json.dumps(emulated_trace.chrome(self.programs())))
        unfinished.replace(to)

    def _libraries(self) -> tuple[Path, ...]:
        own = (WORKLOAD_KERNELS,) if WORKLOAD_KERNELS.exists() else ()
        return (*own, *self.kernels)

    def _gpu_config(self, index: int) -> dict[str, Any]:
        gpu, row = self.gpus[index], self.row
        return {
            "product": row.name,
            "marketingName": emulated_sysfs.marketing_name(row),
            "amdName": emulated_sysfs.amd_name(row),
            "gfx": gpu.gfx,
            "deviceId": emulated_sysfs.device_id(row),
            "locationId": emulated_sysfs.location_id(index),
            "uniqueId": gpu.unique_id,
            "renderMinor": gpu.render_minor,
            "vramBytes": gpu.vram_bytes,
            "active": gpu.active,
            "chip": str(self.chip_path(index)),
            "costs": {**_costs(row), **self.costs},
        }


def _costs(row: Product) -> dict[str, Any]:
    return {
        "bytesPerMicro": row.bytes_per_micro,
        "cuBytesPerMicro": row.cu_bytes_per_micro,
        "launchMicros": row.launch_micros,
        "barrierMicros": row.barrier_micros,
        "streamMicros": row.stream_micros,
        "queueSlots": row.queue_slots,
        "quantumMicros": row.quantum_micros,
        "idleWatts": row.idle_watts,
        "cuWatts": row.cu_watts,
        "byteMicrojoules": row.byte_microjoules,
        "maskIoctl": {"medianMicros": row.mask_ioctl_median_micros, "worstMicros": row.mask_ioctl_worst_micros},
    }


def _reading(page: bytes, source: str) -> Reading:
    if len(page) < _SUMMARY.size or not page.startswith(_MAGIC):
        raise InputError(f"{source}: no state of an emulated chip")
    (_, version, _, epoch_ns, scale, _, programs, played, microjoules, busy, traffic, idle_watts, behind,
     died, rotations, mask_calls, vram, *packets, virtual_time, passed_over) = _SUMMARY.unpack(page)  # fmt: skip
    if version != _CHIP_VERSION:
        raise InputError(f"{source}: state of an emulated chip, version {version} instead of {_CHIP_VERSION}")
    wall = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - epoch_ns) / 1000 / scale
    now = played if virtual_time else max(played, wall)
    # Nobody plays an idle chip: what has passed since was idle.
    joules = (microjoules + idle_watts * (now - played)) / 1e6
    counts = Packets(*packets[: len(Packets.__slots__)])
    return Reading(now, joules, busy, traffic, counts, programs, died, rotations, mask_calls, vram, behind, passed_over)
