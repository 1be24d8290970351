"""A node config: which GPUs of a node are shared, by how many, and how their shares are handed out. Pure."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from eclip import documents
from eclip.api import names
from eclip.documents import Document, Part
from eclip.node.record import Injection

DEFAULT_SHARES = 4
MOST_SHARES = 8
Shares = Annotated[int, Field(ge=1, le=MOST_SHARES)]
Ceiling = Annotated[int, Field(ge=1, le=1024)]
Placement = Literal["pack", "spread"]

_RESOURCE = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LATER = "rocprofiler"


def _resource_is_ours(name: str) -> str:
    domain = name.split("/", maxsplit=1)[0]
    if not _RESOURCE.fullmatch(name) or len(domain) > 253:
        documents.reject((), f"{name!r} is no resource name; give DOMAIN/NAME, such as {names.GPU_SHARE}")
    if domain == "amd.com" or f".{domain}".endswith((".kubernetes.io", ".k8s.io")):
        documents.reject(
            (), f"{name!r} is under {domain}, which others own; use a domain of yours or {names.GPU_SHARE}"
        )
    return name


Resource = Annotated[str, AfterValidator(_resource_is_ours)]


class GpuEntry(Part):
    """One GPU that is shared."""

    gpu: int | str
    """Index in the driver's order, unique id (0x... or GPU-...), or PCI address."""
    shares: Shares | None = None
    ceiling: Ceiling | None = None


class NodeConfig(Document):
    """What an administrator says about a node; every field has a default."""

    api_version: Literal["eclip.dev/v1alpha1"] = "eclip.dev/v1alpha1"
    kind: Literal["NodeConfig"] = "NodeConfig"
    resource: Resource = names.GPU_SHARE
    """One share of a GPU."""
    whole_resource: Annotated[Resource, Field(alias="wholeGPUResource")] = f"{names.GROUP}/gpu"
    """A whole GPU: all its shares are taken with it."""
    shares: Shares = DEFAULT_SHARES
    """Of every GPU that does not say otherwise."""
    ceiling: Ceiling | None = None
    """The most CUs that a container may ever use, set as HSA_CU_MASK when it starts; none by default."""
    gpus: Annotated[tuple[GpuEntry, ...], Field(min_length=1, max_length=64)] | None = None
    """The GPUs to share; all of the node if left out."""
    placement: Placement = "spread"
    """Which shares kubelet is advised to take: on GPUs that are in use already, or on those with most shares free."""
    same_gpu: Annotated[Literal["refuse", "allow"], Field(alias="sameGPU")] = "refuse"
    """Whether two shares of one request may be on one GPU while another has a free one."""
    injection: Annotated[Injection, Field(strict=False)] = Injection.PRELOAD
    hardware_queues: Annotated[int, Field(ge=1, le=4)] = 1
    """GPU_MAX_HW_QUEUES of a container: queues of the application's own streams, each of which takes a queue slot."""

    @model_validator(mode="before")
    @classmethod
    def _what_comes_later(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("injection") == _LATER:
            documents.reject(
                ("injection",),
                f"is {_LATER!r}, which this version cannot do yet; use 'preload', or 'none' for shares without masks",
            )
        return data

    @model_validator(mode="after")
    def _two_resources(self) -> "NodeConfig":
        if self.resource == self.whole_resource:
            documents.reject(("resource",), f"is {self.resource!r}, as wholeGPUResource is; give two different names")
        return self


def parse(text: str, source: str) -> NodeConfig:
    """A node config.

    Raises:
        InputError: `source:line: field: what is wrong; what would be right`.
    """
    return documents.parse(NodeConfig, text, source)
