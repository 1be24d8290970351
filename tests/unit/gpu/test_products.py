"""The product table: complete, sourced, found by what sysfs says."""

import pytest

from eclip.errors import InputError
from eclip.gpu import atoms, products

CHIPS = ["MI50", "MI100", "MI210", "MI250X", "MI300X", "MI300X-SPX", "MI300X-CPX", "MI325X", "MI355X", "RX7900XTX"]


@pytest.mark.parametrize("name", products.PRODUCTS)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    row = products.PRODUCTS[name]
    plain = {"name", "gfx", "device_ids", "aliases", "preset", "origins"}
    optional = {"masked_streams", "one_process", "shared_memory"}
    numbers = set(row.__dataclass_fields__) - plain
    assert numbers - optional <= set(row.origins) <= numbers
    assert all(origin.kind in ("source", "assumption") and len(origin.text) > 10 for origin in row.origins.values())


@pytest.mark.parametrize("name", products.PRODUCTS)
def test_every_number_is_plausible(name: str) -> None:
    row = products.PRODUCTS[name]
    assert row.atom in ("se", "xcc", "wgp")
    assert 8 <= row.queue_slots <= 128
    assert 1 <= row.processes <= 16
    assert 0 < row.mask_ioctl_median_micros <= row.mask_ioctl_worst_micros
    assert 0 <= row.stream_micros < row.quantum_micros
    assert 0 < row.cu_bytes_per_micro < row.bytes_per_micro < row.cu_bytes_per_micro * row.shape.compute_units
    assert 0 < row.cu_watts * row.shape.compute_units + row.idle_watts < 1500


def test_the_paper_preset_differs_from_its_chip_only_in_the_budget() -> None:
    chip, paper = products.product("MI50"), products.product("mi50-paper")
    assert (chip.queue_slots, chip.masked_streams, chip.processes) == (24, None, 8)
    assert (paper.queue_slots, paper.masked_streams, paper.one_process) == (8, 7, True)
    assert (paper.shape, paper.bytes_per_micro, paper.hop_micros) == (chip.shape, chip.bytes_per_micro, chip.hop_micros)
    assert products.gpu_for("mi50-paper").product == "mi50-paper"


@pytest.mark.parametrize("name", CHIPS)
def test_a_named_product_has_a_topology_without_any_sysfs(name: str) -> None:
    gpu, row = products.gpu_for(name), products.product(name)
    assert (gpu.product, gpu.gfx) == (row.name, row.gfx)
    assert gpu.compute_units == row.shape.compute_units
    assert (gpu.xccs, gpu.shader_engines) == (row.shape.xccs, row.shape.engines)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("MI50", (15, 30, 45, 60)),
        ("MI100", (30, 60, 90, 120)),
        ("MI210", (26, 52, 78, 104)),
        ("MI250X", (28, 55, 83, 110)),
        ("MI300X-CPX", (10, 19, 29, 38)),
        ("MI300X-SPX", (64, 160, 224, 304)),
        ("MI355X", (64, 128, 192, 256)),
        ("RX7900XTX", (24, 48, 72, 96)),
    ],
)
def test_default_sizes_are_quarters_as_near_as_whole_engines_allow(name: str, sizes: tuple[int, ...]) -> None:
    assert products.product(name).default_sizes(products.gpu_for(name)) == sizes


@pytest.mark.parametrize("name", products.PRODUCTS)
def test_atoms_are_the_whole_gpu_and_share_no_cu(name: str) -> None:
    gpu = products.gpu_for(name)
    units = atoms.atoms(gpu, products.product(name).atom)
    assert sum(units) == (1 << gpu.compute_units) - 1
    assert sum(unit.bit_count() for unit in units) == gpu.compute_units


@pytest.mark.parametrize(
    ("gfx", "device", "compute_units", "xccs", "name"),
    [
        ("gfx906", 0x66A1, 60, 1, "MI50"),
        ("gfx906", 0x66A1, 64, 1, "MI60"),
        ("gfx90a", 0x740F, 104, 1, "MI210"),
        ("gfx90a", 0x740C, 104, 1, "MI250"),
        ("gfx942", 0x74A1, 304, 8, "MI300X-SPX"),
        ("gfx942", 0x74A5, 304, 8, "MI325X-SPX"),
        ("gfx942", 0x74A1, 38, 1, "MI300X-CPX"),
        ("gfx942", 0x74A5, 38, 1, "MI325X-CPX"),
        ("gfx942", 0x74A1, 152, 4, "MI300X-DPX"),
        ("gfx942", 0xFFFF, 304, 8, "MI300X-SPX"),
        ("gfx950", 0x75A3, 256, 8, "MI355X-SPX"),
    ],
)
def test_a_product_is_found_from_what_sysfs_says(
    gfx: str, device: int, compute_units: int, xccs: int, name: str
) -> None:
    found = products.identify(gfx, device, compute_units, xccs)
    assert found is not None
    assert found.name == name


def test_an_unknown_chip_is_not_guessed() -> None:
    assert products.identify("gfx90c", 0x1638, 7, 1) is None


@pytest.mark.parametrize(
    ("name", "row"), [("mi300x", "MI300X-SPX"), ("rx 7900 xtx", "RX7900XTX"), ("MI50-PAPER", "mi50-paper")]
)
def test_names_are_read_in_any_case_and_by_alias(name: str, row: str) -> None:
    assert products.product(name).name == row


def test_an_unknown_name_is_refused_with_the_closest_ones() -> None:
    with pytest.raises(InputError, match=r"'MI55' is not in the product table; known are .*MI50"):
        products.product("MI55")
    with pytest.raises(InputError, match="known are MI50, "):
        products.gpu_for("zzzzzz")


ROW = "A: {gfx: gfx906, queue_slots: {value: 24, source: a document}}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A: {queue_slots: {value: 24}}", "A.queue_slots needs a source or an assumption"),
        ("A: {queue_slots: {value: 24, source: s, assumption: a}}", "A.queue_slots needs"),
        ("A: {queue_slots: 24}", "A.queue_slots needs"),
        ("A: {queue_slots: {source: a document}}", "A.queue_slots has no value"),
        ("A: {queues: {value: 24, source: s}}", "A.queues is no field"),
        ("A: {inherits: B}", "row A inherits 'B', which is no row"),
        ("A: {inherits: B}\nB: {inherits: A}", "leads back to it"),
        (ROW, "row A: .*processes"),
        ("[1, 2]", "expected rows by name"),
    ],
)
def test_a_table_with_a_mistake_is_refused_by_row_and_field(text: str, why: str) -> None:
    with pytest.raises(InputError, match=f"t.yaml: .*{why}"):
        products.parse(text, "t.yaml")
