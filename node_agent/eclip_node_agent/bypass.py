"""Who uses a GPU without having said a word to us. Pure; `processes` looks."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

_POD = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?=[./\n]|$)")
"""In a path of cgroups: below kubepods, by either driver of kubelet's; pods from files have no dashes in their UID."""
PATIENCE_S = 2.0
"""A process opens the GPU a moment before it shakes hands."""


@dataclass(frozen=True, slots=True)
class User:
    """A process that has the GPU open."""

    pid: int
    """As the host counts, or as the emulated chip numbers its clients."""
    pod_uid: str | None = None
    allocation: str | None = None
    """An emulated chip knows its clients by allocation."""


def pod_uid(cgroups: str) -> str | None:
    """The UID of the pod in whose cgroup a process is, from its /proc/<pid>/cgroup."""
    found = _POD.search(cgroups)
    return found[1].replace("_", "-") if found else None


def lock_holders(locks: str) -> dict[int, set[int]]:
    """By inode: pids that hold a POSIX lock, from /proc/locks."""
    holders: dict[int, set[int]] = {}
    for line in locks.splitlines():
        parts = line.split()
        if len(parts) >= 8 and parts[1] == "POSIX" and parts[4].isdecimal():
            inode = parts[5].rpartition(":")[2]
            if inode.isdecimal():
                holders.setdefault(int(inode), set()).add(int(parts[4]))
    return holders


@dataclass(frozen=True, slots=True)
class Seat:
    """An occupied allocation, as far as it matters here."""

    allocation: str
    pod_uid: str | None
    handshakes: int
    """Living programs that have shaken hands."""


def silent(users: Iterable[User], seats: Collection[Seat], explained: Collection[int]) -> frozenset[str]:
    """Allocations in which somebody uses the GPU silently.

    Args:
        explained: pids of those who have shaken hands, as the host counts.
    """
    found = set()
    known = list(users)
    for seat in seats:
        named = sum(user.allocation == seat.allocation for user in known)
        if named > seat.handshakes:
            found.add(seat.allocation)
    by_pod: dict[str, list[Seat]] = {}
    for seat in seats:
        if seat.pod_uid:
            by_pod.setdefault(seat.pod_uid, []).append(seat)
    for user in known:
        if user.allocation is None and user.pod_uid in by_pod and user.pid not in explained:
            mates = by_pod[user.pod_uid]
            # Which container of the pod it is in is not known: one without any handshake, if there is one.
            found.update(seat.allocation for seat in [s for s in mates if not s.handshakes] or mates)
    return frozenset(found)


def lasting(since: Mapping[str, float], now: Collection[str], at: float) -> dict[str, float]:
    """By allocation: since when it has been so."""
    return {name: since.get(name, at) for name in now}
