"""The folder that gives a cluster's node emulated GPUs."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from eclip.emulated.node_source import CONTAINER_CHIP, CONTAINER_LIB, NodeSource
from eclip.gpu import kfd


def source(root: Path, node: str = "node-a", count: int = 2, *, virtual_time: bool = False) -> NodeSource:
    made = NodeSource.of(root / node, "MI50", node=node, count=count, virtual_time=virtual_time)
    made.fill()
    return made


def test_gpus_of_two_nodes_have_different_ids_which_last(tmp_path: Path) -> None:
    ids = {
        name: [gpu.unique_id for gpu in kfd.read_gpus(source(tmp_path, name).sysfs)] for name in ("node-a", "node-b")
    }

    assert len({one for found in ids.values() for one in found}) == 4
    assert ids["node-a"] == [gpu.unique_id for gpu in source(tmp_path).gpu.gpus]


def test_the_class_folder_needs_nothing_outside_itself(tmp_path: Path) -> None:
    """It takes the place of /sys/class alone."""
    tree = source(tmp_path).sysfs
    (tree / "class").rename(tmp_path / "class")

    addresses = [(card / "device/uevent").read_text() for card in sorted((tmp_path / "class/drm").iterdir())]

    assert ["PCI_SLOT_NAME=0000:03:00.0" in addresses[0], "PCI_SLOT_NAME=0000:06:00.0" in addresses[1]] == [True, True]


def test_containers_find_their_files_where_allocate_yaml_mounts_them(tmp_path: Path) -> None:
    made = source(tmp_path)
    said = yaml.safe_load((made.folder / "allocate.yaml").read_text())
    mounts = {mount["containerPath"]: made.folder / mount["path"] for mount in said["mounts"]}

    def on_node(path: str) -> Path:
        (place,) = (place for place in mounts if path.startswith(f"{place}/"))
        return mounts[place] / path.removeprefix(f"{place}/")

    config = json.loads(on_node(said["env"]["ECLIP_EMULATOR"]).read_text())
    assert set(mounts) == {CONTAINER_LIB, CONTAINER_CHIP}
    assert (mounts[said["env"]["LD_LIBRARY_PATH"]] / "libhsakmt.so.1").exists()
    assert [on_node(gpu["chip"]) for gpu in config["gpus"]] == [made.gpu.chip_path(0), made.gpu.chip_path(1)]
    assert all(on_node(library).exists() for library in config["kernels"])


def test_in_virtual_time_the_runtime_loads_the_emulator_as_its_tool(tmp_path: Path) -> None:
    """That is how the chip knows who waits."""
    variables = {
        virtual: yaml.safe_load((source(tmp_path, virtual_time=virtual).folder / "allocate.yaml").read_text())["env"]
        for virtual in (False, True)
    }

    assert "HSA_TOOLS_LIB" not in variables[False]
    assert variables[True]["HSA_TOOLS_LIB"] == f"{CONTAINER_LIB}/libhsakmt.so.1"


def test_any_user_may_use_the_chip_and_none_may_change_the_libraries(tmp_path: Path) -> None:
    made = source(tmp_path)

    assert stat.S_IMODE(made.gpu.chip_path(0).stat().st_mode) == 0o666
    assert stat.S_IMODE((made.folder / "lib/libhsakmt.so.1").stat().st_mode) == 0o755


def test_filling_it_again_leaves_running_programs_what_they_have(tmp_path: Path) -> None:
    made = source(tmp_path)
    chip, library = made.gpu.chip_path(0), made.folder / "lib/libhsakmt.so.1"
    chip.write_bytes(b"state")
    with library.open("rb") as mapped:
        before = mapped.read()
        made.fill()
        mapped.seek(0)
        assert mapped.read() == before
    assert chip.read_bytes() == b"state"


def test_an_unknown_product_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="MI51"):
        NodeSource.of(tmp_path, "MI51", node="a").fill()
