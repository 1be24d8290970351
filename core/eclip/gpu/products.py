"""The product table: what sysfs does not say about a GPU (`products.yaml`), each number with where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml

from eclip.errors import InputError
from eclip.gpu import atoms
from eclip.gpu.topology import Gpu, gfx_version, spread


@dataclass(frozen=True, slots=True)
class Shape:
    """How many of what; sysfs replaces the counts of a GPU that is really there."""

    xccs: int
    engines: int
    """Per XCC."""
    arrays: int
    """Shader arrays per engine."""
    compute_units: int
    """Of the whole device."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a number of the table comes from."""

    kind: str
    """``source``: measured or documented by somebody. ``assumption``: reasoned, not measured."""
    text: str


@dataclass(frozen=True, slots=True)
class Product:
    """One row of the table, inheritance resolved. Times in microseconds, traffic in bytes per microsecond."""

    name: str
    gfx: str
    device_ids: frozenset[int]
    shape: Shape
    atom: atoms.Kind
    """What a layout hands out; see `atoms`."""
    queue_slots: int
    """Compute queues with unfinished packets that the hardware holds at one time, over all processes."""
    processes: int
    """VMIDs: processes that the hardware holds at one time."""
    size_steps: int
    """Into how many steps the default sizes cut the GPU."""
    vram_bytes: int
    hop_micros: float
    """Going from one masked stream to another."""
    stream_micros: float
    """Added to every dispatch by each further queue in use on the chip, beyond one a worker."""
    launch_micros: float
    """Front end, per dispatch packet on an otherwise idle chip."""
    barrier_micros: float
    """Front end, per barrier packet."""
    mask_ioctl_median_micros: float
    """Changing the mask of a queue that exists; stalls the chip's other queues too."""
    mask_ioctl_worst_micros: float
    quantum_micros: float
    """Time slice of the run list once more queues are busy than there are slots."""
    bytes_per_micro: float
    """Memory bandwidth of the device."""
    cu_bytes_per_micro: float
    """What one CU can draw at most."""
    idle_watts: float
    cu_watts: float
    """Per busy CU."""
    byte_microjoules: float
    masked_streams: int | None = None
    """Cap on masked streams over all workers; None: the queue slots alone decide."""
    one_process: bool = False
    """The workers are threads of one process and share its default stream."""
    shared_memory: bool = False
    preset: bool = False
    aliases: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, hash=False)
    """By field name."""

    def default_sizes(self, gpu: Gpu) -> tuple[int, ...]:
        """CU counts in even steps, ascending, the whole GPU last; see `atoms.default_sizes`."""
        return atoms.default_sizes(gpu, self.atom, self.size_steps)


_PLAIN = frozenset({"inherits", "abstract", "preset", "aliases", "gfx", "device_ids"})
_NUMBERS = frozenset(f.name for f in fields(Product)) - _PLAIN - {"name", "origins", "shape"}


def parse(text: str, where: str) -> Mapping[str, Product]:
    """The rows of a product table by name, abstract ones left out. InputError names the row and the field."""
    # The fast one where there is one: every program of ours reads the table as it starts.
    rows: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise InputError(f"{where}: expected rows by name, each with its fields")
    resolved = {name: _inherit(rows, name, where, ()) for name in rows}
    return MappingProxyType(
        {name: _product(name, resolved[name], where) for name in rows if not rows[name].get("abstract")}
    )


def _inherit(rows: Mapping[str, Mapping[str, Any]], name: str, where: str, path: tuple[str, ...]) -> dict[str, Any]:
    if name not in rows or name in path:
        raise InputError(f"{where}: row {path[-1]} inherits {name!r}, which is no row or leads back to it")
    own = dict(rows[name])
    own.pop("abstract", None)
    parent = own.pop("inherits", None)
    if parent is None:
        return own
    above = _inherit(rows, parent, where, (*path, name))
    above.pop("preset", None)
    return {**above, "aliases": [], **own}


def _product(name: str, row: Mapping[str, Any], where: str) -> Product:
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for key, entry in row.items():
        if key in _NUMBERS or key == "shape":
            origins[key] = _origin(entry, f"{where}: {name}.{key}")
            values[key] = Shape(**_without_origin(entry)) if key == "shape" else _value(entry, f"{where}: {name}.{key}")
        elif key in _PLAIN:
            values[key] = entry
        else:
            raise InputError(f"{where}: {name}.{key} is no field of a product")
    values["device_ids"] = frozenset(values.get("device_ids", ()))
    values["aliases"] = tuple(values.get("aliases", ()))
    try:
        return Product(name=name, origins=MappingProxyType(origins), **values)
    except TypeError as error:
        raise InputError(f"{where}: row {name}: {str(error).partition(') ')[2] or error}") from error


def _value(entry: Mapping[str, Any], what: str) -> Any:
    if "value" not in entry:
        raise InputError(f"{what} has no value")
    return entry["value"]


def _origin(entry: Any, what: str) -> Origin:
    kinds = isinstance(entry, dict) and [kind for kind in ("source", "assumption") if str(entry.get(kind, "")).strip()]
    if not kinds or len(kinds) != 1:
        raise InputError(f"{what} needs a source or an assumption with its reasoning, one of both")
    return Origin(kinds[0], str(entry[kinds[0]]))


def _without_origin(entry: Mapping[str, Any]) -> dict[str, int]:
    return {key: value for key, value in entry.items() if key not in ("source", "assumption")}


PRODUCTS: Mapping[str, Product] = parse(
    resources.files("eclip.gpu").joinpath("products.yaml").read_text(encoding="utf-8"), "products.yaml"
)

_NAMES: Mapping[str, str] = {
    alias.casefold(): row.name for row in PRODUCTS.values() for alias in (row.name, *row.aliases)
}


def product(name: str) -> Product:
    """The row of a product, by its name or an alias in any case. InputError names the closest ones."""
    found = _NAMES.get(name.casefold())
    if found is None:
        near = [_NAMES[close] for close in get_close_matches(name.casefold(), _NAMES, n=3)]
        raise InputError(f"GPU product {name!r} is not in the product table; known are {', '.join(near or PRODUCTS)}")
    return PRODUCTS[found]


def identify(gfx: str, device_id: int, compute_units: int, xccs: int) -> Product | None:
    """The row of a GPU found in sysfs: by target, CU count and XCC count, then by PCI device id.

    An unknown id of a known shape (a virtual function, a new board) takes the first row of that shape. None: unknown.
    """
    fitting = [
        row
        for row in PRODUCTS.values()
        if not row.preset and (row.gfx, row.shape.compute_units, row.shape.xccs) == (gfx, compute_units, xccs)
    ]
    return next((row for row in fitting if device_id in row.device_ids), fitting[0] if fitting else None)


def gpu_for(name: str) -> Gpu:
    """The GPU of a named product, as ``--gpu MI50`` means it: no sysfs, harvested CUs spread evenly."""
    row = product(name)
    shape = row.shape
    pair = gfx_version(row.gfx)[0] >= 10
    return Gpu(
        node=1,
        product=row.name,
        gfx=row.gfx,
        active=spread(shape.compute_units, shape.xccs, shape.engines, shape.arrays, pair=pair),
        unique_id=0,
        render_minor=128,
        numa_node=0,
        vram_bytes=row.vram_bytes,
        shared_memory=row.shared_memory,
    )
