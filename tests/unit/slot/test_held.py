"""Files that programs may write, held by the node."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.errors import InputError
from eclip.slot import PROGRAM_FILES, Slot, records, stats
from eclip.slot.held import ForeignVersionError, HeldFile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Slot.create(tmp_path, "a", "1") as made:
        return made.folder


@pytest.fixture(params=["stats", "profile"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def held(folder: Path, name: str) -> Iterator[HeldFile]:
    file = HeldFile(folder, name)
    yield file
    file.close()


def is_sound(path: Path, name: str) -> bool:
    shape = PROGRAM_FILES[name]
    with path.open("rb") as file:
        return (
            path.stat().st_size == shape.size
            and path.stat().st_mode & 0o777 == shape.mode
            and file.read(8) == shape.header[:8]
        )


def shrink(path: Path) -> None:
    os.truncate(path, 100)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    os.truncate(path, 1 << 30)


def scribble(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def forbid(path: Path) -> None:
    path.chmod(0)


def link_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "thing").write_text("")


def vanish(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


MEDDLING = [shrink, empty, grow, scribble, forbid, link_elsewhere, become_folder, vanish, move_away, become_pipe]


def test_a_file_that_nobody_meddled_with_is_left_alone(held: HeldFile) -> None:
    assert held.put_back() is False


@pytest.mark.parametrize("meddle", MEDDLING)
def test_a_file_that_was_meddled_with_is_put_back_once(
    meddle: Callable[[Path], None], folder: Path, name: str, held: HeldFile
) -> None:
    meddle(folder / name)

    assert held.put_back() is True
    assert is_sound(folder / name, name)
    assert held.put_back() is False
    assert (folder / name).stat().st_ino == os.fstat(held.descriptor).st_ino


def test_a_file_that_was_moved_comes_back_itself(folder: Path, held: HeldFile, name: str) -> None:
    mine = os.fstat(held.descriptor).st_ino
    move_away(folder / name)

    held.put_back()

    assert (folder / name).stat().st_ino == mine


def test_what_a_link_points_at_is_not_touched(folder: Path, tmp_path: Path, held: HeldFile, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (folder / name).unlink()
    (folder / name).symlink_to(victim)

    held.put_back()

    assert victim.read_text() == "precious"


def test_the_progress_of_a_profile_is_nobodys_meddling(folder: Path) -> None:
    held = HeldFile(folder, "profile")
    with (folder / "profile").open("r+b") as file:
        file.seek(8)
        file.write(b"\x01\0\0\0\x2a\0\0\0")

    assert held.put_back() is False
    assert stats.read_profile(folder / "profile").percent == 42
    held.close()


def test_a_file_of_another_version_is_told_apart(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.seek(4)
        file.write((records.VERSION + 1).to_bytes(4, "little"))

    with pytest.raises(ForeignVersionError, match=f"is of version {records.VERSION + 1}"):
        HeldFile(folder, name)


@pytest.mark.parametrize("meddle", [link_elsewhere, become_folder, vanish, become_pipe])
def test_what_is_no_file_cannot_be_held(meddle: Callable[[Path], None], folder: Path, name: str) -> None:
    meddle(folder / name)

    with pytest.raises(InputError):
        HeldFile(folder, name)


@given(st.binary(max_size=4096), st.integers(0, records.STATS_BYTES))
def test_whatever_bytes_a_program_writes_reading_ends(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    with Slot.create(tmp_path_factory.mktemp("state"), "a", "1") as made:
        held = HeldFile(made.folder, "stats")
        with made.stats.open("r+b") as file:
            file.seek(at)
            file.write(junk)

        held.put_back()

        assert len(stats.clients(held.descriptor)) <= records.CLIENTS
        assert len(stats.pulse(held.descriptor)) == records.MODELS
        held.close()


def test_files_of_programs_have_no_holes(folder: Path, name: str) -> None:
    assert (folder / name).stat().st_blocks * 512 >= PROGRAM_FILES[name].size
