"""The record of an allocation: written last by the plugin, so that a slot folder that has one is complete."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from eclip.api.objects import Allocation, GpuId, SlotName, Time
from eclip.gpu import hsa_cu_mask
from eclip.node.files import NodeFile
from eclip.plan import CuSet

MOST_BYTES = 64 << 10
"""A reader need not look at more."""


class Injection(StrEnum):
    """How the interposer gets into a container's programs."""

    PRELOAD = "preload"
    NONE = "none"
    """Not at all: the pod has its share of the GPU, and its kernels are never masked."""


class Record(NodeFile):
    """What was given to one container, once."""

    called: ClassVar[str] = "record of an allocation"

    slot: SlotName
    allocation: Allocation
    gpu: GpuId
    whole: bool = False
    """The container has all shares of the GPU."""
    created_at: Time
    library: Annotated[str, Field(max_length=63)]
    """Folder under `lib` that the interposer is mounted from."""
    injection: Injection
    ceiling: Annotated[str, Field(max_length=1024)] | None = None
    """HSA_CU_MASK that the container got; None: no ceiling."""

    @property
    def reach(self) -> CuSet | None:
        """The CUs that the ceiling leaves the container; None: all."""
        return hsa_cu_mask.parse_hsa_cu_mask(self.ceiling).sets.get(0) if self.ceiling else None
