"""Kernel profiles: the kernels of one request in launch order, each with its solo time at each size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import Field, model_validator

from eclip import documents

Dim3 = tuple[int, int, int]
Origin = Literal["Measured", "MeasuredShared", "Modelled"]
"""Timed on a GPU; timed on one that others used meanwhile; made from a model of the GPU."""
StreamKind = Literal["Null", "Blocking", "NonBlocking"]
STREAM_KINDS: tuple[StreamKind, ...] = get_args(StreamKind)

TOLERANCE = 0.05
"""A size is enough for a kernel when its time is at most this much above the time on the whole GPU."""


@dataclass(frozen=True, slots=True)
class KernelCall:
    """One launch of a request."""

    symbol: str
    """Name as the runtime reports it (mangled)."""
    grid: Dim3
    """Workgroups."""
    block: Dim3
    """Work-items."""
    micros: tuple[float, ...]
    """Solo time at each of the profile's sizes."""
    stream: int = 0
    """Which of the application's streams of one request, in the order of their first use."""


@dataclass(frozen=True)
class KernelProfile:
    """The kernels of one request of a model on one product."""

    name: str
    product: str
    compute_units: int
    """Of the whole GPU; the last size."""
    origin: Origin
    sizes: tuple[int, ...]
    """CUs, ascending; the last is the whole GPU."""
    kernels: tuple[KernelCall, ...]
    streams: tuple[StreamKind, ...] = ()
    """Kinds of the application's streams; empty: one stream whose kind is not known."""

    @cached_property
    def micros(self) -> npt.NDArray[np.float64]:
        """Solo times, shape [kernels, sizes]. Read-only."""
        times = np.array([kernel.micros for kernel in self.kernels], dtype=np.float64)
        times.flags.writeable = False
        return times

    @property
    def solo_micros(self) -> float:
        """One request alone on the whole GPU."""
        return float(self.micros[:, -1].sum())

    @property
    def symbols(self) -> tuple[str, ...]:
        """Distinct kernel names, in the order of their first launch."""
        return tuple(dict.fromkeys(kernel.symbol for kernel in self.kernels))

    def thresholds(self, tolerance: float = TOLERANCE) -> tuple[int, ...]:
        """Per kernel the smallest size whose time is at most (1 + tolerance) times the time on the whole GPU."""
        enough = self.micros <= self.micros[:, -1:] * (1.0 + tolerance)
        return tuple(self.sizes[index] for index in enough.argmax(axis=1).tolist())


def load(path: Path) -> KernelProfile:
    """Reads a profile from a file. Raises InputError with file, line and field."""
    return parse(documents.read(path), str(path))


def parse(text: str, source: str) -> KernelProfile:
    """Makes a profile of its YAML. Raises InputError with `source`, line and field."""
    document = documents.parse(_Profile, text, source)
    return of(document.metadata.name, document.spec)


def of(name: str, spec: "Spec") -> KernelProfile:
    """The profile that a validated document describes."""
    return KernelProfile(
        name=name,
        product=spec.gpu.product,
        compute_units=spec.gpu.compute_units,
        origin=spec.origin,
        sizes=spec.sizes,
        kernels=tuple(
            KernelCall(spec.symbols[call.symbol], call.grid, call.block, call.micros, call.stream)
            for call in spec.kernels
        ),
        streams=spec.streams,
    )


def dump(profile: KernelProfile) -> str:
    """The YAML of a profile, one line a kernel. `parse` gives back an equal profile."""
    index = {symbol: number for number, symbol in enumerate(profile.symbols)}
    lines = [
        f"apiVersion: {documents.API_VERSION}",
        "kind: KernelProfile",
        f"metadata: {{name: {_scalar(profile.name)}}}",
        "spec:",
        f"  gpu: {{product: {_scalar(profile.product)}, computeUnits: {profile.compute_units}}}",
        f"  origin: {profile.origin}",
        f"  sizes: {_list(profile.sizes)}",
        *([f"  streams: [{', '.join(map(_scalar, profile.streams))}]"] if profile.streams else []),
        "  symbols:",
        *(f"  - {_scalar(symbol)}" for symbol in index),
        "  kernels:",
        *(f"  - {{{_call(kernel, index)}}}" for kernel in profile.kernels),
    ]
    return "\n".join(lines) + "\n"


