"""Edge: where GPUs come from: the kernel driver, or a folder that stands for one (an emulated GPU).

An emulated source is a folder of the node: `sysfs/` as /sys shows the GPUs, `allocate.yaml` with the mounts and
variables that a container gets instead of device files. The plugin knows no more of it than this form.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Protocol

from pydantic import AfterValidator, Field

from eclip import documents
from eclip.api.node_status import HealthReason
from eclip.documents import Document, Part
from eclip.gpu import inventory
from eclip.node.report import Source as Kind
from eclip_device_plugin.container import Container, Device, Mount
from eclip_device_plugin.gpus import Fault, NodeGpu

SYSFS = Path("/sys")
KFD_DEVICE = "/dev/kfd"
_Identity = tuple[int, ...] | None
"""Tells a file from one that took its place, and from itself with another content. None: there is none."""


class Source(Protocol):
    """The GPUs of a node, and how one gets into a container."""

    kind: Kind

    def read(self) -> tuple[NodeGpu, ...]:
        """What is there now.

        Raises:
            InputError: the tree cannot be read.
        """

    def passage(self, gpu: NodeGpu) -> Container:
        """What a container needs to use this GPU and no other.

        Raises:
            InputError: the source does not say.
        """


class KfdSource:
    """GPUs of the kernel driver. Reads sysfs alone: /dev/kfd is never opened."""

    kind = Kind.KFD

    def __init__(self, sysfs: Path = SYSFS) -> None:
        self._sysfs = sysfs

    def read(self) -> tuple[NodeGpu, ...]:
        """See `Source`."""
        return read_gpus(self._sysfs)

    def passage(self, gpu: NodeGpu) -> Container:
        """See `Source`."""
        devices = (Device(KFD_DEVICE), Device(f"/dev/dri/renderD{gpu.gpu.render_minor}"))
        return Container(_visible(gpu), devices=devices)


class AllocateMount(Part):
    """A file or folder of the source in a container."""

    path: Annotated[str, Field(min_length=1)]
    """Relative to the source's folder."""
    container_path: Annotated[str, Field(pattern="^/")]
    read_only: bool = True


def _stays_inside(mounts: tuple[AllocateMount, ...]) -> tuple[AllocateMount, ...]:
    for index, mount in enumerate(mounts):
        path = PurePosixPath(mount.path)
        if path.is_absolute() or ".." in path.parts:
            documents.reject((index, "path"), f"{mount.path!r} leads out of the source's folder; give a path below it")
    return mounts


class AllocateFile(Document):
    """`allocate.yaml` of an emulated source."""

    kind: Literal["EmulatedSource"]
    mounts: Annotated[tuple[AllocateMount, ...], AfterValidator(_stays_inside)] = ()
    env: dict[str, str] = Field(default_factory=dict)


class EmulatedSource:
    """GPUs that a folder of the node stands for."""

    kind = Kind.EMULATED

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said: tuple[_Identity, AllocateFile] | None = None

    def read(self) -> tuple[NodeGpu, ...]:
        """See `Source`."""
        self._allocate()
        return read_gpus(self._folder / "sysfs")

    def passage(self, gpu: NodeGpu) -> Container:
        """See `Source`."""
        said = self._allocate()
        mounts = (Mount(mount.container_path, str(self._folder / mount.path), mount.read_only) for mount in said.mounts)
        return Container({**_visible(gpu), **said.env}, tuple(mounts))

    def _allocate(self) -> AllocateFile:
        """Read again when it is another file than before: kubelet does not wait for a parser."""
        path = self._folder / "allocate.yaml"
        now = _identity(path)
        if self._said is None or self._said[0] != now:
            self._said = now, documents.parse(AllocateFile, documents.read(path), str(path))
        return self._said[1]


def _identity(path: Path) -> _Identity:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_ctime_ns, seen.st_size


def _visible(gpu: NodeGpu) -> Mapping[str, str]:
    """The only GPU whose device file is in the container; by its own id, so that this holds in privileged ones too."""
    return {"ROCR_VISIBLE_DEVICES": gpu.found.uuid or "0"}


def read_gpus(sysfs: Path) -> tuple[NodeGpu, ...]:
    """The GPUs of a tree as /sys, with what their chips report.

    Raises:
        InputError: the tree cannot be read, or hides its GPUs from us.
    """
    errors = dict(_chips_with_errors(sysfs))
    return tuple(
        NodeGpu(found, index, fault=errors.get(found.pci)) for index, found in enumerate(inventory.read(sysfs))
    )


def _chips_with_errors(sysfs: Path) -> Iterator[tuple[str, Fault]]:
    """By PCI address: memory or logic that has failed beyond repair since the driver was loaded."""
    for uevent in sysfs.glob("class/drm/card*/device/uevent"):
        facts = dict(line.split("=", 1) for line in _text(uevent).splitlines() if "=" in line)
        for count in sorted(uevent.parent.glob("ras/*_err_count")):
            failed = _uncorrected(count)
            if failed and (pci := facts.get("PCI_SLOT_NAME", "").lower()):
                block = count.name.removesuffix("_err_count")
                yield pci, Fault(HealthReason.HARDWARE_ERRORS, f"{pci}: {failed} uncorrected errors in {block}")
                break


def _uncorrected(count: Path) -> int:
    lines = dict(line.split(":", 1) for line in _text(count).splitlines() if ":" in line)
    number = lines.get("ue", "").strip()
    return int(number) if number.isdecimal() else 0


def _text(path: Path) -> str:
    """Empty if it is gone, or the device does not answer."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
