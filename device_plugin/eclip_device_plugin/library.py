"""Edge: the interposer on the node, one folder for every build, so that no file that a pod has mapped ever changes."""

import hashlib
import os
import shutil
from functools import cache
from importlib import metadata
from pathlib import Path

from eclip import node
from eclip.errors import EclipError
from eclip.host import entry


@cache
def version() -> str:
    """Folder below `lib` of the interposer that this package holds: its version and what it consists of.

    Raises:
        EclipError: the package was installed without its native part.
    """
    content = hashlib.sha256(entry.library().read_bytes()).hexdigest()
    return f"{metadata.version('eclip')}-{content[:12]}"


def path(state: Path, name: str) -> Path:
    """Where a build of the interposer is."""
    return state / "lib" / name / node.LIBRARY


def is_installed(state: Path) -> bool:
    """Whether new containers would find the interposer."""
    return path(state, version()).is_file()


def install(state: Path) -> Path:
    """Puts the interposer into its folder, whole or not at all; one that is there is left alone.

    Raises:
        EclipError: the file system refuses.
    """
    target = path(state, version())
    if target.is_file():
        return target
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with entry.library().open("rb") as source, unfinished.open("wb") as copy:
            shutil.copyfileobj(source, copy)
            os.fchmod(copy.fileno(), 0o555)
            os.fsync(copy.fileno())
        unfinished.rename(target)
    except OSError as error:
        raise EclipError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target
