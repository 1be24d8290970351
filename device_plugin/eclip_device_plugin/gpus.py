"""The GPUs of a node as the plugin sees them, and which of them a node config shares. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from eclip.api.node_status import HealthReason
from eclip.errors import InputError
from eclip.gpu.inventory import Found
from eclip.gpu.topology import Gpu
from eclip_device_plugin import ceilings
from eclip_device_plugin.node_config import NodeConfig

_PCI = re.compile(r"(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.IGNORECASE)
_MOST_GPUS = 1024
_UNIQUE = re.compile(r"(?:GPU-|0x)([0-9a-f]{1,16})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a GPU cannot be given to new pods."""

    reason: HealthReason
    message: str


@dataclass(frozen=True, slots=True)
class NodeGpu:
    """A GPU, or a partition of one, of this node."""

    found: Found
    index: int
    """In the driver's order."""
    fault: Fault | None = None

    @property
    def gpu(self) -> Gpu:
        """Its shape."""
        return self.found.gpu

    @property
    def id(self) -> str:
        """Names it in device ids and everywhere else."""
        return self.found.id

    @property
    def pci(self) -> str:
        """Address of its chip."""
        return self.found.pci


@dataclass(frozen=True, slots=True)
class Choice:
    """A GPU that is to be shared, and how."""

    gpu: NodeGpu
    shares: int
    ceiling: int | None = None
    """The most CUs that a container may use."""


def choose(config: NodeConfig, found: Sequence[NodeGpu], source: str, *, lenient: bool = False) -> tuple[Choice, ...]:
    """The GPUs that a node config shares; a lenient reader passes over those that are not there.

    Raises:
        InputError: it names a GPU that is not there, or one twice, or a ceiling that no CU set of the GPU has.
    """
    if config.gpus is None:
        return tuple(_choice(gpu, config.shares, config.ceiling, source) for gpu in found)
    chosen: dict[str, Choice] = {}
    for entry in config.gpus:
        named = _named(entry.gpu, found, source)
        if not named and not lenient:
            there = ", ".join(f"{gpu.index} = 0x{gpu.id} = {gpu.pci}" for gpu in found) or "none"
            raise InputError(f"{source}: gpu {_text(entry.gpu)}: is not on this node; there are: {there}")
        for gpu in named:
            if gpu.id in chosen:
                raise InputError(f"{source}: gpu {_text(entry.gpu)}: is named twice; keep one entry for {gpu.pci}")
            ceiling = config.ceiling if entry.ceiling is None else entry.ceiling
            chosen[gpu.id] = _choice(gpu, entry.shares or config.shares, ceiling, source)
    return tuple(sorted(chosen.values(), key=lambda choice: choice.gpu.index))


def _text(name: int | str) -> str:
    """As it was written: YAML makes a number of 0x... as well, and no node has so many GPUs."""
    return f"0x{name:x}" if isinstance(name, int) and name > _MOST_GPUS else str(name).strip()


def _named(name: int | str, found: Sequence[NodeGpu], source: str) -> list[NodeGpu]:
    """All partitions of a chip that is named by its PCI address, else one GPU."""
    text = _text(name)
    if pci := _PCI.fullmatch(text):
        address = f"{pci[1] or '0000'}:{pci[2]}:{pci[3]}.{pci[4]}".lower()
        return [gpu for gpu in found if gpu.pci == address]
    if unique := _UNIQUE.fullmatch(text):
        return [gpu for gpu in found if gpu.gpu.unique_id == int(unique[1], 16)]
    if text.isascii() and text.isdigit():
        return [gpu for gpu in found if gpu.index == int(text)]
    raise InputError(f"{source}: gpu {name}: is neither an index, a unique id (0x...) nor a PCI address")


def _choice(gpu: NodeGpu, shares: int, ceiling: int | None, source: str) -> Choice:
    if ceiling is not None:
        ceilings.check(gpu.gpu, ceiling, source)
    return Choice(gpu, shares, ceiling)
