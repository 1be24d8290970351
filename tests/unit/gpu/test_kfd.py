"""The topology tree of the kernel driver: what is read from it, and what is said when it is damaged."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eclip.errors import InputError
from eclip.gpu import kfd

TREES = Path(__file__).parents[2] / "data" / "kfd"
EVEN = ((10,), (10,), (9,), (9,))


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    def copy(machine: str) -> Path:
        return Path(shutil.copytree(TREES / machine, tmp_path / machine))

    return copy


def change(file: Path, name: str, value: str | None) -> None:
    lines = file.read_text().splitlines()
    assert any(line.startswith(f"{name} ") for line in lines)
    kept = [line for line in lines if not line.startswith(f"{name} ")]
    file.write_text("\n".join(kept if value is None else [*kept, f"{name} {value}"]) + "\n")


@pytest.mark.parametrize(
    ("machine", "products", "active"),
    [
        ("MI50", ["MI50"], (((15,),) * 4,)),
        ("MI100", ["MI100"], (((15,),) * 8,)),
        ("MI210", ["MI210"], (((13,),) * 8,)),
        ("MI250X", ["MI250X"] * 2, (((14,), (13,), (14,), (14,), (14,), (13,), (14,), (14,)),)),
        ("MI300X-CPX", ["MI300X-CPX"] * 8, (EVEN,)),
        ("MI325X", ["MI325X-SPX"], (EVEN,) * 8),
        ("MI355X", ["MI355X-SPX"], (((8,),) * 4,) * 8),
        ("RX7900XTX", ["RX7900XTX"], (((8, 8),) * 6,)),
        ("MI300A", ["MI300A"] * 2, (EVEN,) * 6),
    ],
)
def test_the_shape_of_every_machine_is_read(machine: str, products: list[str], active: object) -> None:
    gpus = kfd.read_gpus(TREES / machine)
    assert [gpu.product for gpu in gpus] == products
    assert all(gpu.active == active for gpu in gpus)


def test_harvested_cus_are_found_wherever_they_are() -> None:
    """XCC by XCC as the tree was written: places are lost at the end, in the middle and at the start of arrays."""
    gpu = kfd.read_gpus(TREES / "MI300X-SPX")[0]
    assert gpu.active[:4] == (
        ((10,), (10,), (9,), (9,)),
        ((10,), (9,), (10,), (9,)),
        ((9,), (10,), (10,), (9,)),
        ((10,), (10,), (10,), (8,)),
    )
    assert (gpu.compute_units, gpu.xccs, gpu.shader_engines) == (304, 8, 4)


def test_what_else_a_node_says_is_read() -> None:
    mi50 = kfd.read_gpus(TREES / "MI50")[0]
    assert (mi50.node, mi50.gfx, mi50.render_minor, mi50.numa_node) == (1, "gfx906", 128, 0)
    assert (mi50.unique_id, mi50.vram_bytes, mi50.shared_memory) == (0x21728A140DB50A3F, 16 << 30, False)
    second = kfd.read_gpus(TREES / "MI250X")[1]
    assert (second.node, second.gfx, second.render_minor, second.numa_node) == (3, "gfx90a", 136, 1)


def test_an_apu_shares_its_memory() -> None:
    gpu = kfd.read_gpus(TREES / "MI300A")[0]
    assert (gpu.shared_memory, gpu.vram_bytes) == (True, 128 << 30)


def test_a_gpu_without_a_bank_of_its_own_may_use_half_of_the_systems(tree: Callable[[str], Path]) -> None:
    root = tree("MI50")
    shutil.rmtree(root / "nodes/1/mem_banks")
    gpu = kfd.read_gpus(root)[0]
    assert (gpu.shared_memory, gpu.vram_bytes) == (True, 256 << 30)


def test_a_gpu_in_the_node_of_the_cpu_shares_its_memory(tree: Callable[[str], Path]) -> None:
    root = tree("MI50")
    change(root / "nodes/1/properties", "cpu_cores_count", "8")
    gpu = kfd.read_gpus(root)[0]
    assert (gpu.shared_memory, gpu.numa_node) == (True, 1)


def test_without_caches_active_cus_are_spread(tree: Callable[[str], Path]) -> None:
    root = tree("MI300X-SPX")
    shutil.rmtree(root / "nodes/1/caches")
    assert kfd.read_gpus(root)[0].active == (EVEN,) * 8


def test_a_whole_sys_is_taken_as_well(tmp_path: Path) -> None:
    (tmp_path / "class/kfd/kfd").mkdir(parents=True)
    (tmp_path / "class/kfd/kfd/topology").symlink_to(TREES / "MI50")
    assert [gpu.product for gpu in kfd.read_gpus(tmp_path)] == ["MI50"]


def test_nodes_are_read_in_the_order_of_their_numbers(tree: Callable[[str], Path]) -> None:
    root = tree("MI300X-CPX")
    (root / "nodes/8").rename(root / "nodes/10")
    assert [gpu.node for gpu in kfd.read_gpus(root)] == [1, 2, 3, 4, 5, 6, 7, 10]


def test_a_node_that_is_hidden_from_us_is_left_out(
    tree: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container the device cgroup lets only the granted GPUs be read."""
    root = tree("MI250X")
    honest = Path.read_text

    def guarded(path: Path, encoding: str | None = None) -> str:
        if path == root / "nodes/2/properties":
            raise PermissionError(1, "Operation not permitted")
        return honest(path, encoding=encoding)

    monkeypatch.setattr(Path, "read_text", guarded)
    assert [gpu.node for gpu in kfd.read_gpus(root)] == [3]


