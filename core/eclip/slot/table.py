"""The lookup table of one slot: the plan of its models, as bytes that the interposer reads (FlatBuffers). Pure.

`encode` never makes a table that `decode` refuses.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers

from eclip.documents.profile import STREAM_KINDS, KernelProfile
from eclip.errors import InputError
from eclip.gpu import masks
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet, MixPlan, Plan, Stream, WorkerPlan
from eclip.slot.lookup import OWN_STREAM, Kernel, Model, Profiling, StreamGroup, Table, Variant, check, released
from eclip.slot.wire import table_generated as wire

__all__ = [
    "OWN_STREAM",
    "Kernel",
    "Model",
    "Profiling",
    "StreamGroup",
    "Table",
    "Variant",
    "build",
    "decode",
    "encode",
    "encode_profiling",
    "pack",
    "released",
]

FORMAT = 1
IDENTIFIER = b"ECLT"
GROUP = struct.Struct("<IIi")
"""First and last kernel, and the stream."""


def encode(gpu: Gpu, slot_models: Mapping[str, KernelProfile], mix_plan: MixPlan) -> bytes:
    """The table of a slot.

    Args:
        slot_models: the models of this slot's program: worker name in the mix -> its profile.
        mix_plan: the plan of all workers on the GPU, of this slot and of others.

    Raises:
        InputError: the models and the plan do not belong together.
    """
    return pack(build(gpu, slot_models, mix_plan))


def encode_profiling(gpu: Gpu, streams: Sequence[Stream], profiling: Profiling) -> bytes:
    """The table of a slot in profile mode: the masked streams on which kernels are timed, smallest first."""
    return pack(Table(gpu.product, gpu.compute_units, tuple(streams), (), (), profiling))


def build(gpu: Gpu, slot_models: Mapping[str, KernelProfile], mix_plan: MixPlan) -> Table:
    """The table of a slot, not yet encoded. Arguments and errors as of `encode`."""
    unknown = [name for name in slot_models if name not in mix_plan.workers]
    if unknown:
        raise InputError(f"worker {unknown[0]!r} is not in the plan; its workers are {', '.join(mix_plan.workers)}")
    full = frozenset(mix_plan.workers)
    others = sorted((key for key in mix_plan.variants if key != full), key=lambda key: _bits(key, mix_plan))
    streams: dict[CuSet, int] = {}
    variants = tuple(
        Variant(_bits(key, mix_plan), tuple(_choice(name, key, mix_plan, gpu, streams) for name in slot_models))
        for key in (full, *others)
    )
    return Table(
        product=gpu.product,
        compute_units=gpu.compute_units,
        streams=tuple(Stream(cu_set.bit_count(), cu_set) for cu_set in streams),
        models=tuple(_model(name, profile, mix_plan) for name, profile in slot_models.items()),
        variants=variants,
    )


def _bits(names: frozenset[str], mix_plan: MixPlan) -> int:
    return sum(1 << bit for bit, name in enumerate(mix_plan.workers) if name in names)


def _choice(
    name: str, active: frozenset[str], mix_plan: MixPlan, gpu: Gpu, streams: dict[CuSet, int]
) -> tuple[StreamGroup, ...]:
    # A worker that wakes up before the active set says so keeps to its part of the full plan.
    worker = _worker(mix_plan.variants[active], name) or _worker(mix_plan.full, name)
    if worker is None:
        raise InputError(f"worker {name!r} has no part in the plan for all workers")
    cu_sets = {stream.compute_units: stream.cu_set for stream in worker.streams}
    own = masks.within(gpu, worker.ceiling).bit_count()
    groups = []
    for group in worker.groups:
        index = OWN_STREAM
        if group.compute_units != own:
            if group.compute_units not in cu_sets:
                raise InputError(
                    f"worker {name!r} has no stream of {group.compute_units} CUs, but a group that needs it"
                )
            index = streams.setdefault(cu_sets[group.compute_units], len(streams))
        groups.append(StreamGroup(group.first, group.last, index))
    return tuple(groups)


def _worker(plan: Plan, name: str) -> WorkerPlan | None:
    return next((worker for worker in plan.workers if worker.name == name), None)


def _model(name: str, profile: KernelProfile, mix_plan: MixPlan) -> Model:
    symbols = {symbol: index for index, symbol in enumerate(profile.symbols)}
    return Model(
        name=name,
        symbols=tuple(symbols),
        streams=profile.streams,
        kernels=tuple(Kernel(symbols[call.symbol], call.grid, call.block, call.stream) for call in profile.kernels),
        worker=mix_plan.workers.index(name),
    )


def pack(table: Table) -> bytes:
    """The bytes of a table. Raises InputError if its parts do not fit together."""
    check(table)
    root = wire.LookupTableT()
    root.format = FORMAT
    root.product = table.product
    root.computeUnits = table.compute_units
    root.streams = [_pack_stream(stream, table.compute_units) for stream in table.streams]
    root.models = [_pack_model(model) for model in table.models]
    root.variants = [_pack_variant(variant) for variant in table.variants]
    if table.profiling:
        root.profiling = wire.ProfilingT()
        root.profiling.warmUpRequests = table.profiling.warm_up_requests
        root.profiling.repeats = table.profiling.repeats
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(root.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def _pack_stream(stream: Stream, compute_units: int) -> wire.MaskedStreamT:
    packed = wire.MaskedStreamT()
    packed.computeUnits = stream.compute_units
    words = (compute_units + 31) // 32
    packed.cus = [(stream.cu_set >> (32 * word)) & 0xFFFFFFFF for word in range(words)]
    return packed


def _pack_model(model: Model) -> wire.ModelT:
    packed = wire.ModelT()
    packed.name = model.name
    packed.symbols = list(model.symbols)
    packed.streams = [STREAM_KINDS.index(kind) for kind in model.streams]
    packed.kernels = [_pack_kernel(kernel) for kernel in model.kernels]
    packed.worker = model.worker
    return packed


def _pack_kernel(kernel: Kernel) -> wire.KernelT:
    packed = wire.KernelT()
    packed.symbol, packed.stream = kernel.symbol, kernel.stream
    packed.gridX, packed.gridY, packed.gridZ = kernel.grid
    packed.blockX, packed.blockY, packed.blockZ = kernel.block
    return packed


def _pack_variant(variant: Variant) -> wire.VariantT:
    packed = wire.VariantT()
    packed.active = variant.active
    packed.choices = []
    for groups in variant.choices:
        choice = wire.ChoiceT()
        choice.groups = [_PackedGroup(group) for group in groups]
        packed.choices.append(choice)
    return packed


@dataclass(frozen=True, slots=True)
class _PackedGroup:
    """Packs as `wire.GroupT` does, in one step instead of a dozen calls: a table is mostly groups."""

    group: StreamGroup

    def Pack(self, builder: Any) -> None:  # noqa: N802 - as the generated code calls it
        # Room and alignment of the whole vector are there already.
        builder.head -= GROUP.size
        GROUP.pack_into(builder.Bytes, builder.head, self.group.first, self.group.last, self.group.stream)


def decode(data: bytes) -> Table:
    """The table in `data`.

    Raises:
        InputError: the bytes are no table of our format, or its parts do not fit together.
    """
    if len(data) < 8 or data[4:8] != IDENTIFIER:
        raise InputError(f"table: no lookup table (bytes 4 to 8 are {data[4:8]!r}, {IDENTIFIER!r} was expected)")
    try:
        decoded = _unpack(data)
        # The FlatBuffers runtime cuts a string that would reach beyond the end, without a word.
        whole = decoded == _unpack(data + b"\xff" * 64)
    # What that runtime runs into when offsets lead nowhere.
    except (struct.error, TypeError, ValueError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise InputError("table: damaged: its parts point outside of it or are missing") from error
    if not whole:
        raise InputError("table: damaged: it ends too early")
    check(decoded)
    return decoded


def _unpack(data: bytes) -> Table:
    root = wire.LookupTableT.InitFromObj(wire.LookupTable.GetRootAs(data, 0))
    if root.format != FORMAT:
        raise InputError(f"table: format {root.format}; this version reads format {FORMAT}")
    profiling = root.profiling
    return Table(
        product=root.product.decode(),
        compute_units=root.computeUnits,
        streams=tuple(
            Stream(stream.computeUnits, sum(int(word) << (32 * i) for i, word in enumerate(_items(stream.cus))))
            for stream in _items(root.streams)
        ),
        models=tuple(_unpack_model(model) for model in _items(root.models)),
        variants=tuple(
            Variant(variant.active, tuple(_unpack_groups(choice) for choice in _items(variant.choices)))
            for variant in _items(root.variants)
        ),
        profiling=Profiling(profiling.warmUpRequests, profiling.repeats) if profiling else None,
    )


def _unpack_model(model: wire.ModelT) -> Model:
    return Model(
        name=model.name.decode(),
        symbols=tuple(symbol.decode() for symbol in _items(model.symbols)),
        streams=tuple(STREAM_KINDS[kind] for kind in _items(model.streams)),
        kernels=tuple(
            Kernel(
                call.symbol,
                (call.gridX, call.gridY, call.gridZ),
                (call.blockX, call.blockY, call.blockZ),
                call.stream,
            )
            for call in _items(model.kernels)
        ),
        worker=model.worker,
    )


def _unpack_groups(choice: wire.ChoiceT) -> tuple[StreamGroup, ...]:
    return tuple(StreamGroup(group.first, group.last, group.stream) for group in _items(choice.groups))


def _items(values: Any) -> Any:
    # The generated code gives None, or the number 0, for a vector that is not there.
    return () if values is None or isinstance(values, int) else values
