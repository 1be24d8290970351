"""Edge: looks for programs that use a GPU and have never shaken hands. Without the host's /proc nobody looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eclip.emulated import clients
from eclip.errors import InputError
from eclip.node.report import Source
from eclip_node_agent import bypass, processes
from eclip_node_agent.bypass import Seat, User


@dataclass(frozen=True, slots=True)
class Host:
    """What of the host is mounted for us; None: it is not."""

    proc: Path | None = None
    pod_logs: Path | None = None
    """Kubelet's folder of logs: its names tell UIDs of pods."""
    kfd: Path = processes.KFD_PROCESSES
    emulated: Path | None = None
    """Where an emulated source would be."""


@dataclass
class Watchers:
    """Keeps since when each allocation has had a silent user."""

    host: Host
    _since: dict[str, float] = field(default_factory=dict)

    def pod_uids(self) -> Mapping[tuple[str, str], str]:
        """By namespace and name."""
        return processes.pod_uids(self.host.pod_logs) if self.host.pod_logs else {}

    def silent(
        self, source: Source | None, seats: Sequence[Seat], inodes: Mapping[str, int], now: float
    ) -> frozenset[str] | None:
        """Allocations with a silent user; None: nobody looks. `inodes`: of the statistics files, by allocation."""
        if self.host.proc is None:
            return None
        held = processes.holders(self.host.proc, inodes)
        explained = {pid for pids in held.values() for pid in pids}
        found = bypass.silent(self._users(self.host.proc, source), seats, explained)
        self._since = bypass.lasting(self._since, found, now)
        return frozenset(name for name, since in self._since.items() if now - since >= bypass.PATIENCE_S)

    def _users(self, proc: Path, source: Source | None) -> tuple[User, ...]:
        if source is Source.EMULATED and self.host.emulated:
            every = enumerate(_clients(self.host.emulated))
            return tuple(User(index, allocation=name) for index, name in every if name)
        return processes.users(proc, self.host.kfd)


def _clients(folder: Path) -> tuple[str, ...]:
    found: list[str] = []
    for chip in sorted(folder.glob("chip/chip*")):
        try:
            found += clients.allocations(chip)
        except InputError:
            continue
    return tuple(found)
