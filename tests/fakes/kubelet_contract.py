"""What the device plugin and a kubelet do for each other. The same for the fake kubelet and for the real one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eclip.node import record

SHARE, WHOLE = "eclip.dev/gpu-share", "eclip.dev/gpu"
WAIT_SECONDS = 60.0


class RefusedError(Exception):
    """A container is not admitted; says why."""


@dataclass(frozen=True)
class Admitted:
    """What a container has."""

    devices: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mapping[str, tuple[Path, bool]]
    """By path in the container: path on the node, and whether it is read-only."""
    nodes: tuple[str, ...] = ()
    """Device files."""

    @property
    def allocation(self) -> str:
        return self.environment["ECLIP_ALLOCATION"]


class Kubelet(Protocol):
    """A node's kubelet, with one GPU of four shares behind its plugin."""

    def allocatable(self, resource: str) -> int: ...

    def capacity(self, resource: str) -> int: ...

    def admit(self, name: str, resource: str, count: int = 1) -> Admitted: ...

    def seen_by(self, name: str) -> Admitted:
        """What the container has now, also after a restart of its own or of kubelet."""

    def end(self, name: str) -> None: ...

    def restart(self) -> None: ...

    def records(self) -> Mapping[str, str]:
        """Text of every record on the node's disk, by allocation."""


def until(what: str, condition: Callable[[], bool], within: float = WAIT_SECONDS) -> None:
    """Waits; fails with what was waited for."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        time.sleep(0.05)


def offered(kubelet: Kubelet, shares: int = 4, whole: int = 1) -> Callable[[], bool]:
    return lambda: kubelet.allocatable(SHARE) == shares and kubelet.allocatable(WHOLE) == whole


def it_offers_four_shares_and_the_whole_gpu(kubelet: Kubelet) -> None:
    until("four shares and a whole GPU", offered(kubelet))
    assert (kubelet.capacity(SHARE), kubelet.capacity(WHOLE)) == (4, 1)


def a_container_finds_its_slot_and_the_record_names_it(kubelet: Kubelet) -> None:
    given = kubelet.admit("one", SHARE)
    (device,) = given.devices
    found = record.Record.parse(kubelet.records()[given.allocation], "record")
    assert (found.slot, found.allocation) == (device, given.allocation)
    assert given.environment["ECLIP_SLOT"] == "/run/eclip/slot"
    assert given.environment["LD_PRELOAD"] == "/usr/local/lib/eclip/libeclip_hip.so"
    assert given.mounts["/run/eclip/slot/config"][1]
    assert not given.mounts["/run/eclip/slot/stats"][1]
    assert not given.mounts["/run/eclip/slot/profile"][1]
    assert given.mounts["/usr/local/lib/eclip/libeclip_hip.so"][1]


def a_whole_gpu_and_its_shares_exclude_each_other(kubelet: Kubelet) -> None:
    """A container has a share already."""
    until("no whole GPU while a share is in use", offered(kubelet, shares=4, whole=0))


def shares_in_use_survive_a_restart_of_kubelet(kubelet: Kubelet) -> None:
    before = kubelet.seen_by("one")
    kubelet.restart()
    until("shares after kubelet's restart", lambda: kubelet.allocatable(SHARE) == 4)
    assert kubelet.seen_by("one").allocation == before.allocation
    assert before.allocation in kubelet.records()
    assert kubelet.admit("two", SHARE).devices != before.devices


def there_are_no_more_than_four(kubelet: Kubelet) -> None:
    """Two have one."""
    kubelet.admit("three", SHARE)
    last = kubelet.admit("four", SHARE)
    try:
        kubelet.admit("five", SHARE)
    except RefusedError as refusal:
        assert "Insufficient" in str(refusal)
    else:
        raise AssertionError("a fifth share was given")
    kubelet.end("four")
    again = kubelet.admit("six", SHARE)
    assert again.devices == last.devices
    assert again.allocation != last.allocation


def two_shares_for_one_container_are_refused(kubelet: Kubelet) -> None:
    """Two are free at least."""
    try:
        kubelet.admit("greedy", SHARE, 2)
    except RefusedError as refusal:
        assert "more than one share per container is not supported yet" in str(refusal)
    else:
        raise AssertionError("two shares were given to one container")