def test_an_unknown_gpu_is_named_by_what_it_is_and_harms_no_other(tree: Callable[[str], Path]) -> None:
    root = tree("MI250X")
    change(root / "nodes/2/properties", "gfx_target_version", "90012")
    assert [gpu.product for gpu in kfd.read_gpus(root)] == ["gfx90c with 110 CUs", "MI250X"]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("simd_per_cu", None, "`simd_per_cu` is missing; expected a number from 1 to 16"),
        ("simd_per_cu", "0", "`simd_per_cu` is '0'; expected a number from 1 to 16"),
        ("simd_count", "241", "`simd_count` is 241; expected whole CUs"),
        ("simd_count", "-4", "`simd_count` is '-4'; expected a number"),
        ("simd_count", "260", "`simd_count` is 260; expected whole CUs, .* at most 64"),
        ("simd_count", "240 bytes", "`simd_count` is '240 bytes'; expected a number"),
        ("array_count", "0", "`array_count` is '0'"),
        ("num_xcc", "3", "`array_count` is 4; expected a multiple of 3 XCCs x 1 arrays"),
        ("gfx_target_version", "0", "`gfx_target_version` is '0'"),
        ("gfx_target_version", "99999", "`gfx_target_version` is 99999; expected major, minor and stepping"),
        ("drm_render_minor", "x", "`drm_render_minor` is 'x'"),
        ("device_id", "99999999", "`device_id` is '99999999'; expected a number from 0 to 65535"),
        ("unique_id", "0x12", "`unique_id` is '0x12'"),
    ],
)
def test_a_damaged_property_is_named_with_its_file(
    tree: Callable[[str], Path], name: str, value: str | None, why: str
) -> None:
    root = tree("MI50")
    change(root / "nodes/1/properties", name, value)
    with pytest.raises(InputError, match=f"nodes/1/properties: {why}"):
        kfd.read_gpus(root)


@pytest.mark.parametrize(
    ("file", "name", "value", "why"),
    [
        (
            "caches/3/properties",
            "processor_id_low",
            "1",
            "`processor_id_low` is '1'; expected a number from 2147487744",
        ),
        ("caches/3/properties", "processor_id_low", "2147489000", "to 2147487807"),
        ("caches/3/properties", "sibling_map", "1,2", "`sibling_map` is '1,2'; expected 0s and 1s"),
        ("caches/3/properties", "sibling_map", None, "`sibling_map` is None"),
        ("caches/3/properties", "level", "one", "`level` is 'one'"),
        ("mem_banks/0/properties", "size_in_bytes", "lots", "`size_in_bytes` is 'lots'"),
        ("mem_banks/0/properties", "heap_type", None, "`heap_type` is missing"),
        ("io_links/0/properties", "node_to", "", "line 'node_to ' has no value"),
    ],
)
def test_a_damaged_file_below_a_node_is_named(
    tree: Callable[[str], Path], file: str, name: str, value: str | None, why: str
) -> None:
    root = tree("MI50")
    change(root / "nodes/1" / file, name, value)
    with pytest.raises(InputError, match=f"nodes/1/{file}: .*{why}"):
        kfd.read_gpus(root)


@settings(max_examples=50)
@given(data=st.data())
def test_no_damage_ends_in_anything_but_a_clear_error(data: st.DataObject) -> None:
    files = sorted(path.relative_to(TREES / "MI50") for path in (TREES / "MI50").rglob("properties"))
    damaged = data.draw(st.sampled_from(files))
    lines = (TREES / "MI50" / damaged).read_text().splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    name = lines[index].partition(" ")[0]
    lines[index] = data.draw(
        st.one_of(
            st.just(""),
            st.text(max_size=20),
            st.integers(-1, 2**70).map(lambda value: f"{name} {value}"),
            st.just(f"{name} {'9' * 5000}"),
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(shutil.copytree(TREES / "MI50", Path(folder) / "tree"))
        (root / damaged).write_text("\n".join(lines))
        try:
            gpus = kfd.read_gpus(root)
        except InputError as error:
            assert str(root / "nodes") in str(error)
        else:
            assert all(gpu.compute_units > 0 for gpu in gpus)


def test_caches_and_properties_that_disagree_are_refused(tree: Callable[[str], Path]) -> None:
    root = tree("MI50")
    shutil.rmtree(root / "nodes/1/caches/0")
    with pytest.raises(InputError, match=r"nodes/1/caches: .* belong to 57 CUs; expected the 60"):
        kfd.read_gpus(root)


def test_missing_and_unreadable_files_are_named(tree: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/nodes: no such folder; .* amdgpu driver"):
        kfd.read_gpus(tmp_path / "nowhere")
    root = tree("MI50")
    (root / "nodes/1/properties").write_bytes(b"simd_count \xff\n")
    with pytest.raises(InputError, match="nodes/1/properties: not readable"):
        kfd.read_gpus(root)
    (root / "nodes/1/properties").unlink()
    with pytest.raises(InputError, match="nodes/1/properties: not readable"):
        kfd.read_gpus(root)


def test_a_machine_without_gpus_has_none(tree: Callable[[str], Path]) -> None:
    root = tree("MI50")
    shutil.rmtree(root / "nodes/1")
    assert kfd.read_gpus(root) == ()


def test_the_committed_trees_are_what_the_generator_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, TREES / "generate.py", tmp_path], check=True)
    written = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    committed = {
        path.relative_to(TREES): path.read_text()
        for path in TREES.glob("*/**/*")
        if path.is_file() and "nodes" in path.parts
    }
    assert committed == written
