"""What a lookup table holds and the rules it keeps. Pure data; `table` makes bytes of it.

The interposer applies the same rules (native/interposer) and refuses a table that breaks one.
"""

from dataclasses import dataclass, replace

from eclip.documents.profile import Dim3, StreamKind
from eclip.errors import InputError
from eclip.plan import Stream
from eclip.slot import records

OWN_STREAM = -1
"""In place of the index of a masked stream: the application's own stream, the whole GPU."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A launch that the interposer should expect."""

    symbol: int
    """Index into the model's symbols."""
    grid: Dim3
    block: Dim3
    stream: int
    """Index of the application's stream among those of one request."""


@dataclass(frozen=True, slots=True)
class Model:
    """The launches of one request of one worker."""

    name: str
    symbols: tuple[str, ...]
    streams: tuple[StreamKind, ...]
    kernels: tuple[Kernel, ...]
    worker: int
    """Bit of this model in the active sets."""


@dataclass(frozen=True, slots=True)
class StreamGroup:
    """Kernels first..last (inclusive) run on one masked stream of the table, or on the application's own."""

    first: int
    last: int
    stream: int
    """Index into the table's streams, or OWN_STREAM."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What holds while exactly the workers in `active` are busy."""

    active: int
    """Bit i: worker i of the mix."""
    choices: tuple[tuple[StreamGroup, ...], ...]
    """One per model, in the same order."""


@dataclass(frozen=True, slots=True)
class Profiling:
    """How profile mode measures."""

    warm_up_requests: int = 3
    repeats: int = 9


@dataclass(frozen=True, slots=True)
class Table:
    """A decoded table. The first variant serves every active set that has none of its own."""

    product: str
    compute_units: int
    """Of the whole GPU. The interposer refuses a table made for another count."""
    streams: tuple[Stream, ...]
    models: tuple[Model, ...]
    variants: tuple[Variant, ...]
    profiling: Profiling | None = None


def released(table: Table) -> Table:
    """The same models with every kernel on the application's own stream: counted, but not masked."""
    choices = tuple((StreamGroup(0, len(model.kernels) - 1, OWN_STREAM),) for model in table.models)
    return replace(table, streams=(), variants=(Variant(table.variants[0].active, choices),))


def check(table: Table) -> None:
    """Raises InputError, naming the part, if the parts of a table do not fit together."""
    _check_counts(table)
    for index, stream in enumerate(table.streams):
        _check_stream(table, index, stream)
    for model in table.models:
        _check_model(model)
    if len({variant.active for variant in table.variants}) != len(table.variants):
        raise InputError("table: two variants serve the same set of active workers")
    for variant in table.variants:
        if len(variant.choices) != len(table.models):
            raise InputError(f"table: a variant has {len(variant.choices)} choices for {len(table.models)} models")
        for model, groups in zip(table.models, variant.choices, strict=True):
            _check_groups(table, model, groups)


def _check_counts(table: Table) -> None:
    if not 1 <= table.compute_units <= 32 * records.MASK_WORDS:
        raise InputError(f"table: a GPU of {table.compute_units} CUs; 1 to {32 * records.MASK_WORDS} are possible")
    if len(table.streams) > records.STREAMS:
        raise InputError(f"table: {len(table.streams)} masked streams; a slot holds at most {records.STREAMS}")
    if len(table.models) > records.MODELS:
        raise InputError(f"table: {len(table.models)} models; a slot holds at most {records.MODELS}")
    if bool(table.models) != bool(table.variants) or bool(table.models) == (table.profiling is not None):
        raise InputError("table: has either models with variants, or neither of them and instructions for profiling")


def _check_stream(table: Table, index: int, stream: Stream) -> None:
    if stream.cu_set <= 0 or stream.cu_set >> table.compute_units:
        raise InputError(f"table: stream {index} has no CU, or one beyond the GPU's {table.compute_units}")
    if stream.cu_set.bit_count() != stream.compute_units:
        raise InputError(
            f"table: stream {index} says {stream.compute_units} CUs, its set has {stream.cu_set.bit_count()}"
        )


def _check_model(model: Model) -> None:
    if not model.name or not model.kernels or model.worker > 63:
        raise InputError(f"table: model {model.name!r} needs a name, a kernel and a worker bit below 64")
    for number, kernel in enumerate(model.kernels):
        if kernel.symbol >= len(model.symbols) or kernel.stream >= max(1, len(model.streams)):
            raise InputError(f"table: model {model.name!r}: kernel {number} names a symbol or stream that is not there")
        if 0 in (*kernel.grid, *kernel.block):
            raise InputError(f"table: model {model.name!r}: kernel {number} launches nothing")


def _check_groups(table: Table, model: Model, groups: tuple[StreamGroup, ...]) -> None:
    at = 0
    for group in groups:
        if group.first != at or group.last < group.first:
            raise InputError(f"table: model {model.name!r}: a group starts at {group.first}, {at} was expected")
        if not OWN_STREAM <= group.stream < len(table.streams):
            raise InputError(f"table: model {model.name!r}: a group names stream {group.stream}, which is not there")
        at = group.last + 1
    if at != len(model.kernels):
        raise InputError(f"table: model {model.name!r}: groups cover {at} of {len(model.kernels)} kernels")
