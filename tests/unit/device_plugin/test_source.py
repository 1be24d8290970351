"""GPUs as sysfs shows them: addresses, partitions in both spellings, errors, and what allocate.yaml may say."""

import json
import shutil
from pathlib import Path

import pytest

from eclip.api.node_status import HealthReason
from eclip.errors import InputError
from eclip_device_plugin.double import advertised_by_amd
from eclip_device_plugin.source import EmulatedSource, KfdSource, read_gpus

TREES = Path(__file__).parents[2] / "data" / "kfd"


def tree(root: Path, machine: str) -> Path:
    shutil.copytree(TREES / machine, root / "class/kfd/kfd/topology")
    return root


def card(root: Path, pci: str) -> Path:
    device = root / "class/drm/card0/device"
    (device / "ras").mkdir(parents=True)
    (device / "uevent").write_text(f"DRIVER=amdgpu\nPCI_SLOT_NAME={pci}\n")
    return device


@pytest.mark.parametrize("machine", sorted(path.name for path in TREES.iterdir() if path.is_dir()))
def test_every_machine_has_gpus_with_ids_of_their_own(machine: str, tmp_path: Path) -> None:
    found = read_gpus(tree(tmp_path, machine))

    assert found
    assert len({gpu.id for gpu in found}) == len(found)
    assert [gpu.index for gpu in found] == list(range(len(found)))


@pytest.mark.parametrize("spelling", ["amdgpu_xcp_{}", "amdgpu_xcp.{}"])
def test_partitions_are_known_to_amds_plugin_in_both_spellings(spelling: str, tmp_path: Path) -> None:
    root = tree(tmp_path, "MI300X-CPX")
    minors = [gpu.gpu.render_minor for gpu in read_gpus(root)]
    for number, minor in enumerate(minors):
        platform = root / "devices/platform" / spelling.format(number)
        platform.mkdir(parents=True)
        render = root / f"class/drm/renderD{minor}"
        render.mkdir(parents=True)
        (render / "device").symlink_to(platform)

    found = read_gpus(root)
    checkpoint = json.dumps({"Data": {"RegisteredDevices": {"amd.com/cpx_nps4": [spelling.format(1)]}}})

    assert [gpu.found.alias for gpu in found] == [f"amdgpu_xcp_{number}" for number in range(len(minors))]
    assert {found[1].found.alias} == advertised_by_amd(checkpoint)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"Data": null}', '{"Data": {"RegisteredDevices": [1]}}'])
def test_a_checkpoint_that_cannot_be_read_says_nothing(text: str) -> None:
    assert advertised_by_amd(text) == frozenset()


def test_only_amds_own_resources_count() -> None:
    text = '{"Data": {"RegisteredDevices": {"amd.com/gpu": ["0000:03:00.0"], "eclip.dev/gpu": ["a-all"]}}}'

    assert advertised_by_amd(text) == {"0000:03:00.0"}


def test_uncorrected_errors_make_a_gpu_unhealthy(tmp_path: Path) -> None:
    root = tree(tmp_path, "MI50")
    pci = read_gpus(root)[0].pci
    device = card(root, pci)
    (device / "ras/gfx_err_count").write_text("ue: 0\nce: 7\n")
    assert read_gpus(root)[0].fault is None

    (device / "ras/umc_err_count").write_text("ue: 2\nce: 7\n")
    fault = read_gpus(root)[0].fault

    assert fault is not None
    assert (fault.reason, fault.message) == (HealthReason.HARDWARE_ERRORS, f"{pci}: 2 uncorrected errors in umc")


def test_a_real_gpu_comes_with_its_device_files(tmp_path: Path) -> None:
    source = KfdSource(tree(tmp_path, "MI50"))
    gpu = source.read()[0]

    made = source.passage(gpu)

    assert [device.path for device in made.devices] == ["/dev/kfd", f"/dev/dri/renderD{gpu.gpu.render_minor}"]
    assert made.environment["ROCR_VISIBLE_DEVICES"] == f"GPU-{gpu.gpu.unique_id:016x}"
    assert made.mounts == ()


def test_a_host_without_the_driver_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the amdgpu driver loaded"):
        KfdSource(tmp_path).read()


def emulated(root: Path, text: str) -> EmulatedSource:
    tree(root / "sysfs", "MI50")
    (root / "allocate.yaml").write_text("apiVersion: eclip.dev/v1alpha1\nkind: EmulatedSource\n" + text)
    return EmulatedSource(root)


def test_an_emulated_gpu_comes_with_what_its_folder_says(tmp_path: Path) -> None:
    source = emulated(tmp_path, "mounts: [{path: chip, containerPath: /chip, readOnly: false}]\nenv: {A: b}\n")

    made = source.passage(source.read()[0])

    assert [(m.container, m.host, m.read_only) for m in made.mounts] == [("/chip", str(tmp_path / "chip"), False)]
    assert made.environment["A"] == "b"
    assert made.devices == ()


def test_what_the_folder_says_is_followed_when_it_changes(tmp_path: Path) -> None:
    source = emulated(tmp_path, "env: {A: b}\n")
    gpu = source.read()[0]
    assert source.passage(gpu).environment["A"] == "b"

    (tmp_path / "allocate.yaml").write_text("apiVersion: eclip.dev/v1alpha1\nkind: EmulatedSource\nenv: {A: other}\n")

    assert source.passage(gpu).environment["A"] == "other"
    (tmp_path / "allocate.yaml").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        source.passage(gpu)


@pytest.mark.parametrize("path", ["/etc", "../..", "lib/../../x"])
def test_an_emulated_source_leads_nowhere_else(path: str, tmp_path: Path) -> None:
    source = emulated(tmp_path, f"mounts: [{{path: '{path}', containerPath: /x}}]\n")

    with pytest.raises(InputError, match="leads out of the source's folder"):
        source.read()
