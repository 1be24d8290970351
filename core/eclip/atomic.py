"""Files that are whole or untouched."""

import os
import tempfile
from pathlib import Path

from eclip.errors import EclipError


def write(path: Path, content: str) -> None:
    """Write a file so that a reader sees all of it or what was there before.

    Raises:
        EclipError: the folder does not exist or is not writable.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise EclipError(f"{path}: cannot be written ({error.strerror})") from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise EclipError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
