"""Tell on standard error what takes its time: a spinner on a terminal, else one line after two seconds."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

SILENT_SECONDS = 2.0


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say `what` while the body runs."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
        return
    timer = threading.Timer(SILENT_SECONDS, console.print, args=(f"{what} ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def bar(what: str) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, and what moves it, in percent."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task(what, total=100)
        yield lambda percent: shown.update(task, completed=percent)
