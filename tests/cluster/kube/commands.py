"""Commands that end in time, and conditions that come true in time."""

import subprocess
import time
from collections.abc import Callable, Mapping
from os import PathLike
from typing import IO, TypeVar

Word = str | PathLike[str]
T = TypeVar("T")
MORTAL = ("setpriv", "--pdeathsig=KILL", "--")
"""Before a command: it ends with the thread that starts it, however that ends."""
EVERY_S = 0.1
LAST_LINES = 15


class ClusterError(Exception):
    """What went wrong with the test cluster, in a form to read."""


def run(
    *command: Word,
    within: float = 60.0,
    given: str | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Standard output of a command, which reads `given`. Raises ClusterError if it fails or takes longer than `within`
    seconds."""
    name = " ".join(map(str, command))[:200]
    try:
        done = subprocess.run(
            command,
            **({"input": given} if isinstance(given, str) else {"stdin": given or subprocess.DEVNULL}),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{name}: not done in {within:g} s") from error
    except FileNotFoundError as error:
        raise ClusterError(f"{name}: no such command") from error
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-LAST_LINES:])
        raise ClusterError(f"{name}: exit status {done.returncode}\n{said}")
    return done.stdout


def until(what: str, condition: Callable[[], T | None], *, within: float, every: float = EVERY_S) -> T:
    """The first true value of `condition`; a ClusterError that it raises counts as not yet."""
    end = time.monotonic() + within
    last: object = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except ClusterError as error:
            last = error
        if time.monotonic() >= end:
            raise ClusterError(f"not within {within:g} s: {what}; last: {last}")
        time.sleep(every)
