"""A run on the terminal: a live table, or plain lines where nobody looks at a screen."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from eclip.host.lifecycle import Phase
from eclip.host.readings import Proof
from eclip.host.run import Run
from eclip.host.shared_gpu import SharedGpu

LINES_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One worker, as shown. Times in GPU time."""

    worker: str
    state: str
    busy: bool
    requests: float
    """Per second."""
    p95_micros: float | None
    predicted_micros: float | None
    launches: float
    hops: float
    mismatches: int
    compute_units: float | None
    groups: int | None
    proof: Proof


def rows(run: Run) -> list[Row]:
    """All workers of a run, GPU by GPU."""
    return [
        _row(run, gpu, workload, worker)
        for gpu in run.gpus.values()
        for workload in gpu.lives
        for worker in gpu.models(workload) or (workload,)
    ]


def _row(run: Run, gpu: SharedGpu, workload: str, worker: str) -> Row:
    rates = run.history.rates(worker)
    scale = gpu.chip.time_scale
    part = next((part for part in gpu.plan.full.workers if part.name == worker), None) if gpu.plan else None
    pulse = gpu.pulses.get(worker)
    return Row(
        worker=worker,
        state=gpu.lives[workload].phase.value,
        busy=bool(pulse and pulse.busy),
        requests=rates.requests * scale,
        p95_micros=rates.p95_micros / scale if rates.p95_micros else None,
        predicted_micros=part.predicted_micros if part else None,
        launches=rates.launches * scale,
        hops=rates.hops,
        mismatches=rates.mismatches,
        compute_units=part.average_compute_units if part else None,
        groups=len(part.groups) if part else None,
        proof=gpu.proofs.get(workload, Proof(None, "")),
    )


def table(shown: list[Row], title: str) -> Table:
    """The rows for a terminal."""
    made = Table(title=title, title_justify="left")
    for column in ("worker", "state", "req/s", "p95", "predicted", "kernels/s", "CUs", "groups", "hops/req"):
        made.add_column(column, justify="left" if column in ("worker", "state") else "right")
    made.add_column("in force")
    for row in shown:
        state = row.state if row.busy or row.state != Phase.RUNNING else "idle"
        made.add_row(
            row.worker,
            state,
            f"{row.requests:.1f}",
            _micros(row.p95_micros),
            _micros(row.predicted_micros),
            f"{row.launches:.0f}",
            "" if row.compute_units is None else f"{row.compute_units:.1f}",
            "" if row.groups is None else str(row.groups),
            f"{row.hops:.1f}",
            f"[red]{row.proof.why}[/red]" if row.proof.in_force is False else row.proof.why,
        )
    return made


def _micros(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value / 1000:.1f} ms" if value >= 10_000 else f"{value:.0f} µs"


class LiveView:
    """A table that stays in its place; events scroll by above it."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._live.stop()

    def say(self, what: str) -> None:
        """Something happened."""
        self._live.console.print(what, markup=False, highlight=False)

    def show(self, run: Run, now: float) -> None:
        """New readings."""
        self._live.update(table(rows(run), f"{run.file.name}, {now - run.began:.0f} s"))


class LineView:
    """Events, and every few seconds a line a worker."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        return

    def say(self, what: str) -> None:
        """Something happened."""
        self._print(what)

    def show(self, run: Run, now: float) -> None:
        """New readings."""
        if now - self._shown < LINES_EVERY_S:
            return
        self._shown = now
        for row in rows(run):
            if row.requests or row.launches:
                p95 = f", p95 {_micros(row.p95_micros)}" if row.p95_micros else ""
                self._print(f"{row.worker}: {row.requests:.1f} req/s{p95}, {row.proof.why}")

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class QuietView:
    """One changing line on a terminal, nothing elsewhere: for a run that is part of something larger."""

    def __init__(self, console: Console, what: str) -> None:
        self._status = console.status(what)
        self._terminal = console.is_terminal

    def __enter__(self) -> Self:
        if self._terminal:
            self._status.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._status.stop()

    def say(self, what: str) -> None:
        """Kept in the run's report."""

    def show(self, run: Run, now: float) -> None:
        """Kept in the run's report."""
