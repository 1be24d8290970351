"""KernelProfile: the document of core, as an object of a cluster. Narrower, since an object has to be small."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from eclip import documents
from eclip.api.objects import Object
from eclip.documents import profile

MOST_KERNELS = 4096
MOST_SYMBOL_BYTES = 512 << 10
"""All symbols together. Kernels and symbols then stay within a mebibyte."""

Size = Annotated[int, Field(ge=1, le=1024)]
Symbol = Annotated[str, Field(min_length=1, max_length=1024, pattern="^[ -~]+$")]


class ProfileSpec(profile.Spec):
    """As in the file; see `eclip.documents.profile`."""

    sizes: Annotated[tuple[Size, ...], Field(min_length=1, max_length=8)]
    symbols: Annotated[tuple[Symbol, ...], Field(min_length=1, max_length=MOST_KERNELS)]
    kernels: Annotated[tuple[profile.Call, ...], Field(min_length=1, max_length=MOST_KERNELS)]

    @model_validator(mode="after")
    def _small(self) -> "ProfileSpec":
        if (size := sum(map(len, self.symbols))) > MOST_SYMBOL_BYTES:
            documents.reject(("symbols",), f"have {size} bytes in all; at most {MOST_SYMBOL_BYTES} fit an object")
        return self


class KernelProfile(Object):
    """The kind of a kernel profile. Namespaced."""

    kind: Literal["KernelProfile"] = "KernelProfile"
    spec: ProfileSpec

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """An object as the API server gave it. Raises InputError as `Object.read`."""
        return super().read({**data, "spec": _frozen(data.get("spec"))})

    @property
    def profile(self) -> profile.KernelProfile:
        """What planning works with, named as the object."""
        return profile.of(self.metadata.name, self.spec)


def _frozen(value: object) -> object:
    """Lists as tuples, as the loader of documents makes them: a document is strict about that."""
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
