"""`eclip run`: keep a colocation file true."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eclip.cli import output, progress
from eclip.errors import EclipError, NotInForceError


def run(
    *,
    file: Annotated[Path, typer.Argument(metavar="COLOCATION", help="The colocation file.")],
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="End after this time; else when all workloads are.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as well: .html for people, else JSON.")
    ] = None,
    logs: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="For the programs' output (default: in the state root; the last 20 stay).",
        ),
    ] = None,
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Start the programs of a colocation file in their slots, plan them together, enforce the plan, and show them.

    A program that is idle leaves its CUs to the others within a second, and has them back when it launches again. A
    program that dies is started again as its `restart` says, or the rest is planned anew. Ctrl-C or SIGTERM ends all
    programs (again: by force). SIGHUP, or `eclip apply`, reads the file again.

    Workloads without a `command` are started by somebody else, in a slot made by `eclip slot create`.

    GPU memory is not divided: all programs together must fit, and a warning tells when the GPU is nearly full.

        eclip run colocation.yaml

        eclip run colocation.yaml --for 60 --report report.html -o json
    """
    from eclip import atomic, slot
    from eclip.host import leftovers
    from eclip.host.run import Run
    from eclip.host.view import LineView, LiveView
    from eclip.report import run_report

    root = slot.state_root()
    folder = logs or leftovers.logs(root)
    console = Console(stderr=True)
    with output.reserved(), (LiveView if console.is_terminal else LineView)(console) as view:
        with progress.working(f"Planning {file}"):
            made = Run(file, root, folder, view)
        made.work(seconds)
    answer = run_report.answer(made)
    if report:
        whole = run_report.page(made, answer) if report.suffix == ".html" else json.dumps(answer, indent=2) + "\n"
        atomic.write(report, whole)
    output.answer(answer, form, lambda: run_report.table(answer), to)
    _judge(answer)


def _judge(answer: dict[str, object]) -> None:
    """The exit code of a run: what failed, or what was never in force.

    Raises:
        EclipError: a program failed for good.
        NotInForceError: the hardware or a program did not follow its plan.
    """
    gpus = answer["gpus"]
    assert isinstance(gpus, list)
    workloads = [workload for gpu in gpus for workload in gpu["workloads"]]
    for workload in workloads:
        if workload["inForce"] is False:
            raise NotInForceError(f"workload {workload['name']}: not in force: {workload['why']}")
    for workload in workloads:
        if workload["exitCode"] not in (0, None, -15):
            raise EclipError(f"workload {workload['name']}: ended with {workload['exitCode']}; see {workload['log']}")
