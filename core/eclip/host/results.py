"""What a program itself says about its work: a JSON object as the last line of its output. Pure."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TAIL_BYTES = 65536


def of_text(text: str) -> Mapping[str, Any] | None:
    """The last line, if it is a JSON object."""
    lines = text.strip().rsplit("\n", 1)
    try:
        found = json.loads(lines[-1])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def of_log(path: Path) -> Mapping[str, Any] | None:
    """The same of a program's log, of which only the end is read."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - TAIL_BYTES))
            return of_text(log.read().decode(errors="replace"))
    except FileNotFoundError:
        return None
