"""Work that takes its time, beside a loop that must go on watching."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """One piece of work in a thread of its own. Nobody waits for a thread that is no longer wanted: not even the end of
    the process."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: Exception | None = None
        threading.Thread(target=self._run, daemon=True).start()

    @property
    def done(self) -> bool:
        """True once `result` can be had."""
        return bool(self._found) or self._error is not None

    def result(self) -> T:
        """What the work returned; raises what the work raised. Only when it is done."""
        if self._error:
            raise self._error
        return self._found[0]

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except Exception as error:  # raised again where the result is taken
            self._error = error
