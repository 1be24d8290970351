"""The probe kernel, as Debian's hipcc builds it for every chip that the read-out knows."""

import re
import subprocess
from pathlib import Path

import pytest

from eclip.host import probe

SOURCE = Path(__file__).parents[3] / "native/probe/probe.hip"


@pytest.mark.parametrize("gfx", sorted(probe.REGISTERS))
def test_the_kernel_reads_the_whole_register_that_the_read_out_expects(gfx, tmp_path):
    """Disassembled, not believed: `hwreg(NAME)` without offset and size is the register's 32 bits."""
    names = {4: "HW_REG_HW_ID", 23: "HW_REG_HW_ID1"}

    assembly = disassembled(gfx, tmp_path)

    assert re.findall(r"s_getreg_b32 \w+, (hwreg\(.*?\))", assembly) == [f"hwreg({names[probe.REGISTERS[gfx].number]})"]
    assert "<eclip_probe>:" in assembly
    assert "s_sleep" in assembly


def disassembled(gfx: str, folder: Path) -> str:
    bundle, code = folder / "probe.co", folder / "probe.elf"
    build = ["hipcc", "--genco", f"--offload-arch={gfx}", "-nogpulib", "-O2", "-o", bundle, SOURCE]
    subprocess.run(build, check=True, capture_output=True)
    target = f"--targets=hipv4-amdgcn-amd-amdhsa--{gfx}"
    unbundle = ["clang-offload-bundler-15", "--type=o", "--unbundle", f"--input={bundle}", f"--output={code}", target]
    subprocess.run(unbundle, check=True, capture_output=True)
    listing = subprocess.run(
        ["llvm-objdump-15", "-d", f"--mcpu={gfx}", code], check=True, capture_output=True, text=True
    )
    return listing.stdout
