"""Reads the kernel driver's topology tree: /sys/class/kfd/kfd/topology, or a copy of it. Opens no device.

Counts of CUs per shader array come from the level-1 cache entries, since nothing else in the tree tells harvested CUs:
an entry's processor_id_low is simd_id_base plus the physical position of the first active CU behind the cache, counted
over XCC, SE, SA and CU with cu_per_simd_array places in every array, and bit i of sibling_map says that the CU i places
on is active too (Linux kfd_topology.c, fill_in_l1_pcache). Without such entries active CUs are taken as evenly spread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eclip.errors import InputError
from eclip.gpu import products
from eclip.gpu.topology import Gpu, spread

TOPOLOGY = Path("/sys/class/kfd/kfd/topology")
LOCAL_HEAPS = (1, 2)
"""Heap types of a GPU's own memory: visible to the host, and not (kfd_crat.h, HSA_MEM_HEAP_TYPE_FB_*)."""
SYSTEM_HEAP = 0
MOST_DIGITS = 20
"""Of a 64-bit number."""
GPU_CACHE = 8
"""Bit in a cache's type: it belongs to a CU (HSA_CACHE_TYPE_HSACU)."""


@dataclass(frozen=True, slots=True)
class _Table:
    """A file of `name value` lines."""

    path: Path
    values: Mapping[str, str]

    def number(self, name: str, low: int = 0, high: int = 2**64 - 1, default: int | None = None) -> int:
        text = self.values.get(name)
        if text is None:
            if default is None:
                raise InputError(f"{self.path}: `{name}` is missing; expected a number from {low} to {high}")
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and low <= int(text) <= high):
            raise InputError(f"{self.path}: `{name}` is {text!r}; expected a number from {low} to {high}")
        return int(text)


@dataclass(frozen=True, slots=True)
class _Node:
    number: int
    folder: Path
    properties: _Table

    @property
    def cpu_cores(self) -> int:
        return self.properties.number("cpu_cores_count", high=2**20, default=0)

    @property
    def simds(self) -> int:
        return self.properties.number("simd_count", high=2**16, default=0)


def read_gpus(root: Path = TOPOLOGY) -> tuple[Gpu, ...]:
    """The GPUs of a topology tree, in the driver's order. `root` holds `nodes`, or is a whole /sys.

    A node that the device cgroup hides from us is left out, as ROCm leaves it out. A GPU that the product table does
    not know gets its target and CU count for a name, which `products.product` refuses. Raises InputError, naming the
    file, if the tree is damaged.
    """
    nodes = list(_nodes(root))
    hosts = {node.number: index for index, node in enumerate(node for node in nodes if node.cpu_cores)}
    system = {node.number: _bank_bytes(node, (SYSTEM_HEAP,)) for node in nodes if node.cpu_cores}
    return tuple(_gpu(node, hosts, system) for node in nodes if node.simds)


def hidden_nodes(root: Path = TOPOLOGY) -> tuple[int, ...]:
    """Numbers of the nodes that the device cgroup hides from us."""
    return tuple(int(node.name) for node in _numbered(_folder(root)) if _read(node / "properties", True) is None)


def _folder(root: Path) -> Path:
    for top in (root, root / "class/kfd/kfd/topology"):
        if (top / "nodes").is_dir():
            return top / "nodes"
    raise InputError(f"{root / 'nodes'}: no such folder; expected a KFD topology tree (is the amdgpu driver loaded?)")


def _nodes(root: Path) -> Iterator[_Node]:
    for node in _numbered(_folder(root)):
        properties = _read(node / "properties", hidden_ok=True)
        if properties is not None:
            yield _Node(int(node.name), node, properties)


