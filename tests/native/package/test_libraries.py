"""The runtime libraries keep what the wheel's tag, manylinux_2_17, says: what they need is read from the files."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import eclip

NATIVE = Path(eclip.__file__).parent / "native"
NAMES = ["libeclip_contention.so", "libeclip_hip.so", "libeclip_planner.so"]
FLOOR = (2, 17)
GLIBC = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2"}


def readelf(*options: str, name: str) -> str:
    path = NATIVE / name
    assert path.exists(), f"{path} is not built: make native"
    return subprocess.run(["readelf", "--wide", *options, path], capture_output=True, text=True, check=True).stdout


def dynamic(name: str, tag: str) -> list[str]:
    return re.findall(rf"\({tag}\).*\[(.*)\]", readelf("--dynamic", name=name))


def symbols(name: str) -> Iterator[tuple[str, bool]]:
    """Dynamic symbols with their versions, and whether the library defines them."""
    for line in readelf("--dyn-syms", name=name).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[0].endswith(":") and fields[4] in ("GLOBAL", "WEAK"):
            yield fields[7], fields[6] != "UND"


@pytest.mark.parametrize("name", NAMES)
def test_no_symbol_is_younger_than_the_tag_says(name: str) -> None:
    versions = {
        tuple(int(part) for part in found.split("."))
        for symbol, defined in symbols(name)
        if not defined
        for found in re.findall(r"@GLIBC_([\d.]+)", symbol)
    }

    assert versions, "a library that uses nothing of glibc was not read right"
    assert max(versions) <= FLOOR


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_glibc_is_needed(name: str) -> None:
    assert set(dynamic(name, "NEEDED")) <= GLIBC


@pytest.mark.parametrize("name", NAMES)
def test_no_path_of_the_build_machine_is_searched(name: str) -> None:
    assert dynamic(name, "RPATH") + dynamic(name, "RUNPATH") == []


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_a_library_exports_is_meant(name: str) -> None:
    exported = {symbol.split("@")[0] for symbol, defined in symbols(name) if defined}
    meant = r"eclip_\w+" if name != "libeclip_hip.so" else r"(eclip_|hip|__hip|_Z\d+hip|roctx|rocprofiler_)\w+|dlsym"

    assert exported
    assert [symbol for symbol in exported if not re.fullmatch(meant, symbol)] == []
