"""The agent when things go wrong around it: hostile files, kills, a full disk, nobody to talk to."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eclip.slot import PROGRAM_FILES, stats

Node = Any  # of conftest.py
SECOND = 0x0222222222222222


def enforced(node: Node, number: int = 0, name: str = "web") -> Path:
    """A pod with a running program under a table."""
    folder = node.pod(number, name)
    node.run(folder)
    node.until(lambda: node.api.node, "the node's object")
    node.want((folder, node.api.put_table(node.chain_table())))
    node.until_state(folder, "Enforced")
    return folder


def requests(node: Node, folder: Path) -> int:
    return sum(model.requests for client in node.clients(folder) for model in client.current.models)


def goes_on(node: Node, folder: Path) -> None:
    """Fails if the program does not serve requests under its masks."""
    before = requests(node, folder)
    node.until(lambda: requests(node, folder) > before + 10, "further requests")


def shrink(path: Path) -> None:
    os.truncate(path, 64)


def grow(path: Path) -> None:
    os.truncate(path, 1 << 32)


def fill(path: Path) -> None:
    path.write_bytes(os.urandom(PROGRAM_FILES[path.name].size * 2))


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(PROGRAM_FILES[path.name].size))


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/shadow")


def folder_in_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", ["stats", "profile"])
def test_files_that_a_pod_meddles_with_are_put_back_and_nobody_else_suffers(node: Node, name: str) -> None:
    node.start_agent()
    good = enforced(node)
    shape, last = PROGRAM_FILES[name], ""

    for meddle in (shrink, grow, fill, scribble, link, folder_in_place):
        node.kubelet.pods.pop(("team", last, "main"), None)
        last = f"hostile-{meddle.__name__.replace('_', '-')}"
        bad = node.pod(1, last)
        node.until_state(bad, "Pending")
        meddle(bad / name)

        node.until_state(bad, "NotEnforced", "StatsTampered")
        node.until(lambda bad=bad: is_file_of(bad / name, shape.size), f"{name} after {meddle.__name__}")
        assert (bad / name).read_bytes()[:8] == shape.header[:8]

    goes_on(node, good)
    assert node.api.slot(good.name).state.value == "Enforced"
    assert node.agents[0].poll() is None


def test_a_program_that_scribbles_over_its_own_statistics_harms_nobody(node: Node) -> None:
    node.start_agent()
    good = enforced(node)
    bad = node.pod(1, "hostile")
    node.run(bad)
    node.want((good, node.api.put_table(node.chain_table())), (bad, node.api.put_table(node.chain_table(SECOND))))
    node.until_state(bad, "Enforced")

    for _ in range(20):
        scribble(bad / "stats")

    node.until_state(bad, "NotEnforced", "StatsTampered")
    goes_on(node, good)
    assert node.agents[0].poll() is None


def test_a_slot_whose_control_page_is_gone_is_lost(node: Node) -> None:
    folder = node.pod(0, "web")
    node.start_agent()
    node.until_state(folder, "Pending")

    shutil.rmtree(folder / "config")
    (folder / "config").mkdir()

    node.until_state(folder, "NotEnforced", "SlotLost")


def test_a_share_of_which_nothing_is_left_is_lost(node: Node) -> None:
    folder = node.pod(0, "web")
    shutil.rmtree(folder)

    node.start_agent()

    slot = node.until(lambda: node.api.slot("lost"), "the lost slot")
    assert (slot.slot, slot.state.value, slot.reason.value) == (folder.parent.name, "NotEnforced", "SlotLost")


def test_a_slot_of_another_version_is_told(node: Node) -> None:
    folder = node.pod(0, "web")
    for name in ("stats", "profile"):
        with (folder / name).open("r+b") as file:
            file.seek(4)
            file.write(b"\x63\0\0\0")
    before = (folder / "stats").read_bytes()

    node.start_agent()

    node.until_state(folder, "NotEnforced", "VersionMismatch")
    assert (folder / "stats").read_bytes() == before


def test_an_agent_that_is_killed_adopts_what_is_there(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    node.agents[0].send_signal(signal.SIGKILL)
    goes_on(node, folder)
    writes = len(node.api.writes)
    node.start_agent()
    node.until(lambda: len(node.api.writes) > writes, "a status of the new agent")

    slot = node.until_state(folder, "Enforced")
    assert slot.generation == 1
    assert slot.counters.requests > 0
    assert sum(client.alive for client in node.clients(folder)) == 1


def test_an_agent_without_an_api_server_leaves_pods_as_they_are_and_comes_back(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)
    control = folder / "config" / "control"

    node.api.stop()
    goes_on(node, folder)
    node.agents[0].send_signal(signal.SIGKILL)
    before = len(node.said)
    node.start_agent()
    node.until(lambda: "cannot be followed" in node.said[before:], "a failure")
    goes_on(node, folder)
    assert int.from_bytes(control.read_bytes()[8:16], "little") == 1
    node.api.start()

    other = node.api.put_table(node.chain_table(SECOND))
    node.want((folder, other))
    node.until(lambda: (found := node.api.slot(folder.name)) and found.generation == 2, "the new plan")


def test_kubelet_may_go_and_come_back(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    node.kubelet.stop()
    goes_on(node, folder)
    node.kubelet.start()

    late = node.pod(1, "late")
    node.until_state(late, "Pending")
    assert node.api.slot(folder.name).state.value == "Enforced"


def is_file_of(path: Path, size: int) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == size


@pytest.fixture
def small_disk(node: Node) -> Iterator[Path]:
    """The state root on a file system of its own, with room for a few slots."""
    kept = node.state.with_name("kept")
    shutil.copytree(node.state, kept, symlinks=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", node.state], check=True)
    try:
        shutil.copytree(kept, node.state, symlinks=True, dirs_exist_ok=True)
        yield node.state
    finally:
        node.end()
        subprocess.run(["umount", node.state], check=True)


def test_a_full_disk_keeps_the_old_plan_until_there_is_room(node: Node, small_disk: Path) -> None:
    node.start_agent()
    folder = enforced(node)
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while ballast.write(b"x" * 4096):
            pass

    node.want((folder, node.api.put_table(node.chain_table(SECOND))))

    node.until(lambda: any(c.reason == "WriteFailed" for c in node.api.status.conditions), "WriteFailed")
    goes_on(node, folder)
    (small_disk / "ballast").unlink()
    node.until(lambda: (found := node.api.slot(folder.name)) and found.generation == 2, "the new plan")
    assert stats.read(folder / "stats")[0].current.generation == 2
