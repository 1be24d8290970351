"""`make native` under running programs: what they have mapped stays as it is."""

import mmap
import subprocess
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[3] / "tools" / "install-native"
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(parts LANGUAGES NONE)
install(FILES changed kept DESTINATION eclip/native)
"""


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    (tmp_path / "changed").write_bytes(b"old" * 4096)
    (tmp_path / "kept").write_bytes(b"same")
    subprocess.run(["cmake", "-S", ".", "-B", "build"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def install(parts: Path) -> Path:
    subprocess.run([INSTALL, "build", "to"], cwd=parts, check=True)
    return parts / "to" / "eclip" / "native"


def test_a_running_program_keeps_the_library_that_it_has_mapped(parts: Path) -> None:
    native = install(parts)
    with (native / "changed").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        (parts / "changed").write_bytes(b"new")
        install(parts)

        assert mapped[-3:] == b"old"
    assert (native / "changed").read_bytes() == b"new"


def test_what_did_not_change_is_not_touched(parts: Path) -> None:
    native = install(parts)
    before = (native / "kept").stat()

    install(parts)

    assert (native / "kept").stat() == before


def test_nothing_is_left_beside_what_was_installed(parts: Path) -> None:
    native = install(parts)

    assert {path.name for path in native.iterdir()} == {"changed", "kept"}
    assert not list((parts / "build").glob("install.*/"))
