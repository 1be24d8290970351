"""What happens to a device plugin, and what stays true: restarts, broken streams, crashes, a full disk."""

import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubelet_contract import SHARE, WHOLE, RefusedError, until

MakeNode = Callable[..., Any]


def all_offered(node: Any) -> bool:
    return bool(node.kubelet.allocatable(SHARE) == 4 and node.kubelet.allocatable(WHOLE) == 1)


def test_a_stream_that_broke_is_registered_again(one: Any) -> None:
    one.kubelet.break_stream(SHARE)
    assert one.kubelet.capacity(SHARE) == 0
    until("registered again", lambda: all_offered(one))


def test_a_socket_that_was_deleted_is_made_again(one: Any) -> None:
    before = len(one.kubelet.registrations)
    for socket in one.kubelet.folder.glob("eclip.dev_*.sock"):
        socket.unlink()
    until("registered again", lambda: len(one.kubelet.registrations) >= before + 2)
    until("offered again", lambda: all_offered(one))
    one.kubelet.admit("one", SHARE)


def test_a_kubelet_that_refuses_is_asked_until_it_takes(make_node: MakeNode) -> None:
    node = make_node(started=False)
    node.kubelet.refuses = True
    node.start()
    until("asked more than once", lambda: len(node.kubelet.registrations) > 3)
    assert not node.report().registered
    node.kubelet.refuses = False
    until("offered", lambda: all_offered(node))
    until("reported", lambda: node.report().registered)


def test_a_kubelet_that_forgot_us_is_told_again(make_node: MakeNode) -> None:
    node = make_node(started=False)
    node.kubelet.deaf = True
    node.start()
    until("told", lambda: len(node.kubelet.registrations) >= 2)
    node.kubelet.deaf = False
    until("offered", lambda: all_offered(node))


def test_a_kubelet_that_starts_later_finds_the_plugin(make_node: MakeNode) -> None:
    node = make_node(started=False)
    node.kubelet.kill()
    (node.kubelet.folder / "kubelet.sock").unlink(missing_ok=True)
    node.start()
    until("a report without kubelet", lambda: (node.state / "plugin.json").exists() and not node.report().registered)
    node.kubelet.start()
    until("offered", lambda: all_offered(node))


def test_a_plugin_that_was_killed_knows_what_is_in_use(one: Any) -> None:
    given = one.kubelet.admit("one", SHARE)
    one.kill()
    one.start()
    until("offered again", lambda: one.kubelet.allocatable(SHARE) == 4)
    assert one.kubelet.allocatable(WHOLE) == 0
    until("reported", lambda: in_use(one) == {given.devices[0]: (given.allocation,)})


def in_use(node: Any) -> dict[str, tuple[str, ...]]:
    """As the plugin reports it."""
    (gpu,) = node.report().gpus
    return {share.slot: share.allocations for share in gpu.slots if share.allocations}


KILLED_BEFORE_THE_RECORD = """
import os, signal, sys
from pathlib import Path
from eclip.node.record import Injection
from eclip_device_plugin import allocations
from eclip_device_plugin.stock import Stock
allocations._write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
state, slot = Path(sys.argv[1]), sys.argv[2]
new = Stock(state).take()
allocations.make(state, slot, "abc", whole=False, library="1", injection=Injection.NONE, ceiling=None, laid_out=new)
"""


def test_a_folder_without_a_record_is_nobodys(one: Any) -> None:
    """The plugin is killed between making the folder and writing its record."""
    (slot, *_) = sorted(one.kubelet.devices(SHARE))
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_RECORD, str(one.state), slot], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = (one.state / "slots" / slot).iterdir()
    one.kill()
    one.start()
    until("offered again", lambda: all_offered(one))
    given = one.kubelet.admit("one", SHARE)
    assert given.devices == (slot,)
    assert given.allocation != left.name


def test_a_full_disk_refuses_containers_and_leaves_nothing_behind(one: Any) -> None:
    limits = resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    with pytest.raises(RefusedError, match=r"cannot be made|cannot be recorded"):
        one.kubelet.admit("one", SHARE)
    assert [path for path in one.state.glob("slots/*/*") if path.is_dir()] == []
    resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, limits)
    one.kubelet.admit("one", SHARE)


def test_all_inodes_of_an_allocation_are_new(one: Any) -> None:
    seen: set[int] = set()
    for number in range(3):
        given = one.kubelet.admit(f"c{number}", SHARE)
        one.kubelet.end(f"c{number}")
        files = {path.stat().st_ino for path in (one.state / "slots").rglob(f"*/{given.allocation}/**/*")}
        assert len(files) >= 5
        assert not files & seen
        seen |= files


def inet_sockets() -> set[str]:
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        path = Path("/proc/net") / table
        if path.exists():
            found |= {line.split()[9] for line in path.read_text().splitlines()[1:]}
    return found


def test_the_plugin_opens_no_network_socket_and_no_gpu(one: Any) -> None:
    one.kubelet.admit("one", SHARE)
    one.kubelet.restart()
    until("registered again", lambda: one.kubelet.allocatable(SHARE) == 4)
    targets = [str(file.readlink()) for file in Path(f"/proc/{one.process.pid}/fd").iterdir()]
    sockets = {target.removeprefix("socket:[").rstrip("]") for target in targets if target.startswith("socket:")}
    assert sockets
    assert not sockets & inet_sockets()
    assert not [target for target in targets if target.startswith(("/dev/kfd", "/dev/dri"))]


def test_it_ends_when_it_is_told(one: Any) -> None:
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(timeout=30) == 0
    until("seen as gone", lambda: one.kubelet.capacity(SHARE) == 0)


def test_a_relative_state_root_is_refused() -> None:
    command = [sys.executable, "-m", "eclip_device_plugin", "--state", "here"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "here is a relative path; give an absolute one" in ended.stderr
