"""Control groups for a machine: one in every hierarchy there is, whether version 1, 2 or both."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from kube.commands import until

GONE_WITHIN_S = 20.0


@dataclass(frozen=True)
class Hierarchy:
    """One mounted control group file system."""

    mount: Path
    kind: str
    """`cgroup` (version 1) or `cgroup2`."""
    options: str
    """What mounts it anew, such as `cpu,cpuacct` or `none,name=systemd`; empty for version 2."""

    @property
    def controllers(self) -> set[str]:
        if self.kind == "cgroup":
            return set(self.options.split(","))
        return set((self.mount / "cgroup.controllers").read_text().split())


def hierarchies() -> list[Hierarchy]:
    """All that this machine has mounted, version 2 last."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", maxsplit=2)
        if kind in ("cgroup", "cgroup2"):
            found.append(Hierarchy(Path(before.split()[4]), kind, _to_mount(options) if kind == "cgroup" else ""))
    return sorted({hierarchy.mount: hierarchy for hierarchy in found}.values(), key=lambda one: one.kind)


def _to_mount(options: str) -> str:
    kept = [option for option in options.split(",") if option not in ("rw", "ro", "xattr", "clone_children")]
    kept = [option for option in kept if not option.startswith(("release_agent=", "nsroot="))]
    return ",".join(["none", *kept] if any(option.startswith("name=") for option in kept) else kept)


@dataclass(frozen=True)
class Group:
    """The control groups `path` (such as `eclip-1/node-a`) of all hierarchies."""

    path: str

    @property
    def folders(self) -> list[Path]:
        return [hierarchy.mount / self.path for hierarchy in hierarchies()]

    def make(self) -> None:
        for hierarchy in hierarchies():
            folder = hierarchy.mount
            for part in self.path.split("/"):
                _enable_below(folder)
                folder /= part
                folder.mkdir(exist_ok=True)
                _seed_cpuset(folder)

    def processes(self) -> list[int]:
        """Of the group and all below it."""
        found: set[int] = set()
        for folder in self.folders:
            for below, _, _ in os.walk(folder):  # which passes over what ends as we look
                with contextlib.suppress(OSError):
                    found.update(int(line) for line in (Path(below) / "cgroup.procs").read_text().split())
        return sorted(found - {0})

    def end(self) -> None:
        """Kills everything in it and removes it, so that nothing of it is left."""
        until(f"the processes of {self.path} are gone", self._killed, within=GONE_WITHIN_S, every=0.05)
        self.remove()

    def remove(self) -> None:
        for folder in self.folders:
            for below, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    Path(below).rmdir()

    def _killed(self) -> bool:
        left = self.processes()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left


def _enable_below(folder: Path) -> None:
    """Version 2 hands a controller to the groups below only where it is told to."""
    control = folder / "cgroup.subtree_control"
    if not control.exists():
        return
    missing = set((folder / "cgroup.controllers").read_text().split()) - set(control.read_text().split())
    for controller in sorted(missing):
        with contextlib.suppress(OSError):  # such as cpu beside real-time processes; the requirements name what matters
            control.write_text(f"+{controller}")


def _seed_cpuset(folder: Path) -> None:
    """Version 1 refuses processes in a cpuset without processors or memory, and hands none down by itself."""
    if not (folder / "cpuset.cpus").exists() or not (folder / "cgroup.clone_children").exists():
        return
    for name in ("cpuset.cpus", "cpuset.mems"):
        (folder / name).write_text((folder.parent / name).read_text())
    (folder / "cgroup.clone_children").write_text("1")
