"""Who uses a GPU silently."""

from pathlib import Path

import pytest

from eclip_node_agent import bypass, processes
from eclip_node_agent.bypass import Seat, User
from eclip_node_agent.watchers import Host, Watchers

UID = "0d2f2b0e-7a55-4a3e-9a5e-0f6f7a4d1c11"


@pytest.mark.parametrize(
    ("cgroups", "uid"),
    [
        (f"0::/kubepods/besteffort/pod{UID}/3a9c\n", UID),
        (f"0::/../../besteffort/pod{UID}/3a9c\n", UID),
        (f"4:memory:/kubepods/pod{UID}/3a9c\n3:pids:/x\n", UID),
        (f"0::/kubepods.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice/cri-3a.scope\n", UID),
        ("0::/kubepods/burstable/pod" + "ab12" * 8 + "/3a9c\n", "ab12" * 8),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
        ("0::/system.slice/podman.service\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_pod_of_a_process_is_told_from_its_cgroups(cgroups: str, uid: str | None) -> None:
    assert bypass.pod_uid(cgroups) == uid


def test_holders_of_locks_are_found_by_inode() -> None:
    locks = (
        "1: POSIX  ADVISORY  WRITE 4242 00:2a:77 4096 24575\n"
        "2: FLOCK  ADVISORY  WRITE 1 00:2a:77 0 EOF\n"
        "3: POSIX  ADVISORY  WRITE 43 fe:00:78 4096 24575\n"
        "3: -> POSIX  ADVISORY  WRITE 44 fe:00:78 4096 24575\n"
        "nonsense\n"
    )

    assert bypass.lock_holders(locks) == {77: {4242}, 78: {43}}


def test_a_user_that_never_shook_hands_is_silent() -> None:
    seats = [Seat("a", UID, 0), Seat("b", "other", 1)]

    assert bypass.silent([User(7, UID), User(8, "other")], seats, {8}) == {"a"}


def test_one_of_two_processes_of_a_pod_may_be_silent() -> None:
    assert bypass.silent([User(7, UID), User(8, UID)], [Seat("a", UID, 1)], {8}) == {"a"}
    assert bypass.silent([User(8, UID)], [Seat("a", UID, 1)], {8}) == frozenset()


def test_of_two_containers_the_one_without_a_handshake_is_meant() -> None:
    assert bypass.silent([User(7, UID), User(8, UID)], [Seat("a", UID, 1), Seat("b", UID, 0)], {8}) == {"b"}


def test_whoever_is_in_no_pod_with_a_share_is_nobodys_bypass() -> None:
    assert (
        bypass.silent([User(7, None), User(8, "stranger")], [Seat("a", None, 0), Seat("b", UID, 0)], ()) == frozenset()
    )


def test_an_emulated_chip_names_allocations() -> None:
    users = [User(0, allocation="a"), User(1, allocation="a"), User(2, allocation="b")]

    assert bypass.silent(users, [Seat("a", None, 2), Seat("b", None, 0)], ()) == {"b"}


def test_pods_are_told_from_the_names_of_their_logs(tmp_path: Path) -> None:
    for name in (f"team_web_{UID}", "team_web-2_u2", "kube-system_etcd_u3", "garbage"):
        (tmp_path / name).mkdir()

    found = processes.pod_uids(tmp_path)

    assert found == {("team", "web"): UID, ("team", "web-2"): "u2", ("kube-system", "etcd"): "u3"}


def host(folder: Path, pid: int) -> Host:
    """A host on which one process of the pod has the GPU open."""
    kfd, proc = folder / "kfd", folder / "proc"
    (kfd / str(pid)).mkdir(parents=True)
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cgroup").write_text(f"0::/kubepods/besteffort/pod{UID}/c\n")
    return Host(proc=proc, kfd=kfd)


def test_a_process_gets_a_moment_to_shake_hands(tmp_path: Path) -> None:
    watchers, seats = Watchers(host(tmp_path, 4242)), [Seat("a", UID, 0)]

    assert watchers.silent(None, seats, {"a": 77}, 10.0) == frozenset()
    assert watchers.silent(None, seats, {"a": 77}, 11.0) == frozenset()
    assert watchers.silent(None, seats, {"a": 77}, 12.5) == {"a"}


def test_a_process_that_holds_a_record_of_the_slot_is_not_silent(tmp_path: Path) -> None:
    watchers = Watchers(host(tmp_path, 4242))
    (tmp_path / "proc" / "locks").write_text("1: POSIX  ADVISORY  WRITE 4242 00:2a:77 4096 24575\n")

    assert all(not watchers.silent(None, [Seat("a", UID, 1)], {"a": 77}, at) for at in (0.0, 5.0))


def test_without_the_hosts_processes_nobody_is_accused() -> None:
    assert Watchers(Host()).silent(None, [Seat("a", UID, 0)], {}, 0.0) is None
