"""The file that `eclip run` keeps true: which programs share a GPU, and how. Fields as in ColocationPolicy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from eclip import documents
from eclip.slot import records

Strategy = Literal["whole-gpu", "static-split", "static-split-env", "model-wise", "per-kernel", "kernel-groups"]
Solver = Literal["exact", "pulp"]
Objective = Literal["fairness", "throughput", "energy", "latency"]
Basis = Literal["absolute", "normalised"]
Overlap = Literal["printed", "corrected"]
Restart = Literal["OnFailure", "Never", "Always"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)

MOST_WORKERS = 64
"""On one GPU: the active set is one 64-bit word."""
MAX_SWITCHES = 14
"""The switch budget of a request, if none is given (the paper's)."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One program and the models it serves."""

    name: str
    command: tuple[str, ...]
    """Empty: somebody else starts the program, in a slot of this name."""
    env: Mapping[str, str]
    profiles: tuple[Path, ...]
    """Kernel profiles of the models, absolute paths."""
    gpu: int | str
    weight: float
    best_effort: bool
    latency_micros: float | None
    """Longest p95 of a request."""
    min_compute_units: int | None
    max_compute_units: int | None
    max_switches: int | None
    """Per request; None: no budget."""
    restart: Restart


@dataclass(frozen=True, slots=True)
class Colocation:
    """A whole colocation file."""

    folder: Path
    """Where the file is; relative paths in it start here."""
    gpu: int | str
    """Index, unique id (text), or `emulated`; a workload may name another one."""
    strategy: Strategy
    solver: Solver
    objective: Objective
    objective_basis: Basis
    overlap: Overlap
    max_switches: int | None
    """Per worker and request; None: no budget."""
    max_streams: int | None
    """Masked and application streams of all workers; None: what the product has."""
    hop_micros: float | None
    """None: the product's."""
    stream_micros: float | None
    """None: the product's."""
    sizes: Literal["auto", "paper"] | tuple[int, ...]
    workloads: tuple[Workload, ...]

    def on(self, gpu: int | str) -> tuple[Workload, ...]:
        """The workloads of one GPU, in the order of the file."""
        return tuple(workload for workload in self.workloads if workload.gpu == gpu)

    @property
    def gpus(self) -> tuple[int | str, ...]:
        """All GPUs that workloads name, in the order of the file."""
        return tuple(dict.fromkeys(workload.gpu for workload in self.workloads))


def load(path: Path) -> Colocation:
    """Reads a colocation file. Raises InputError with file, line and field."""
    return parse(documents.read(path), str(path), path.absolute().parent)


def parse(text: str, source: str, folder: Path) -> Colocation:
    """Makes a colocation of its YAML; relative paths in it start at `folder`. Raises InputError as `load`."""
    spec = documents.parse(_Colocation, text, source).spec
    return Colocation(
        folder=folder,
        gpu=spec.gpu,
        strategy=spec.strategy,
        solver=spec.solver,
        objective=spec.objective,
        objective_basis=spec.objective_basis,
        overlap=spec.overlap,
        max_switches=spec.max_switches,
        max_streams=spec.max_streams,
        hop_micros=spec.hop_micros,
        stream_micros=spec.stream_micros,
        sizes=spec.sizes,
        workloads=tuple(_workload(part, spec, folder) for part in spec.workloads),
    )


def _workload(part: "_Workload", spec: "_Spec", folder: Path) -> Workload:
    limits = part.compute_units or _Limits()
    return Workload(
        name=part.name,
        command=part.command or (),
        env=part.env,
        profiles=tuple(folder / profile for profile in part.profiles),
        gpu=spec.gpu if part.gpu is None else part.gpu,
        weight=part.weight,
        best_effort=part.class_ == "BestEffort",
        latency_micros=part.latency.p95_micros if part.latency else None,
        min_compute_units=limits.min,
        max_compute_units=limits.max,
        max_switches=part.max_switches if "max_switches" in part.model_fields_set else spec.max_switches,
        restart=part.restart,
    )


def _is_gpu(value: object) -> object:
    if not (isinstance(value, str) and value) and not (type(value) is int and value >= 0):
        documents.reject((), f"is {value!r}; should be the GPU's index, its unique id in quotes, or emulated")
    return value


def _are_sizes(value: object) -> object:
    if value in ("auto", "paper"):
        return value
    if not isinstance(value, tuple) or not value or not all(type(size) is int and size > 0 for size in value):
        documents.reject((), "should be auto, paper, or a list of CU counts like [15, 30, 45]")
    if list(value) != sorted(set(value)):
        documents.reject((), f"{list(value)} should ascend")
    return value


def _no_nul(text: str) -> str:
    if "\0" in text:
        documents.reject((), f"{text!r} has a NUL character in it, which no program can be given; leave it out")
    return text


def _is_variable(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        documents.reject((), f"{name!r} is no name of an environment variable; use letters, digits and '_'")
    return name


_Text = Annotated[str, Field(min_length=1), AfterValidator(_no_nul)]
_Variable = Annotated[str, AfterValidator(_is_variable)]
_Cus = Annotated[int, Field(ge=1, le=32 * records.MASK_WORDS)]
_Switches = Annotated[int, Field(ge=0)]
_Cost = Annotated[float, Field(ge=0)]
_Gpu = Annotated[Any, AfterValidator(_is_gpu)]
_OURS = ("ECLIP_SLOT", "ECLIP_ALLOCATION", "ECLIP_MODE")


class _Limits(documents.Part):
    min: _Cus | None = None
    max: _Cus | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "_Limits":
        if self.min and self.max and self.min > self.max:
            documents.reject(("min",), f"is {self.min}, above max ({self.max}); swap them")
        return self


class _Latency(documents.Part):
    p95_micros: Annotated[float, Field(gt=0, alias="p95Micros")]


class _Workload(documents.Part):
    name: str
    command: Annotated[tuple[_Text, ...], Field(min_length=1)] | None = None
    env: dict[_Variable, Annotated[str, AfterValidator(_no_nul)]] = Field(default_factory=dict)
    profiles: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=records.MODELS)]
    gpu: _Gpu = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    class_: Annotated[Literal["Realtime", "BestEffort"], Field(alias="class")] = "Realtime"
    latency: _Latency | None = None
    compute_units: _Limits | None = None
    max_switches: _Switches | None = None
    restart: Restart = "OnFailure"

    @model_validator(mode="after")
    def _consistent(self) -> "_Workload":
        if fault := documents.name_fault(self.name):
            documents.reject(("name",), fault)
        for variable in _OURS:
            if variable in self.env:
                documents.reject(("env", variable), "is set by eclip itself; leave it out")
        if self.class_ == "BestEffort" and self.latency:
            documents.reject(("latency",), "is promised to no BestEffort workload; leave it out, or make it Realtime")
        return self


class _Spec(documents.Part):
    gpu: _Gpu = 0
    strategy: Strategy = "kernel-groups"
    solver: Solver = "exact"
    objective: Objective = "fairness"
    objective_basis: Basis = "normalised"
    overlap: Overlap = "corrected"
    max_switches: _Switches | None = MAX_SWITCHES
    max_streams: Annotated[int, Field(ge=1)] | None = None
    hop_micros: _Cost | None = None
    stream_micros: _Cost | None = None
    sizes: Annotated[Any, AfterValidator(_are_sizes)] = "auto"
    workloads: Annotated[tuple[_Workload, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> "_Spec":
        first: dict[str, int] = {}
        for number, workload in enumerate(self.workloads):
            if workload.name in first:
                documents.reject(
                    ("workloads", number, "name"),
                    f"{workload.name!r} is the name of another workload; choose a new one",
                )
            first[workload.name] = number
        workers = sum(len(workload.profiles) for workload in self.workloads)
        if workers > MOST_WORKERS:
            documents.reject(("workloads",), f"have {workers} profiles in all; at most {MOST_WORKERS} are possible")
        return self


class _Colocation(documents.Document):
    kind: Literal["Colocation"]
    metadata: documents.Metadata | None = None
    spec: _Spec
