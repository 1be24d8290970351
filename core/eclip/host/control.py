"""Edge: the socket through which `eclip apply` speaks to a running `eclip run`. One JSON line each way."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eclip.errors import EclipError, InfeasibleError, InputError, NotInForceError

FOLDER = "runs"
LONGEST_LINE = 65536
PATIENCE_S = 60.0
GLANCE_S = 1.0
"""How long the run, which has other things to do, waits for the end of a request's line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run says to a request: done, or the error and its exit code."""

    error: str = ""
    exit_code: int = 0


class Door:
    """The listening end, in the state root, readable by its owner only."""

    def __init__(self, root: Path, file: Path) -> None:
        self._file = file
        self._path = root / FOLDER / f"{os.getpid()}.sock"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(mask)
        self._socket.listen()
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """For a selector."""
        return self._socket.fileno()

    def next_request(self) -> "Request | None":
        """Somebody who wants a file applied, or None. Answers by itself who only asks which file this run has."""
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return None
        connection.settimeout(GLANCE_S)
        message = _receive(connection)
        if "apply" in message:
            return Request(connection, Path(str(message["apply"])))
        _send(connection, {"file": str(self._file), "pid": os.getpid()})
        connection.close()
        return None

    def close(self) -> None:
        """Stop listening and take the socket away."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


@contextmanager
def opened(root: Path, file: Path) -> Iterator[Door]:
    """A door that is closed again whatever happens."""
    door = Door(root, file)
    try:
        yield door
    finally:
        door.close()


@dataclass(frozen=True, slots=True)
class Request:
    """Wants `file` applied, and waits for the answer."""

    connection: socket.socket
    file: Path

    def answer(self, answer: Answer) -> None:
        """Say how it went; the asker may have gone away."""
        with self.connection:
            _send(self.connection, {"error": answer.error, "exitCode": answer.exit_code})


def apply(root: Path, file: Path) -> int:
    """Have the run of this file (or the only one there is) read it again. Returns the run's process id.

    Raises:
        InputError: no run, or no way to tell which is meant.
        EclipError: the run refused the file; it goes on as before.
    """
    runs = _runs(root)
    same = [path for path, known in runs.items() if known == file.resolve()]
    if not runs:
        raise InputError(f"{file}: no 'eclip run' is active under {root}")
    if len(runs) > 1 and len(same) != 1:
        files = ", ".join(str(known) for known in runs.values())
        raise InputError(f"{file}: several runs are active, of {files}; apply one of these files")
    path = same[0] if same else next(iter(runs))
    reply = _ask(path, {"apply": str(file.resolve())})
    if reply is None:
        raise EclipError(f"{file}: the run {path.stem} ended before it could answer")
    if "error" not in reply:
        raise EclipError(f"{file}: the run {path.stem} did not say within {PATIENCE_S:.0f} s whether it follows it")
    if reply["error"]:
        kinds = {kind.exit_code: kind for kind in (InputError, InfeasibleError, NotInForceError)}
        raise kinds.get(int(str(reply.get("exitCode", 1))), EclipError)(str(reply["error"]))
    return int(path.stem)


def _runs(root: Path) -> dict[Path, Path]:
    found = {}
    for path in sorted((root / FOLDER).glob("*.sock")):
        reply = _ask(path, {"ask": "file"})
        if reply is None:
            path.unlink(missing_ok=True)  # left by a run that was killed
        else:
            found[path] = Path(str(reply.get("file", "")))
    return found


def _ask(path: Path, message: dict[str, str]) -> dict[str, object] | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_S)
        try:
            connection.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        _send(connection, message)
        return _receive(connection)


def _send(connection: socket.socket, message: dict[str, object] | dict[str, str]) -> None:
    try:
        connection.sendall(json.dumps(message).encode() + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return


def _receive(connection: socket.socket) -> dict[str, object]:
    received = b""
    while not received.endswith(b"\n") and len(received) < LONGEST_LINE:
        try:
            part = connection.recv(4096)
        except (ConnectionResetError, TimeoutError):
            break
        if not part:
            break
        received += part
    try:
        message = json.loads(received)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
