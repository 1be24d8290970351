"""LookupTable: the plan of one worker as its slot gets it, named by its content and never changed."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator

from eclip import documents
from eclip.api import names
from eclip.api.objects import Cus, Label, Metadata, Object, Part
from eclip.plan import Group

LARGEST_TABLE = 1 << 20
"""Bytes of base64."""
ADDRESS_DIGITS = 40
"""Of the SHA-256, hexadecimal: 160 bits tell tables apart, and a node's object names up to 512 of them."""
MOST_GROUPS = 4096
GROUPS_SHOWN = 16

GroupText = Annotated[str, Field(min_length=3, max_length=16, pattern=r"^[0-9]+@[0-9]+$")]
"""`kernels@computeUnits`: so many consecutive kernels of a request, on so many CUs."""


class TableTopology(Part):
    """The chip that a table was made for."""

    product: Label
    compute_units: Cus
    active: Annotated[tuple[Annotated[int, Field(ge=0, le=1024)], ...], Field(min_length=1, max_length=512)]
    """As `eclip.api.node.Topology.active`."""


class ModelGroups(Part):
    """The groups of one model while every worker of the mix is busy."""

    model: Annotated[str, Field(min_length=1, max_length=253)]
    groups: Annotated[tuple[GroupText, ...], Field(max_length=MOST_GROUPS)]


class TableSpec(Part):
    """What a slot needs, and what a person wants to read of it."""

    format: Annotated[int, Field(ge=1, le=65535)]
    """Version of the bytes, `eclip.slot.table.FORMAT`."""
    gpu: TableTopology
    table: Annotated[str, Field(min_length=4, max_length=LARGEST_TABLE)]
    """Base64."""
    groups: Annotated[tuple[ModelGroups, ...], Field(max_length=8)] = ()

    @field_validator("table")
    @classmethod
    def _is_base64(cls, text: str) -> str:
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            documents.reject((), "is no base64")
        return text

    @property
    def data(self) -> bytes:
        """The bytes that go into the slot."""
        return base64.b64decode(self.table)

    @property
    def address(self) -> str:
        """The name that an object of this content has."""
        content = json.dumps(self.wire(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:ADDRESS_DIGITS]


class LookupTable(Object):
    """The kind of a table. Cluster-scoped, immutable."""

    kind: Literal["LookupTable"] = "LookupTable"
    spec: TableSpec

    @classmethod
    def of(cls, spec: TableSpec) -> Self:
        """The object of this content, under the name that goes with it."""
        labels = {"app.kubernetes.io/managed-by": names.OPERATOR}
        return cls(metadata=Metadata(name=spec.address, labels=labels), spec=spec)

    @property
    def genuine(self) -> bool:
        """Whether the name goes with the content. Where it does not, somebody else made the object."""
        return self.metadata.name == self.spec.address


def encoded(table: bytes) -> str:
    """Bytes of a table as `TableSpec.table` has them."""
    return base64.b64encode(table).decode("ascii")


def group_texts(groups: Iterable[Group]) -> tuple[str, ...]:
    """`kernels@computeUnits` of each group, in order."""
    return tuple(f"{group.last - group.first + 1}@{group.compute_units}" for group in groups)


def fewer(line: str, shown: int) -> str:
    """A summary, or several of models divided by `; `, with no more groups of each than this."""
    return "; ".join(_fewer(part.split(), shown) for part in line.split("; "))


def _fewer(words: Sequence[str], shown: int) -> str:
    groups = [word for word in words if "@" in word]
    if len(groups) <= shown:
        return " ".join(words)
    label = [word for word in words if word.endswith(":")]
    if words[-1] == "...":  # nobody knows how many more
        return " ".join((*label, *groups[:shown], "..."))
    more = len(groups) - shown + sum(int(word) for word in words if word.startswith("+"))
    return " ".join((*label, *groups[:shown], f"+{more} more"))


def summary(texts: Iterable[str], shown: int = GROUPS_SHOWN) -> str:
    """Groups on one line, the first sixteen and how many more there are: `14@15 7@60 +3 more`."""
    all_of_them = tuple(texts)
    more = (f"+{len(all_of_them) - shown} more",) if len(all_of_them) > shown else ()
    return " ".join((*all_of_them[:shown], *more))
