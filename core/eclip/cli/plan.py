"""`eclip plan`: who gets which CUs for which kernels, and what that is expected to bring."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group as Stack

from eclip.cli import output, progress, questions, values

if TYPE_CHECKING:
    from eclip.host import mix

GOALS = "What to plan for"
COSTS = "Costs and budgets"
STRATEGIES = ("whole-gpu", "static-split", "static-split-env", "model-wise", "per-kernel", "kernel-groups")
"""As in `eclip.planning`, which takes its time to import."""


def plan(
    *,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="FILE", help="A colocation file; flags override what it says."),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="MI50|SYSFS", help="A product, or a folder of KFD topology.")
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME=FILE", help="A worker and its kernel profile; repeat."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"One of {', '.join(STRATEGIES)}.", rich_help_panel=GOALS),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(metavar="fairness|throughput|energy|latency", rich_help_panel=GOALS)
    ] = None,
    objective_basis: Annotated[
        str | None,
        typer.Option(
            metavar="absolute|normalised",
            help="Times as they are (the paper's), or over the solo time (default).",
            rich_help_panel=GOALS,
        ),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="printed|corrected",
            help="alpha as the paper prints it, or less the GPU's CUs (default).",
            rich_help_panel=GOALS,
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=W", help="How much a worker counts (default 1).", rich_help_panel=GOALS),
    ] = None,
    latency: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MS", help="Longest time of a request, in milliseconds.", rich_help_panel=GOALS),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=MIN:MAX", help="Fewest and most CUs of a worker.", rich_help_panel=GOALS),
    ] = None,
    solver: Annotated[
        str | None, typer.Option(metavar="exact|pulp", help="The fast one, or the ILP that reads like the paper.")
    ] = None,
    max_switches: Annotated[
        int | None, typer.Option(metavar="N", help="Switches of a worker in one request.", rich_help_panel=COSTS)
    ] = None,
    max_streams: Annotated[
        int | None, typer.Option(metavar="N", help="Masked streams of all workers.", rich_help_panel=COSTS)
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(metavar="auto|paper|LIST", help="The sizes that every worker may use.", rich_help_panel=COSTS),
    ] = None,
    hop_micros: Annotated[
        float | None, typer.Option(metavar="X", help="Cost of one switch.", rich_help_panel=COSTS)
    ] = None,
    stream_micros: Annotated[
        float | None,
        typer.Option(metavar="X", help="Cost of a launch for each further stream in use.", rich_help_panel=COSTS),
    ] = None,
    form: output.Output = output.Format.JSON,
    to: output.To = None,
) -> None:
    """Plan a mix: groups of kernels, their CUs, and the times to expect.

    What the search says of itself: `gap` is how far the objective may be from the optimum. `objectiveMicros` is the
    paper's formula, `predictedMicros` the contention model.

        eclip plan -f colocation.yaml -o table

        eclip plan --gpu MI50 --profile a=alexnet.yaml --profile d=densenet201.yaml --latency a=5

        eclip plan --gpu MI50 --profile a=alexnet.yaml --profile b=albert.yaml --solver pulp --hop-micros 0
            --stream-micros 0 --objective-basis absolute        (exactly the paper's objective)
    """
    from eclip.host import mix
    from eclip.report import shapes

    changes = mix.Changes(
        weights=values.named("--weight", weight or [], values.positive, "W (a number above 0)"),
        latencies_ms=values.named("--latency", latency or [], values.positive, "MS (a number above 0)"),
        limits=values.named("--limit", limit or [], values.span, "MIN:MAX"),
        options={
            "strategy": strategy,
            "solver": solver,
            "objective": objective,
            "basis": objective_basis,
            "overlap": overlap,
            "hop_micros": hop_micros,
            "stream_micros": stream_micros,
            "max_switches": max_switches,
            "max_streams": max_streams,
            "sizes": _sizes(sizes),
        },
    )
    with progress.working("Planning"), output.reserved():
        plans = [_planned(question, changes) for question in questions.questions(file, gpu, profiles or [])]
    if len(plans) == 1:
        output.answer(plans[0], form, lambda: shapes.plan_table(plans[0]), to)
    else:
        output.answer({"gpus": plans}, form, lambda: Stack(*map(shapes.plan_table, plans)), to)


def _planned(question: questions.Question, changes: "mix.Changes") -> dict[str, Any]:
    from eclip import planning
    from eclip.gpu import products
    from eclip.report import shapes

    changed = question.mix.changed(changes)
    product = products.product(question.gpu.product)
    made = planning.make_plan(question.gpu, product, changed.workloads, changed.options)
    return shapes.plan_json(question.gpu, made.full)


def _sizes(value: str | None) -> Any:
    if value is None or value in ("auto", "paper"):
        return value
    return values.sizes("--sizes", value)
