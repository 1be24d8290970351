"""What looks for a GPU finds the emulated one: rocminfo, rocm-smi, our own topology reader."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eclip.emulated import LIBRARIES, EmulatedGpu
from eclip.gpu import kfd

MakeGpu = Callable[..., EmulatedGpu]
ROCM_SMI = Path("/usr/lib/librocm_smi64.so.1")


def output(gpu: EmulatedGpu, *command: str) -> str:
    environment = {**os.environ, **gpu.environment()}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240).stdout


@pytest.mark.parametrize("product", ["MI50", "MI100", "MI300X", "RX 7900 XTX"])
def test_the_topology_reader_finds_the_same_gpus(product: str, make_gpu: MakeGpu) -> None:
    gpu = make_gpu(product, count=2)
    assert kfd.read_gpus(gpu.topology) == gpu.gpus
    assert kfd.read_gpus(gpu.sysfs) == gpu.gpus


def test_rocminfo_shows_an_mi50(make_gpu: MakeGpu) -> None:
    text = output(make_gpu(), str(LIBRARIES / "rocminfo-emulated"))
    agent = text[text.index("Agent 2") :]
    values = dict(line.strip().split(":", 1) for line in agent.splitlines() if line.strip().count(":") == 1)
    assert values["Name"].strip() == "gfx906" or "gfx906" in agent
    assert values["Compute Unit"].split("(")[0].strip() == "60"
    assert values["Shader Engines"].split("(")[0].strip() == "4"
    assert "AMD Instinct MI50" in agent


def can_mount() -> bool:
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(not can_mount(), reason="this host allows no mount namespaces")


@needs_mount
def test_rocm_smi_shows_power_and_memory(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu(costs={"idleWatts": 20, "cuWatts": 4, "byteMicrojoules": 0})
    since = gpu.reading()
    programs.run(gpu, "sharing")
    now = gpu.show(since)
    text = output(
        gpu, str(LIBRARIES / "with-sysfs"), str(gpu.sysfs), "rocm-smi", "--showpower", "--showmeminfo", "vram"
    )
    watts = float(text.split("Graphics Package Power (W):")[1].split()[0])
    assert watts == pytest.approx(now.joules * 1e6 / now.micros, abs=1)
    assert watts > 20
    assert str(gpu.gpu.vram_bytes) in text


@needs_mount
def test_pyrsmi_reads_the_gpus(make_gpu: MakeGpu, tmp_path: Path) -> None:
    gpu = make_gpu(count=2)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "librocm_smi64.so").symlink_to(ROCM_SMI)  # where pyrsmi looks, below ROCM_PATH
    program = (
        "from pyrsmi import rocml as smi; smi.smi_initialize(); "
        "print(smi.smi_get_device_count(), smi.smi_get_device_memory_total(1))"
    )
    with_sysfs = [str(LIBRARIES / "with-sysfs"), str(gpu.sysfs), sys.executable, "-c", program]
    assert output(gpu, "env", f"ROCM_PATH={tmp_path}", *with_sysfs).split()[-2:] == ["2", str(gpu.gpu.vram_bytes)]


@needs_mount
def test_nobody_else_sees_the_mounted_tree(make_gpu: MakeGpu) -> None:
    gpu = make_gpu()
    inside = output(gpu, str(LIBRARIES / "with-sysfs"), str(gpu.sysfs), "ls", "/sys/class/kfd/kfd/topology/nodes")
    assert inside.split() == ["0", "1"]
    assert not os.path.samefile("/sys", gpu.sysfs)  # noqa: PTH121 - the point is the mount
