"""What all kinds of the API have in common: how they are read, how they are written, their metadata."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError
from pydantic.alias_generators import to_camel

from eclip import documents
from eclip.api import names
from eclip.errors import InputError
from eclip.slot import records


def _seconds(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[AwareDatetime, PlainSerializer(_seconds, return_type=str)]
"""As Kubernetes writes it: UTC, whole seconds."""
Count = Annotated[int, Field(ge=0)]
Cus = Annotated[int, Field(ge=1, le=32 * records.MASK_WORDS)]
"""A number of compute units."""
Micros = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=253)]
"""Of an object."""
Label = Annotated[str, Field(min_length=1, max_length=63)]
"""A name that also fits a label: a namespace, a container, a workload."""
GpuId = Annotated[str, Field(max_length=16, pattern=r"^[0-9a-f]{1,16}$")]
"""A GPU's unique id, hexadecimal, without 0x."""
SlotName = Annotated[str, Field(min_length=1, max_length=63)]
"""`<gpu>-s<nn>`, which is also the share's device id."""
Allocation = Annotated[str, Field(min_length=1, max_length=63)]
"""Which use of the slot; random."""
StrategyName = Annotated[str, Field(max_length=63)]
"""Of any strategy, those that are no policy's choice among them."""
PolicyRef = Annotated[str, Field(min_length=3, max_length=317, pattern=r"^[^/]+/[^/]+$")]
"""`namespace/name` of a ColocationPolicy."""


class Part(BaseModel):
    """A mapping inside an object. A field that a newer version of us has added is passed over."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, validate_by_name=True, allow_inf_nan=False
    )

    def wire(self) -> dict[str, Any]:
        """As the API server takes it: camelCase, without fields that have no value."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Part):
    """Whose end is the object's end."""

    api_version: str
    kind: str
    name: str
    uid: str


class Metadata(Part):
    """The part of an object's metadata that we read or write."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] | None = None


class Object(Part):
    """An object of ours. Subclasses narrow `kind`, and name what they add."""

    api_version: str = f"{names.GROUP}/{names.VERSION}"
    kind: str
    metadata: Metadata

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """An object as the API server gave it.

        Raises:
            InputError: it is none that the CRD would have let in; says which object, which field and why.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(_fault(cls, data, error)) from error

    @property
    def key(self) -> str:
        """`namespace/name`, or the name alone where there is no namespace."""
        namespace = self.metadata.namespace
        return f"{namespace}/{self.metadata.name}" if namespace else self.metadata.name


def _fault(kind: type[Object], data: Mapping[str, Any], error: ValidationError) -> str:
    metadata = data.get("metadata") or {}
    called = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name")))) or "without a name"
    first, *others = documents.faults(error).values()
    more = f" (and {len(others)} more)" if others else ""
    return f"{kind.__name__} {called}: {first}{more}"
