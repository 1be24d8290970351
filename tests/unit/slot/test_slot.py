"""Slot folders, from the node's side."""

import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from eclip import slot
from eclip.errors import InputError
from eclip.slot import Slot, records, stats


def control(made: Slot) -> tuple[int, int, int, int]:
    """Magic, version, generation and active set, as another process reads them."""
    data = (made.folder / "config" / "control").read_bytes()
    magic, version, generation, active = struct.unpack_from("<IIQQ", data)
    return magic, version, generation, active


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("environment", "uid", "expected"),
    [
        ({"ECLIP_STATE": "/srv/state", "XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/srv/state"),
        ({"ECLIP_STATE": "/srv/state"}, 0, "/srv/state"),
        ({"XDG_RUNTIME_DIR": "/run/user/0"}, 0, "/run/eclip"),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/eclip"),
        ({"ECLIP_STATE": "", "XDG_RUNTIME_DIR": "/run/user/7"}, 7, "/run/user/7/eclip"),
    ],
)
def test_where_slots_live(environment: dict[str, str], uid: int, expected: str) -> None:
    assert slot.state_root(environment, uid) == Path(expected)


def test_no_place_for_slots_is_an_error_that_says_what_to_set() -> None:
    with pytest.raises(InputError, match="XDG_RUNTIME_DIR is not set; set it, or set ECLIP_STATE"):
        slot.state_root({}, 7)
    with pytest.raises(InputError, match="ECLIP_STATE=state: is a relative path"):
        slot.state_root({"ECLIP_STATE": "state"}, 7)


def test_a_new_slot_has_no_table_and_no_statistics(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "alexnet", "1") as made:
        assert made.folder == tmp_path / "slots" / "alexnet" / "1"
        assert (made.name, made.allocation) == ("alexnet", "1")
        assert control(made) == (records.CONTROL_MAGIC, records.VERSION, 0, 0)
        assert [path.name for path in (made.folder / "config").iterdir()] == ["control"]
        assert stats.read(made.stats) == ()
        assert stats.read_profile(made.profile).state == "empty"


def test_files_have_the_sizes_of_the_contract(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        assert (made.folder / "config" / "control").stat().st_size == records.CONTROL_BYTES
        assert made.stats.stat().st_size == records.STATS_BYTES
        assert made.profile.stat().st_size == records.PROFILE_BYTES


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_program_of_another_user_may_write_its_reports_and_nothing_else(tmp_path: Path, umask: int) -> None:
    script = f"import os, pathlib; os.umask({umask}); from eclip.slot import Slot\n"
    script += f"Slot.create(pathlib.Path({str(tmp_path)!r}), 'a', '1').publish(b'table')"
    subprocess.run([sys.executable, "-c", script], check=True)
    folder = tmp_path / "slots" / "a" / "1"

    assert {mode(folder / name) for name in ("stats", "profile")} == {0o666}
    assert {mode(folder / "config" / name) for name in ("control", "table.1")} == {0o644}
    assert {mode(folder), mode(folder / "config")} == {0o755}


def test_a_published_table_is_whole_before_its_number_is_seen(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        for generation, data in enumerate((b"one", b"two" * 10_000, b"three"), start=1):
            assert made.publish(data) == generation == made.generation
            assert control(made)[2] == generation
            assert (made.folder / "config" / f"table.{generation}").read_bytes() == data


def test_the_table_before_the_newest_is_kept_for_a_reader_on_its_way(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        for number in range(5):
            made.publish(bytes([number]))

        assert sorted(path.name for path in (made.folder / "config").iterdir()) == ["control", "table.4", "table.5"]


def test_a_table_left_by_a_writer_that_died_is_never_put_in_force(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        made.publish(b"one")
        (made.folder / "config" / "table.2").write_bytes(b"half a tab")
        (made.folder / "config" / ".table.3.new").write_bytes(b"h")

        assert made.publish(b"three") == 3
        assert (made.folder / "config" / "table.3").read_bytes() == b"three"


def test_the_active_set_is_a_whole_word(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        made.set_active(2**64 - 1)

        assert (made.active, control(made)[3]) == (2**64 - 1, 2**64 - 1)


def test_a_slot_can_be_let_go_and_taken_over(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as first:
        first.publish(b"one")

    with Slot(first.folder) as second:
        assert second.generation == 1
        assert second.publish(b"two") == 2


def test_two_writers_of_one_slot_are_refused(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made, pytest.raises(InputError, match="is in use by another eclip process"):
        Slot(made.folder)


def test_a_folder_is_never_used_twice(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        made.publish(b"one")

        with pytest.raises(InputError, match="exists; remove it, or take another allocation"):
            Slot.create(tmp_path, "a", "1")

        assert control(made)[2] == 1
        assert [path.name for path in made.folder.parent.iterdir()] == ["1"]


@pytest.mark.parametrize("name", ["", "..", "a/b", ".a", "A"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    for arguments in ((name, "1"), ("a", name)):
        with pytest.raises(InputError, match="is no name"):
            Slot.create(tmp_path, *arguments)

    assert list(tmp_path.iterdir()) == []


def test_a_removed_slot_leaves_nothing_and_its_program_no_table(tmp_path: Path) -> None:
    made = Slot.create(tmp_path, "a", "1")
    made.publish(b"one")
    with (made.folder / "config" / "control").open("rb") as seen_by_the_program:
        made.remove()

        assert struct.unpack_from("<Q", seen_by_the_program.read(), 8) == (0,)
    assert list((tmp_path / "slots").iterdir()) == []


def test_another_allocation_outlives_a_removed_one(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "2") as kept:
        Slot.create(tmp_path, "a", "1").remove()

        assert slot.folders(tmp_path) == (kept.folder,)


def test_slots_are_found_by_name(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "b", "1"), Slot.create(tmp_path, "a", "9"):
        (tmp_path / "slots" / "a" / ".8.new" / "config").mkdir(parents=True)
        (tmp_path / "slots" / "a" / ".8.new" / "config" / "control").touch()

        assert [folder.relative_to(tmp_path / "slots").as_posix() for folder in slot.folders(tmp_path)] == [
            "a/9",
            "b/1",
        ]
    assert slot.folders(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("damage", [b"", b"\0" * records.CONTROL_BYTES, b"CLIC\x01" + b"\0" * 4091])
def test_a_damaged_control_page_is_refused(tmp_path: Path, damage: bytes) -> None:
    Slot.create(tmp_path, "a", "1").close()
    folder = tmp_path / "slots" / "a" / "1"
    (folder / "config" / "control").write_bytes(damage)

    with pytest.raises(InputError, match="is no control page"):
        Slot(folder)


def test_a_folder_that_is_no_slot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no slot folder of yours"):
        Slot(tmp_path)


def test_a_withdrawn_table_leaves_none_and_the_next_one_counts_on(tmp_path: Path) -> None:
    with Slot.create(tmp_path, "a", "1") as made:
        made.publish(b"one")
        made.withdraw()

        assert control(made)[2] == 0
        assert made.publish(b"two") == 2
