"""What a container gets with its share: variables, mounts and device files. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from eclip.api import names
from eclip.errors import InputError
from eclip.node.record import Injection, Record

ONE_SHARE = (
    "more than one share per container is not supported yet: ask for 1, in several containers or pods, "
    f"or for a whole GPU by {names.GROUP}/gpu"
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the node in the container."""

    container: str
    host: str
    read_only: bool = True


@dataclass(frozen=True, slots=True)
class Device:
    """A device file of the node in the container, at the same place, to read and write."""

    path: str


@dataclass(frozen=True, slots=True)
class Container:
    """What kubelet is told to add to a container."""

    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()


def one_share(devices: tuple[str, ...] | list[str]) -> str:
    """The only device of a request.

    Raises:
        InputError: there are more, or none.
    """
    if len(devices) != 1:
        raise InputError(ONE_SHARE if devices else "kubelet asked for no share at all")
    return devices[0]


def container(record: Record, folder: PurePath, library: PurePath, queues: int, gpu: Container) -> Container:
    """The way into a slot.

    Args:
        record: of the allocation.
        folder: the slot's folder on the node.
        library: the interposer on the node.
        queues: hardware queues for the application's own streams.
        gpu: how the GPU itself gets into the container.
    """
    environment = {
        **gpu.environment,
        "ECLIP_ALLOCATION": record.allocation,
        "GPU_MAX_HW_QUEUES": str(queues),
    }
    if record.ceiling:
        environment["HSA_CU_MASK"] = record.ceiling
    if record.injection is Injection.NONE:
        return Container(environment, gpu.mounts, gpu.devices)
    environment |= {"ECLIP_SLOT": names.CONTAINER_SLOT, "LD_PRELOAD": names.CONTAINER_LIBRARY}
    slot = (
        Mount(f"{names.CONTAINER_SLOT}/config", str(folder / "config")),
        Mount(f"{names.CONTAINER_SLOT}/stats", str(folder / "stats"), read_only=False),
        Mount(f"{names.CONTAINER_SLOT}/profile", str(folder / "profile"), read_only=False),
        Mount(names.CONTAINER_LIBRARY, str(library)),
    )
    return Container(environment, (*gpu.mounts, *slot), gpu.devices)
