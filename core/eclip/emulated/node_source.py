"""Emulated GPUs of a cluster's node: a folder that the device plugin takes for its source of GPUs.

folder/sysfs/          the tree that stands for /sys; its `class` can take the place of /sys/class alone
folder/lib/            what containers load: libhsakmt.so.1, libraries of kernels, emulator.json
folder/chip/chip<n>    state of chip n, shared by all containers that have a share of it
folder/allocate.yaml   mounts and variables of such a container; written last
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eclip import atomic, documents
from eclip.emulated import LIBRARIES, WORKLOAD_KERNELS, EmulatedGpu, Reading
from eclip.emulated import sysfs as emulated_sysfs
from eclip.errors import EclipError, InputError

CONTAINER_LIB = "/usr/local/lib/eclip-emulator"
CONTAINER_CHIP = "/run/eclip/chip"
_CONFIG = "emulator.json"


@dataclass(frozen=True, slots=True)
class NodeSource:
    """The folder of one node. `fill` makes it; `show` brings its meters up to date."""

    folder: Path
    gpu: EmulatedGpu
    """Its own folder is the one that containers share."""

    @classmethod
    def of(cls, folder: Path, product: str, *, node: str, count: int = 1, **options: Any) -> "NodeSource":
        """A source of `count` GPUs whose unique ids no other node has."""
        return cls(folder, EmulatedGpu(product, folder / "chip", count=count, node=node, **options))

    @property
    def sysfs(self) -> Path:
        """What stands for /sys on this node."""
        return self.folder / "sysfs"

    def fill(self) -> None:
        """Writes everything. Containers that run keep the files that they have.

        Raises:
            InputError: the product is unknown, or a library is missing.
            EclipError: the disk refuses.
        """
        lib, chip = self.folder / "lib", self.folder / "chip"
        try:
            for folder in (lib, chip):
                folder.mkdir(parents=True, exist_ok=True)
            for library in self._libraries():
                _copy(library, lib / library.name)
            emulated_sysfs.write(self.sysfs, self.gpu.gpus, self.gpu.row, devices=emulated_sysfs.DEVICES_IN_CLASS)
            for index in range(self.gpu.count):
                _shared_file(self.gpu.chip_path(index))
            atomic.write(lib / _CONFIG, json.dumps(self._config(), indent=1))
            atomic.write(self.folder / "allocate.yaml", yaml.safe_dump(self._allocate(), sort_keys=False))
        except OSError as error:
            raise EclipError(f"{error.filename or self.folder}: cannot be written: {error.strerror}") from error

    def show(self, since: tuple[Reading, ...]) -> tuple[Reading, ...]:
        """Shows mean power and use of every GPU since those readings; returns the new ones."""
        now = self.readings()
        for index, (before, reading) in enumerate(zip(since, now, strict=True)):
            watts, busy = reading.power_and_use(before, self.gpu.gpu.compute_units)
            devices = emulated_sysfs.DEVICES_IN_CLASS
            emulated_sysfs.show(self.sysfs, index, watts, busy, reading.vram_used_bytes, devices=devices)
        return now

    def readings(self) -> tuple[Reading, ...]:
        """What the chips' meters show."""
        return tuple(self.gpu.reading(index) for index in range(self.gpu.count))

    def _libraries(self) -> tuple[Path, ...]:
        kernels = (WORKLOAD_KERNELS, *self.gpu.kernels)
        libraries = (LIBRARIES / "libhsakmt.so.1", *(path for path in kernels if path.exists()))
        for path in (libraries[0], *self.gpu.kernels):
            if not path.exists():
                raise InputError(f"the emulated GPU needs {path}, which is not there; `make native` builds it")
        return libraries

    def _config(self) -> dict[str, Any]:
        kernels = [f"{CONTAINER_LIB}/{path.name}" for path in self._libraries()[1:]]
        config = self.gpu.config() | {"kernels": kernels}
        for index, gpu in enumerate(config["gpus"]):
            gpu["chip"] = f"{CONTAINER_CHIP}/{self.gpu.chip_path(index).name}"
        return config

    def _allocate(self) -> dict[str, Any]:
        env = {"LD_LIBRARY_PATH": CONTAINER_LIB, "ECLIP_EMULATOR": f"{CONTAINER_LIB}/{_CONFIG}"}
        if self.gpu.virtual_time:  # as EmulatedGpu.environment
            env["HSA_TOOLS_LIB"] = f"{CONTAINER_LIB}/libhsakmt.so.1"
        return {
            "apiVersion": documents.API_VERSION,
            "kind": "EmulatedSource",
            "mounts": [
                {"path": "lib", "containerPath": CONTAINER_LIB},
                {"path": "chip", "containerPath": CONTAINER_CHIP, "readOnly": False},
            ],
            "env": env,
        }


def _copy(source: Path, target: Path) -> None:
    """By rename: a program that has the old file mapped keeps it."""
    unfinished = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, unfinished)
    unfinished.chmod(0o755)
    unfinished.replace(target)


def _shared_file(path: Path) -> None:
    """Programs of any user map it; they give it its size and content."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.fchmod(file, 0o666)
    finally:
        os.close(file)
