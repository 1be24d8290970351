"""`eclip simulate`: what a mix would do under each strategy, before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack

from eclip.cli import output, progress, questions, values
from eclip.errors import InfeasibleError, InputError

if TYPE_CHECKING:
    from eclip.simulate import Arrivals

LOAD = "Load"


def simulate(
    *,
    file: Annotated[Path | None, typer.Option("-f", "--file", metavar="FILE", help="A colocation file.")] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="MI50|SYSFS", help="A product, or a folder of KFD topology.")
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME=FILE", help="A worker and its kernel profile; repeat."),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Repeat for several; default: all, `per-kernel-ioctl` among them."),
    ] = None,
    arrivals: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]KIND",
            help="closed (default), fixed:RATE, poisson:RATE, bursty:RATE:SIZE (requests/s), or recorded:FILE with a "
            "time in microseconds on each line. With NAME= for one worker; repeat.",
            rich_help_panel=LOAD,
        ),
    ] = None,
    requests: Annotated[
        int, typer.Option(metavar="N", min=1, help="Of the slowest worker.", rich_help_panel=LOAD)
    ] = 200,
    seed: Annotated[int, typer.Option(metavar="N", help="Of starts and random arrivals.", rich_help_panel=LOAD)] = 0,
    form: output.Output = output.Format.JSON,
    to: output.To = None,
) -> None:
    """Simulate a mix under each strategy: throughput, latency and power in virtual time.

    The same seed gives the same answer. Latency runs from a request's arrival to its end, whatever queues before it.

        eclip simulate -f colocation.yaml -o table

        eclip simulate --gpu MI50 --profile a=alexnet.yaml --profile d=densenet201.yaml --strategy whole-gpu
            --strategy kernel-groups --arrivals poisson:100 --arrivals d=bursty:20:5
    """
    from eclip.report import simulation

    with progress.working("Simulating"), output.reserved():
        asked = questions.questions(file, gpu, profiles or [])
        answers = [_simulated(one, strategy or (), arrivals or [], requests, seed) for one in asked]
    if len(answers) == 1:
        output.answer(answers[0], form, lambda: simulation.table(answers[0]), to)
    else:
        output.answer({"gpus": answers}, form, lambda: Stack(*map(simulation.table, answers)), to)


def _simulated(
    question: questions.Question, chosen: Sequence[str], given: Sequence[str], requests: int, seed: int
) -> dict[str, Any]:
    from eclip.report import simulation
    from eclip.simulate import strategies

    unknown = next((name for name in chosen if name not in strategies.STRATEGIES), None)
    if unknown is not None:
        raise InputError(f"--strategy {unknown}: should be one of {', '.join(strategies.STRATEGIES)}")
    load = _arrivals([worker.name for worker in question.mix.workloads], given)
    rows = [
        _row(question, name, load, requests, seed, alone=len(chosen) == 1) for name in chosen or strategies.STRATEGIES
    ]
    return {**simulation.head(question.gpu, requests, seed), "strategies": rows}


def _row(
    question: questions.Question, strategy: str, load: "Sequence[Arrivals]", requests: int, seed: int, *, alone: bool
) -> dict[str, Any]:
    from dataclasses import replace

    from eclip.gpu import products
    from eclip.report import simulation
    from eclip.simulate import strategies

    gpu, mix = question.gpu, question.mix
    options = replace(mix.options, strategy=strategy)
    product = products.product(gpu.product)
    try:
        plan, found = strategies.simulate(gpu, product, mix.workloads, options, load, requests=requests, seed=seed)
    except InfeasibleError as error:
        if alone:
            raise
        return {"strategy": strategy, "infeasible": str(error)}
    return simulation.strategy(strategy, plan, found)


def _arrivals(names: Sequence[str], given: Sequence[str]) -> "list[Arrivals]":
    from eclip.simulate import Arrivals

    every, own = Arrivals(), {}
    for flag in given:
        name, equals, rest = flag.partition("=")
        if not equals:
            every = _parsed(flag)
        elif name in names:
            own[name] = _parsed(rest)
        else:
            raise InputError(f"--arrivals {flag}: there is no worker of this name; there are {', '.join(names)}")
    return [own.get(name, every) for name in names]


def _parsed(text: str) -> "Arrivals":
    from eclip.simulate import arrivals

    kind, _, path = text.partition(":")
    return (
        arrivals.recorded(list(_times(values.path(path))), path)
        if kind == "recorded" and path
        else arrivals.parse(text)
    )


def _times(path: Path) -> Iterator[float]:
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            yield float(line)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: {line!r} is no time; give one in microseconds on each line"
            ) from None