def _numbered(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted((entry for entry in folder.iterdir() if entry.name.isdigit()), key=lambda entry: int(entry.name))


def _read(path: Path, hidden_ok: bool = False) -> _Table | None:
    try:
        text = path.read_text(encoding="ascii")
    except PermissionError as error:
        if hidden_ok:
            return None
        raise InputError(f"{path}: not readable ({error.strerror})") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable ({error}); expected lines of `name value`") from error
    values = {}
    for line in filter(str.strip, text.splitlines()):
        name, _, value = line.strip().partition(" ")
        if not value:
            raise InputError(f"{path}: line {line!r} has no value; expected `name value`")
        values[name] = value.strip()
    return _Table(path, values)


def _table(path: Path) -> _Table:
    table = _read(path)
    assert table is not None
    return table


def _tables(folder: Path) -> Iterator[_Table]:
    return (_table(entry / "properties") for entry in _numbered(folder))


def _bank_bytes(node: _Node, heaps: tuple[int, ...]) -> int:
    banks = _tables(node.folder / "mem_banks")
    return sum(bank.number("size_in_bytes") for bank in banks if bank.number("heap_type", high=255) in heaps)


def _gpu(node: _Node, hosts: Mapping[int, int], system: Mapping[int, int]) -> Gpu:
    properties = node.properties
    gfx = _gfx(properties)
    active = _active(node)
    compute_units = sum(cus for xcc in active for se in xcc for cus in se)
    device = properties.number("device_id", high=0xFFFF)
    row = products.identify(gfx, device, compute_units, len(active))
    host = _host(node, hosts)
    local = _bank_bytes(node, LOCAL_HEAPS)
    return Gpu(
        node=node.number,
        product=row.name if row else f"{gfx} with {compute_units} CUs",
        gfx=gfx,
        active=active,
        unique_id=properties.number("unique_id", default=0),
        render_minor=properties.number("drm_render_minor", high=2**20 - 1),
        numa_node=None if host is None else hosts[host],
        # Without memory of its own a GPU may map half of the system's (the kernel's ttm.pages_limit).
        vram_bytes=local or (0 if host is None else system[host] // 2),
        shared_memory=bool(node.cpu_cores or not local or (row and row.shared_memory)),
    )


def _gfx(properties: _Table) -> str:
    version = properties.number("gfx_target_version", low=70000, high=999999)
    major, minor, stepping = version // 10000, version // 100 % 100, version % 100
    if minor > 15 or stepping > 15:
        raise InputError(
            f"{properties.path}: `gfx_target_version` is {version}; expected major, minor and stepping as in 90402"
        )
    return f"gfx{major}{minor:x}{stepping:x}"


def _host(node: _Node, hosts: Mapping[int, int]) -> int | None:
    """The CPU node nearest to a GPU. The driver numbers CPU nodes in the order of NUMA nodes."""
    if node.number in hosts:
        return node.number
    links = [
        (link.number("weight", default=0), link.number("node_to", high=2**16))
        for link in _tables(node.folder / "io_links")
    ]
    return min(((weight, to) for weight, to in links if to in hosts), default=(0, None))[1]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Places for CUs: how the chip was made, before harvesting."""

    xccs: int
    engines: int
    arrays: int
    places: int

    def empty(self) -> list[list[list[int]]]:
        return [[[0] * self.arrays for _ in range(self.engines)] for _ in range(self.xccs)]


def _active(node: _Node) -> tuple[tuple[tuple[int, ...], ...], ...]:
    properties = node.properties
    xccs = properties.number("num_xcc", low=1, high=64, default=1)
    arrays = properties.number("simd_arrays_per_engine", low=1, high=16)
    all_arrays = properties.number("array_count", low=1, high=4096)
    places = properties.number("cu_per_simd_array", low=1, high=64)
    compute_units, odd = divmod(node.simds, properties.number("simd_per_cu", low=1, high=16))
    if all_arrays % (xccs * arrays):
        raise InputError(
            f"{properties.path}: `array_count` is {all_arrays}; expected a multiple of {xccs} XCCs x {arrays} arrays"
        )
    grid = _Grid(xccs, all_arrays // xccs // arrays, arrays, places)
    if odd or compute_units % xccs or not 0 < compute_units <= all_arrays * places:
        raise InputError(
            f"{properties.path}: `simd_count` is {node.simds}; expected whole CUs, equally many on {xccs} XCCs, "
            f"at most {all_arrays * places} ({all_arrays} arrays of {places})"
        )
    harvested = compute_units < all_arrays * places
    counted = _from_caches(node, grid, compute_units) if harvested else None
    wgp = properties.number("gfx_target_version") >= 100000
    return counted or spread(compute_units, xccs, grid.engines, arrays, pair=wgp)


def _from_caches(node: _Node, grid: _Grid, compute_units: int) -> tuple[tuple[tuple[int, ...], ...], ...] | None:
    """Active CUs by array, from the caches that belong to CUs; None if the tree has none of those."""
    base = node.properties.number("simd_id_base", high=2**32 - 1, default=0)
    total = grid.xccs * grid.engines * grid.arrays * grid.places
    positions: set[int] = set()
    for cache in _tables(node.folder / "caches"):
        if cache.number("level", high=255) == 1 and cache.number("type", high=2**16) & GPU_CACHE:
            first = cache.number("processor_id_low", low=base, high=base + total - 1) - base
            positions |= {first + step for step in _siblings(cache)}
    if not positions:
        return None
    if len(positions) != compute_units or max(positions) >= total:
        raise InputError(
            f"{node.folder / 'caches'}: level-1 caches belong to {len(positions)} CUs; "
            f"expected the {compute_units} that {node.properties.path.name} counts"
        )
    counts = grid.empty()
    for position in positions:
        array, engine = position // grid.places % grid.arrays, position // (grid.places * grid.arrays) % grid.engines
        counts[position // (grid.places * grid.arrays * grid.engines)][engine][array] += 1
    return tuple(tuple(tuple(engine) for engine in xcc) for xcc in counts)


def _siblings(cache: _Table) -> list[int]:
    digits = cache.values.get("sibling_map", "").split(",")
    if not set(digits) <= {"0", "1"}:
        raise InputError(
            f"{cache.path}: `sibling_map` is {cache.values.get('sibling_map')!r}; expected 0s and 1s: 1,1,0"
        )
    return [step for step, digit in enumerate(digits[:32]) if digit == "1"]
