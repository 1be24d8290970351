"""The record of an allocation: written last by the plugin, so that a slot folder that has one is complete."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationError

from eclip.api.objects import Allocation, GpuId, Part, SlotName, Time
from eclip.errors import InputError

MOST_BYTES = 64 << 10
"""A reader need not look at more."""


class Injection(StrEnum):
    """How the interposer gets into a container's programs."""

    PRELOAD = "preload"
    NONE = "none"
    """Not at all: the pod has its share of the GPU, and its kernels are never masked."""


class Record(Part):
    """What was given to one container, once."""

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

    def text(self) -> str:
        """The file's content."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"


def parse(text: str, source: str) -> Record:
    """A record as `Record.text` wrote it.

    Raises:
        InputError: it is none.
    """
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"{source}: is no record of an allocation: {where}: {fault['msg']}") from error
