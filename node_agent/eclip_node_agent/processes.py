"""Edge: processes of the host as its /proc and the driver's sysfs tree show them, both mounted read-only."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from eclip_node_agent.bypass import User, lock_holders, pod_uid

KFD_PROCESSES = Path("/sys/class/kfd/kfd/proc")


def users(proc: Path, kfd: Path = KFD_PROCESSES) -> tuple[User, ...]:
    """Every process that has a GPU open, by the driver's own list."""
    pids = (int(entry.name) for entry in _entries(kfd) if entry.name.isdecimal())
    return tuple(User(pid, pod_uid(_text(proc / str(pid) / "cgroup"))) for pid in pids)


def holders(proc: Path, inodes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """By allocation: pids that hold the lock on a record of its statistics file, as the host counts."""
    by_inode = lock_holders(_text(proc / "locks"))
    return {name: tuple(sorted(by_inode.get(inode, ()))) for name, inode in inodes.items()}


def pods_of(proc: Path, pids: Iterable[int]) -> frozenset[str]:
    """UIDs of the pods that these processes are in."""
    found = (pod_uid(_text(proc / str(pid) / "cgroup")) for pid in pids)
    return frozenset(uid for uid in found if uid)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:  # a process that has just ended
        return ""


def pod_uids(logs: Path) -> dict[tuple[str, str], str]:
    """UID by namespace and name of every pod of the node: kubelet names the folders of its pods' logs so. Of two pods
    of one name, one of which is gone, the newer one."""
    newest: dict[tuple[str, str], tuple[int, str]] = {}
    for folder in _entries(logs):
        namespace, _, rest = folder.name.partition("_")
        name, _, uid = rest.partition("_")
        if uid:
            age = _age(folder)
            newest[namespace, name] = max((age, uid), newest.get((namespace, name), (0, "")))
    return {pod: uid for pod, (_, uid) in newest.items()}


def _age(folder: Path) -> int:
    try:
        return folder.lstat().st_mtime_ns
    except OSError:
        return 0