def _call(kernel: KernelCall, index: Mapping[str, int]) -> str:
    stream = f", stream: {kernel.stream}" if kernel.stream else ""
    return (
        f"symbol: {index[kernel.symbol]}, grid: {_list(kernel.grid)}, block: {_list(kernel.block)}, "
        f"micros: {_list(kernel.micros)}{stream}"
    )


def _list(values: Sequence[float]) -> str:
    return f"[{', '.join(_number(value) for value in values)}]"


def _number(value: float) -> str:
    text = repr(value)
    # YAML 1.1 takes 1e-05 for text; it wants a point.
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _scalar(text: str) -> str:
    """The text as YAML, quoted where it must be, on one line."""
    return yaml.safe_dump(text, width=float("inf")).removesuffix("...\n").strip()


_Positive = Annotated[int, Field(ge=1, le=0xFFFFFFFF)]
_Index = Annotated[int, Field(ge=0)]
_Micros = Annotated[float, Field(gt=0)]


class Call(documents.Part):
    """One launch of a request, as in the file; `symbol` and `stream` are indices."""

    symbol: _Index
    grid: tuple[_Positive, _Positive, _Positive]
    block: tuple[_Positive, _Positive, _Positive]
    micros: tuple[_Micros, ...]
    stream: _Index = 0


class _Gpu(documents.Part):
    product: Annotated[str, Field(min_length=1)]
    compute_units: Annotated[int, Field(ge=1, le=1024)]


class Spec(documents.Part):
    """What a profile document says, field by field as in the file."""

    gpu: _Gpu
    origin: Origin
    sizes: Annotated[tuple[_Positive, ...], Field(min_length=1, max_length=16)]
    streams: Annotated[tuple[StreamKind, ...], Field(max_length=64)] = ()
    symbols: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    kernels: Annotated[tuple[Call, ...], Field(min_length=1, max_length=100_000)]

    @model_validator(mode="after")
    def _consistent(self) -> "Spec":
        self._check_sizes()
        if len(set(self.symbols)) != len(self.symbols):
            twice = next(i for i, symbol in enumerate(self.symbols) if symbol in self.symbols[:i])
            documents.reject(("symbols", twice), f"{self.symbols[twice]!r} is listed twice; symbols are distinct")
        for number, call in enumerate(self.kernels):
            self._check_call(number, call)
        return self

    def _check_sizes(self) -> None:
        if list(self.sizes) != sorted(set(self.sizes)):
            documents.reject(("sizes",), f"{list(self.sizes)} should ascend")
        if self.sizes[-1] != self.gpu.compute_units:
            documents.reject(
                ("sizes",), f"ends with {self.sizes[-1]}; the last size is the whole GPU, {self.gpu.compute_units}"
            )

    def _check_call(self, number: int, call: Call) -> None:
        where = ("kernels", number)
        if call.symbol >= len(self.symbols):
            documents.reject(
                (*where, "symbol"), f"is {call.symbol}; there are {len(self.symbols)} symbols, counted from 0"
            )
        if len(call.micros) != len(self.sizes):
            documents.reject(
                (*where, "micros"),
                f"has {len(call.micros)} times; there are {len(self.sizes)} sizes",
            )
        if call.stream >= max(1, len(self.streams)):
            documents.reject(
                (*where, "stream"), f"is {call.stream}; spec.streams has {len(self.streams)}, counted from 0"
            )


class _Profile(documents.Document):
    kind: Literal["KernelProfile"]
    metadata: documents.Metadata
    spec: Spec
