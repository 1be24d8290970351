"""`make demo`: two mixes of the paper on an emulated MI50, under every strategy, compared.

Everything is done anew each time: profiles, runs, plans, numbers. Nothing is taken from an earlier demo.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from eclip import atomic
from eclip.contention import predict
from eclip.documents import profile
from eclip.documents.profile import KernelProfile
from eclip.emulated import EmulatedGpu
from eclip.errors import EclipError
from eclip.host import emulation, entry, profiling, view
from eclip.host.chip import Chip
from eclip.host.run import Run
from eclip.plan import Plan
from eclip.report import comparison, demo_page, request_times, run_report, trace_excerpt
from eclip.report.demo_outcome import Alone, alone, outcome
from eclip.report.request_times import Served
from eclip.slot import table

STRATEGIES = ("whole-gpu", "static-split", "model-wise", "per-kernel", "kernel-groups")
MIXES = {"Mix 7": ("alexnet", "alexnet", "alexnet"), "Mix 2": ("albert", "densenet201")}
"""As the paper numbers them."""
LONGEST_S = 90.0
FEWEST_REQUESTS = 20
"""Of every model in a run, after its warm-up."""
PROFILING = table.Profiling(warm_up_requests=2, repeats=5)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo works, and for how long."""

    folder: Path
    time_scale: float
    requests: int
    """Of every model in one run, at least."""
    console: Console

    def chip(self, name: str, *, trace: bool = False) -> EmulatedGpu:
        """A fresh emulated MI50, so that meters and traces begin at nothing."""
        made = EmulatedGpu("MI50", self.folder / "chips" / name, self.time_scale, virtual_time=True, trace=trace)
        return made.create()

    def state(self) -> Path:
        """The state root of the demo's runs; short, because sockets want short paths."""
        return Path(os.environ["ECLIP_STATE"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and write its report. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="eclip.report.demo", description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("demo-output"), help="folder of the report")
    parser.add_argument("--time-scale", type=float, default=16.0, help="CPU time over the GPU time that it costs")
    parser.add_argument("--requests", type=int, default=FEWEST_REQUESTS, help="of every model in a run, at least")
    chosen = parser.parse_args(arguments)
    shutil.rmtree(chosen.to, ignore_errors=True)
    chosen.to.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="eclip-demo-") as state, _state_root(Path(state)):
        stage = Stage(
            chosen.to.resolve(), chosen.time_scale, chosen.requests, Console(width=None if sys.stdout.isatty() else 124)
        )
        try:
            _play(stage)
        except EclipError as error:
            print(f"demo: {error}", file=sys.stderr)  # noqa: T201 - this is a program
            return error.exit_code
    return 0


@contextmanager
def _state_root(state: Path) -> Iterator[None]:
    before = os.environ.get("ECLIP_STATE")
    os.environ["ECLIP_STATE"] = str(state)
    try:
        yield
    finally:
        os.environ.pop("ECLIP_STATE")
        if before is not None:
            os.environ["ECLIP_STATE"] = before


def _play(stage: Stage) -> None:
    began = time.monotonic()
    models = tuple(dict.fromkeys(model for mix in MIXES.values() for model in mix))
    profiles = {model: _profile(stage, model) for model in models}
    solo = {model: _alone(stage, model, profiles[model]) for model in models}
    mixes = [_mix(stage, name, members, solo) for name, members in MIXES.items()]
    if warning := demo_page.caution(solo):
        stage.console.print(f"\n{warning}", highlight=False, style="bold")
    for mix in mixes:
        stage.console.print()
        stage.console.print(demo_page.table(mix))
        for sentence in comparison.verdict(mix):
            stage.console.print(f"  {sentence}", markup=False, highlight=False, soft_wrap=True)
    atomic.write(stage.folder / "report.html", demo_page.page(mixes, solo, stage.time_scale))
    atomic.write(stage.folder / "throughput.svg", demo_page.picture(mixes))
    took = time.monotonic() - began
    stage.console.print(
        f"\nReport: {_shown(stage.folder / 'report.html')} ({took:.0f} s)", highlight=False, soft_wrap=True
    )
    if not all(mix.checksums_equal for mix in mixes):
        raise EclipError("a model computed something else under some strategy; see the table")


def _profile(stage: Stage, model: str) -> KernelProfile:
    """As `eclip profile` does it."""
    to = stage.folder / "profiles" / f"{model}.yaml"
    to.parent.mkdir(exist_ok=True)
    stage.console.print(f"$ eclip profile --gpu emulated --to {_shown(to)} -- {model}", highlight=False, soft_wrap=True)
    chip = emulation.chip_of(stage.chip(f"profile-{model}"))
    wish = profiling.Wish((str(_program(model)),), model, profiling.sizes(chip, None), PROFILING)
    with stage.console.status(f"Profiling {model}"):
        found = profiling.run(wish, chip, stage.state(), lambda _: None)
    atomic.write(to, profile.dump(found))
    return found


