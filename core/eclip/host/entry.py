"""What a program needs in its environment to come under a slot, in the words of whoever starts it. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import eclip
from eclip.errors import EclipError

NATIVE = Path(eclip.__file__).parent / "native"
MOST_QUEUES = 4
"""HIP's own default of GPU_MAX_HW_QUEUES."""


class Mode(StrEnum):
    """What the interposer does."""

    ENFORCE = "enforce"
    PROFILE = "profile"
    OBSERVE = "observe"
    OFF = "off"


class Starter(StrEnum):
    """Who starts the program, for `eclip slot create --print`."""

    ENV = "env"
    DOCKER = "docker"
    SYSTEMD = "systemd"


@dataclass(frozen=True, slots=True)
class Entry:
    """The way into one slot."""

    folder: Path
    library: Path
    mode: Mode = Mode.ENFORCE
    queues: int = 1
    """Hardware queues for the application's own streams; every further one counts against the GPU's queue slots."""

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables to add to `base`; what is preloaded there already stays, what is set there about queues wins."""
        before = (base or {}).get("LD_PRELOAD", "")
        preload = f"{self.library}:{before}" if before else str(self.library)
        variables = {"LD_PRELOAD": preload, "ECLIP_SLOT": str(self.folder), "ECLIP_MODE": self.mode.value}
        if "GPU_MAX_HW_QUEUES" not in (base or {}):
            variables["GPU_MAX_HW_QUEUES"] = str(min(MOST_QUEUES, max(1, self.queues)))
        return variables

    def told_to(self, starter: Starter) -> str:
        """Text to paste: shell lines, `docker run` flags, or a systemd drop-in."""
        if starter is Starter.DOCKER:
            return _docker(self)
        if starter is Starter.SYSTEMD:
            lines = [f'Environment="{name}={value}"' for name, value in self.environment().items()]
            return "\n".join(["[Service]", *lines]) + "\n"
        return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.environment().items())


def library() -> Path:
    """The interposer.

    Raises:
        EclipError: the package was installed without its native part.
    """
    path = NATIVE / "libeclip_hip.so"
    if not path.is_file():
        raise EclipError(f"{path}: the interposer is missing; run 'make native', or install a built package")
    return path


def _docker(entry: Entry) -> str:
    inside, inside_library = "/run/eclip/slot", "/opt/eclip/libeclip_hip.so"
    moved = Entry(Path(inside), Path(inside_library), entry.mode, entry.queues)
    flags = ["--device=/dev/kfd", "--device=/dev/dri"]
    flags += [f"--volume={entry.library}:{inside_library}:ro", f"--volume={entry.folder}/config:{inside}/config:ro"]
    flags += [f"--volume={entry.folder}/{name}:{inside}/{name}" for name in ("stats", "profile")]
    flags += [f"--env={name}={value}" for name, value in moved.environment().items()]
    return " \\\n  ".join(shlex.quote(flag) for flag in flags) + "\n"
