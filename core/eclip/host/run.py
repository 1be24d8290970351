"""The loop of `eclip run`: one colocation file, kept true on all GPUs that it names, until it is over."""

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eclip.documents import colocation
from eclip.errors import EclipError
from eclip.host import control, gpus, leftovers, lifecycle, readings
from eclip.host.background import Background
from eclip.host.history import History, Look
from eclip.host.shared_gpu import Intent, SharedGpu

TICK_S = 0.02
"""How late a change of the active set may be noticed."""
LOOK_S = 0.5
"""Between two full readings of the statistics."""


class View(Protocol):
    """Who shows the run to its user."""

    def say(self, what: str) -> None:
        """Something happened."""

    def show(self, run: "Run", now: float) -> None:
        """New readings are there."""


class Run:
    """A colocation file at work."""

    def __init__(self, file: Path, root: Path, logs: Path, view: View) -> None:
        """Reads and plans the file; starts nothing yet.

        Raises:
            EclipError: the file is no good or no plan satisfies it.
        """
        self.file = file
        self.gpus: dict[int | str, SharedGpu] = {}
        self.history = History()
        self.events: list[tuple[float, str]] = []
        self.began = time.monotonic()
        self.ended = self.began
        self.stopped: float | None = None
        """When the run began to end."""
        self._root, self._logs, self._view = root, logs, view
        self._inbox = Inbox()
        self._stopping = False
        self._change: Change | None = None
        leftovers.sweep(root, self.say)
        self._follow(self._prepare(file))

    def work(self, seconds: float | None = None, enough: Callable[["Run"], bool] | None = None) -> None:
        """Run until all workloads are done, a signal says so, the time is up, or a look shows that it is `enough`.

        Leaves no program and no slot.
        """
        self.began = self.ended = time.monotonic()
        with self._inbox.open(), control.opened(self._root, self.file) as door:
            try:
                self._loop(door, seconds, enough)
            except BaseException:
                for gpu in self.gpus.values():
                    gpu.stop_all(force=True)
                raise
        self._look(self.ended)
        _let_go(self.gpus.values())

    def _loop(self, door: control.Door, seconds: float | None, enough: Callable[["Run"], bool] | None) -> None:
        looked = 0.0
        while not self._over():
            now = self.ended = time.monotonic()
            self._react(door, now, seconds)
            for gpu in self.gpus.values():
                gpu.step(now)
            if now - looked >= LOOK_S:
                looked = now
                self._look(now)
                if enough and not self._stopping and enough(self):
                    self._stop("enough was seen")
            select.select([door], [], [], TICK_S)

    def say(self, what: str) -> None:
        """Note an event, and show it."""
        self.events.append((time.monotonic() - self.began, what))
        self._view.say(what)

    def totals(self) -> dict[str, readings.Totals]:
        """By worker, over all GPUs."""
        return {worker: readings.total(gpu.ledger, worker) for gpu in self.gpus.values() for worker in gpu.workers}

    def _look(self, now: float) -> None:
        for gpu in self.gpus.values():
            gpu.look()
        meters = {name: gpu.chip.meter.reading() for name, gpu in self.gpus.items() if gpu.chip.meter}
        self.history.note(Look(now, self.totals(), meters))
        self._view.show(self, now)

    def _react(self, door: control.Door, now: float, seconds: float | None) -> None:
        self._take_changes(door)
        asked = self._inbox.take(signal.SIGTERM) + self._inbox.take(signal.SIGINT)
        time_is_up = seconds is not None and now - self.began >= seconds
        done = all(lifecycle.finished(gpu.lives) for gpu in self.gpus.values()) and any(
            gpu.lives for gpu in self.gpus.values()
        )
        if self._stopping and asked:
            for gpu in self.gpus.values():
                gpu.stop_all(force=True)
        elif not self._stopping and (asked or time_is_up or done):
            self._stop("stopping" if asked else "the time is up" if time_is_up else "all workloads are done")

    def _stop(self, why: str) -> None:
        self._stopping = True
        self._look(time.monotonic())
        self.stopped = time.monotonic()
        self.say(why)
        for gpu in self.gpus.values():
            gpu.follow(None)

    def _over(self) -> bool:
        return self._stopping and not any(gpu.lives for gpu in self.gpus.values())

    def _take_changes(self, door: control.Door) -> None:
        """One at a time: a file is read and planned beside the loop, and followed once all of it is found good."""
        if self._change is None:
            request = door.next_request()
            if request or self._inbox.take(signal.SIGHUP):
                file = request.file if request else self.file
                self._change = Change(file, request, Background(lambda: self._prepare(file)))
        change = self._change
        if change and (change.prepared.done or self._stopping):
            self._change = None
            answer = self._settle(change)
            self.say(f"nothing changed: {answer.error}" if answer.error else f"follows {change.file}")
            if change.request:
                change.request.answer(answer)

    def _settle(self, change: "Change") -> control.Answer:
        if self._stopping:
            return control.Answer(f"{change.file}: the run is ending", EclipError.exit_code)
        try:
            self._follow(change.prepared.result())
        except EclipError as error:
            return control.Answer(str(error), error.exit_code)
        # Answer only once the new tables are in force.
        for gpu in self.gpus.values():
            gpu.step(time.monotonic())
            gpu.step(time.monotonic())
        return control.Answer()

    def _prepare(self, file: Path) -> "Prepared":
        """Every GPU's part of a file, checked and planned; changes nothing."""
        spec = colocation.load(file)
        shared, holder = dict(self.gpus), f"eclip run {os.getpid()} of {self.file}"
        try:
            for name in spec.gpus:
                if name not in shared:
                    chip = gpus.find(name, str(file), self._root / "emulated" / self._logs.name)
                    shared[name] = SharedGpu(name, chip, self._root, self._logs, holder=holder, say=self.say)
            return Prepared(shared, {name: gpu.intend(spec) for name, gpu in shared.items()})
        except EclipError:
            _let_go(gpu for name, gpu in shared.items() if name not in self.gpus)
            raise

    def _follow(self, prepared: "Prepared") -> None:
        """All or nothing: every part was found good before the first one changes."""
        self.gpus = dict(prepared.gpus)
        for name, gpu in self.gpus.items():
            gpu.follow(prepared.intents[name])


def _let_go(shared: Iterable[SharedGpu]) -> None:
    """Let others have the GPUs. Nothing is left of an emulated one, unless an adopted program still runs on it."""
    for gpu in shared:
        gpu.claim.release()
        adopted = any(record.life.phase is lifecycle.Phase.ADOPTED for record in gpu.records.values())
        if gpu.chip.scratch and not adopted:
            shutil.rmtree(gpu.chip.scratch, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A colocation file that was found good, for all GPUs that it or the run names."""

    gpus: Mapping[int | str, SharedGpu]
    intents: Mapping[int | str, Intent]


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is to be followed, and who waits for the answer, if anybody does."""

    file: Path
    request: control.Request | None
    prepared: Background[Prepared]


class Inbox:
    """Signals that came and were not looked at yet."""

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}

    def take(self, number: signal.Signals) -> int:
        """How often it came since the last look."""
        return self._waiting.pop(number, 0)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Catch the signals while the body runs, and leave the handlers as they were."""
        numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
        before: Mapping[int, Callable[..., object] | int | None] = {
            number: signal.signal(number, self._note) for number in numbers
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        self._waiting[number] = self._waiting.get(number, 0) + 1
