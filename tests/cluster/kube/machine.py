"""A machine of the cluster: namespaces and control groups of its own around the host's files."""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from kube.cgroups import Group, hierarchies
from kube.commands import ClusterError, run, until

INIT = Path(__file__).parent / "init.sh"
NAMESPACES = ("-m", "-n", "-p", "-u", "-i", "-C")
"""Mounts, network, processes, host name, IPC and control groups."""
SHOWN = (Path(__file__).parents[3], Path(sys.prefix), Path(sys.base_prefix))
"""Folders of the host that a machine sees wherever they lie: this checkout and its Python."""
BOOTS_WITHIN_S = 30.0
ENDS_WITHIN_S = 10.0


@dataclass(frozen=True)
class Machine:
    """One that lies in `folder` (on a file system that overlays can lie on, such as tmpfs)."""

    folder: Path
    name: str
    group: Group

    @property
    def files(self) -> Path:
        """What the machine sees as /machine."""
        return self.folder / "files"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Of its process 1, as the host counts."""
        return int((self.folder / "pid").read_text())

    @property
    def runs(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return Path(f"/proc/{self.pid}/root/run/up").exists()
        return False

    def boot(self, hosts: Iterable[str], commands: Path) -> None:
        """Starts it without any network; `commands` becomes its /machine/bin. What it wrote before is still there."""
        for part in ("upper", "work", "root", "lib", "log", "files/bin"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.files / "hosts").write_text("".join(f"{line}\n" for line in ("127.0.0.1 localhost", *hosts)))
        (self.folder / "pid").unlink(missing_ok=True)
        (self.folder / "launcher").unlink(missing_ok=True)
        self.group.make()
        self._launch(commands)
        until(f"{self.name} boots (see {self.folder / 'boot.log'})", self._up, within=BOOTS_WITHIN_S)
        for group in self.group.folders:  # version 2, see init.sh: what launched it has to leave the top group as well
            if (group / "init").is_dir():
                (group / "init" / "cgroup.procs").write_text((self.folder / "launcher").read_text())

    def _launch(self, commands: Path) -> None:
        mounts = "".join(f"{one.mount} {one.kind} {one.options}\n" for one in hierarchies())
        (self.folder / "mounts").write_text(mounts)
        script = f'{self._join("")} cd {self.folder}; echo $$ >launcher; exec "$@" <mounts >>boot.log 2>&1'
        unshare = ("unshare", *NAMESPACES, "--fork", "--kill-child=KILL")
        run("setsid", "--fork", "sh", "-c", script, "sh", *unshare, INIT, self.folder, self.name, commands, *SHOWN)

    def _up(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            launcher = int((self.folder / "launcher").read_text())
            children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
            (self.folder / "pid").write_text("".join(children[:1]))
        return self.runs

    def _join(self, below: str) -> str:
        """Shell code that moves the shell into the machine's control groups."""
        folders = [folder / below for folder in self.group.folders]
        return " ".join(
            f"echo 0 >{shlex.quote(str(folder))}/cgroup.procs;"
            for folder in (folder if folder.is_dir() else folder.parent for folder in folders)
        )

    def _entering(self) -> list[str]:
        join = f'{self._join("init")} exec "$@"'
        return ["sh", "-c", join, "sh", "nsenter", "-t", str(self.pid), *NAMESPACES, "--wd=/"]

    def run(self, *command: str | Path, within: float = 60.0, given: str | IO[bytes] | None = None) -> str:
        """Standard output of a command inside."""
        return run(*self._entering(), *command, within=within, given=given)

    def network(self, commands: Iterable[str]) -> None:
        """`ip` commands, one a line, in the machine's network namespace."""
        lines = "".join(f"{line}\n" for line in commands)
        run("nsenter", "-t", str(self.pid), "-n", "ip", "-batch", "-", given=lines)

    def start(self, daemon: str, *command: str | Path) -> None:
        """Starts a command that stays, under the name `daemon`; its output is appended to /var/log/`daemon`.log."""
        script = f'echo $$ >/run/{daemon}.pid; exec "$@" >>/var/log/{daemon}.log 2>&1 </dev/null'
        self.run("setsid", "--fork", "sh", "-c", script, "sh", *command)

    def alive(self, daemon: str) -> bool:
        """Whether the daemon's process is there."""
        with contextlib.suppress(ClusterError):
            self.run("sh", "-c", f"kill -0 $(cat /run/{daemon}.pid)")
            return True
        return False

    def kill(self, daemon: str) -> None:
        """Ends a daemon at once, as kill -9 does, and sees it gone; what it started goes on."""
        self.run("sh", "-c", f"kill -9 $(cat /run/{daemon}.pid)")
        until(f"{daemon} of {self.name} is gone", lambda: not self.alive(daemon), within=ENDS_WITHIN_S)

    def cut_power(self) -> None:
        """Ends everything in it at once. Its files stay, also over the next boot."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(self.pid, 9)
        self.group.end()