def _alone(stage: Stage, model: str, kernels: KernelProfile) -> Alone:
    played = _run(stage, f"alone-{model}", "whole-gpu", (model,), {model: kernels})
    return alone(model, kernels, played.served[model], played.chip.product.launch_micros)


def _mix(stage: Stage, name: str, members: tuple[str, ...], solo: Mapping[str, Alone]) -> comparison.Mix:
    models = dict(zip(_names(members), members, strict=True))
    outcomes = []
    for strategy in STRATEGIES:
        where = f"{name.replace(' ', '').lower()}-{strategy}"
        played = _run(stage, where, strategy, members, {name: solo[model].profile for name, model in models.items()})
        outcomes.append(
            outcome(
                strategy,
                played.report,
                models=models,
                solo=solo,
                predicted=_predicted(played, models, solo),
                served=played.served,
                hop_micros=played.chip.product.hop_micros,
                trace=f"runs/{where}/trace.json",
            )
        )
    return comparison.Mix(f"{name}: {' + '.join(members)}", played.chip.gpu.compute_units, tuple(outcomes))


def _predicted(played: "Played", models: Mapping[str, str], solo: Mapping[str, Alone]) -> dict[str, float]:
    """Times of a request by the contention model, told how long this machine's host takes between two requests."""
    planned = [
        predict.PlannedWorker(
            solo[models[worker.name]].profile, worker.groups, worker.streams, solo[models[worker.name]].host_micros
        )
        for worker in played.plan.workers
    ]
    times = predict.predict(played.chip.gpu, played.chip.product, planned)
    return {worker.name: time for worker, time in zip(played.plan.workers, times, strict=True)}


@dataclass(frozen=True, slots=True)
class Played:
    """A run that is over."""

    report: Mapping[str, Any]
    served: Mapping[str, Served]
    plan: Plan
    chip: Chip


def _run(
    stage: Stage, where: str, strategy: str, members: tuple[str, ...], profiles: Mapping[str, KernelProfile]
) -> Played:
    """As `eclip run` does it: report, log and trace end up in a folder of the run's own."""
    folder = stage.folder / "runs" / where
    folder.mkdir(parents=True)
    file = folder / "colocation.yaml"
    file.write_text(_colocation(strategy, members))
    stage.console.print(f"$ eclip run {_shown(file)}", highlight=False, soft_wrap=True)
    emulated = stage.chip(where, trace=True)
    os.environ["ECLIP_EMULATOR"] = str(emulated.config_path)
    try:
        with view.QuietView(stage.console, f"{strategy}: {', '.join(members)}") as quiet:
            run = Run(file, stage.state(), folder / "logs", quiet)
            run.work(LONGEST_S, lambda run: _enough(run, stage.requests))
    finally:
        del os.environ["ECLIP_EMULATOR"]
    report = run_report.answer(run)
    atomic.write(folder / "report.html", run_report.page(run, report))
    programs = emulated.programs()
    trace_excerpt.write(programs, folder / "trace.json")
    shutil.rmtree(emulated.folder)
    (gpu,) = run.gpus.values()
    if gpu.last_plan is None:
        raise EclipError(f"{file}: was never planned; see {folder / 'report.html'}")
    pids = {workload["pid"]: workload["name"] for workload in report["gpus"][0]["workloads"]}
    traced = {pids[program.pid]: program for program in programs if program.pid in pids}
    if len(traced) < len(members):
        raise EclipError(f"{file}: a program left no trace; see {folder / 'logs'}")
    served = request_times.served(traced, {name: len(profiles[name].kernels) for name in traced})
    return Played(report, served, gpu.last_plan.full, gpu.chip)


def _enough(run: Run, requests: int) -> bool:
    """Steady for so many requests of every model: a slow machine takes its time."""
    workers = run.totals()
    steady = run.history.steady(workers, run.ended)
    if not workers or not steady:
        return False
    first, last = steady
    return all(last.done_since(first, worker).requests >= requests for worker in workers)


def _colocation(strategy: str, members: tuple[str, ...]) -> str:
    head = ["apiVersion: eclip.dev/v1alpha1", "kind: Colocation", "spec:", "  gpu: emulated"]
    lines = [*head, f"  strategy: {strategy}", "  workloads:"]
    for name, model in zip(_names(members), members, strict=True):
        lines.append(f"  - {{name: {name}, command: [{_program(model)}], profiles: [../../profiles/{model}.yaml]}}")
    return "\n".join(lines) + "\n"


def _names(members: tuple[str, ...]) -> list[str]:
    """A model that is there twice gets a number."""
    return [
        model if members.count(model) == 1 else f"{model}-{members[:place].count(model) + 1}"
        for place, model in enumerate(members)
    ]


def _program(model: str) -> Path:
    path = entry.NATIVE / "workloads" / model
    if not path.exists():
        raise EclipError(f"{path} is missing; 'make native' builds it")
    return path


def _shown(path: Path) -> str:
    return os.path.relpath(path)


if __name__ == "__main__":
    sys.exit(main())
