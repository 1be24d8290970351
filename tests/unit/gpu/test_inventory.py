"""GPUs that the device cgroup hides in the topology tree are known by their PCI device and the product table."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from eclip.errors import InputError
from eclip.gpu import inventory, products

TREES = Path(__file__).parents[2] / "data" / "kfd"
ATTRIBUTES = {"vendor": "0x1002", "device": "0x738c", "unique_id": "00a1", "numa_node": "1", "mem_info_vram_total": "5"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(TREES / "MI100", tmp_path / "class/kfd/kfd/topology")
    return tmp_path


def hide(monkeypatch: pytest.MonkeyPatch, tree: Path) -> int:
    """As in a container without the GPU's device file; returns how many are hidden."""
    gpus = [tree / f"class/kfd/kfd/topology/nodes/{found.gpu.node}/properties" for found in inventory.read(tree)]
    read = Path.read_text

    def refuse(self: Path, *arguments: Any, **options: Any) -> str:
        if self in gpus:
            raise PermissionError(1, "Operation not permitted", str(self))
        return read(self, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", refuse)
    return len(gpus)


def add(tree: Path, minor: int, name: str = "0000:c3:00.0", **attributes: str) -> None:
    device = tree / "devices" / name
    device.mkdir(parents=True)
    for attribute, text in {**ATTRIBUTES, **attributes}.items():
        (device / attribute).write_text(f"{text}\n")
    render = tree / f"class/drm/renderD{minor}"
    render.mkdir(parents=True)
    (render / "device").symlink_to(device)


def test_a_hidden_gpu_has_the_shape_of_its_product(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (visible,) = inventory.read(tree)
    add(tree, 130)
    assert hide(monkeypatch, tree) == 1

    (found,) = inventory.read(tree)

    assert (found.id, found.uuid, found.pci) == ("a1", "GPU-00000000000000a1", "0000:c3:00.0")
    assert (found.gpu.product, found.gpu.active) == ("MI100", products.gpu_for("MI100").active)
    assert (found.gpu.node, found.gpu.render_minor) == (visible.gpu.node, 130)
    assert (found.gpu.numa_node, found.gpu.vram_bytes) == (1, 5)


def test_a_hidden_gpu_of_which_nothing_else_is_known_is_an_error(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide(monkeypatch, tree)

    with pytest.raises(InputError, match="1 GPU nodes are hidden by the device cgroup, and 0 GPUs are known otherwise"):
        inventory.read(tree)


@pytest.mark.parametrize(
    ("name", "attributes", "said"),
    [
        ("0000:c3:00.0", {"device": "0x0001"}, "device id 0x0001 is in the product table 0 times"),
        ("0000:c3:00.0", {"current_compute_partition": "CPX"}, r"is a partition \(CPX\), whose shape only"),
        ("amdgpu_xcp.1", {}, r"amdgpu_xcp.1: is a partition \(no whole GPU\)"),
    ],
)
def test_a_hidden_gpu_is_never_guessed(
    name: str, attributes: dict[str, str], said: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tree, 130, name, **attributes)
    hide(monkeypatch, tree)

    with pytest.raises(InputError, match=said):
        inventory.read(tree)
