"""The demo's results, on the terminal and as one HTML page."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from eclip.report import comparison, html, svg
from eclip.report.comparison import Mix, Outcome
from eclip.report.demo_outcome import Alone

HOST_BOUND = 0.1
"""Share of a request alone above which a figure is the host's rather than the chip's."""


def table(mix: Mix) -> Table:
    """One row a strategy; what is best in its column stands out."""
    made = Table(title=mix.name, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in comparison.COLUMNS:
        made.add_column(column, justify="left" if column == "strategy" else "right", no_wrap=column == "strategy")
    best = max(range(len(mix.outcomes)), key=lambda index: mix.outcomes[index].throughput)
    for index, row in enumerate(comparison.rows(mix)):
        made.add_row(*row, style="bold" if index == best else "")
    return made


def caution(solo: Mapping[str, Alone]) -> str | None:
    """What to say if the host was too slow for the time scale, so that the chip waited for it."""
    slow = [found for found in solo.values() if found.host_share > HOST_BOUND]
    if not slow:
        return None
    worst = max(slow, key=lambda found: found.host_share)
    return (
        f"Host-bound: {worst.host_share:.0%} of a request of {worst.model} alone were the host's, so that strategies "
        "are compared by how this machine schedules its threads. Run it again on an idle machine, or with a larger "
        "--time-scale."
    )


def page(mixes: Sequence[Mix], solo: Mapping[str, Alone], time_scale: float) -> str:
    """Everything, with plots and links to the traces."""
    parts = [html.paragraph(text) for text in _method(time_scale)]
    warning = caution(solo)
    parts += [html.paragraph(warning)] if warning else []
    parts.append(html.table(*_alone(solo)))
    for mix in mixes:
        parts += _mix(mix)
    return html.page("ECLIP on an emulated MI50", parts)


def picture(mixes: Sequence[Mix]) -> str:
    """The throughput of all mixes under every strategy, as an SVG file of its own."""
    strategies = [outcome.strategy for outcome in mixes[0].outcomes]
    throughputs = {mix.name: [outcome.throughput for outcome in mix.outcomes] for mix in mixes}
    return svg.bars("throughput on an emulated MI50", "x solo", strategies, throughputs)


def _method(time_scale: float) -> list[str]:
    return [
        "Unmodified HIP programs on the distribution's own HIP runtime, over an emulated MI50 whose time waits for its "
        f"programs: {time_scale:g} µs of a program's CPU time cost 1 µs of GPU time; all times and rates are in GPU "
        "time, taken from the chip's own trace while all models were warm. Nothing here was measured on silicon: the "
        "chip's parameters are those of the product table, each with its source.",
        "Throughput: sum over the models of their rate over the rate they reach alone (1: one model alone). Worst p95: "
        "the largest p95 over the mean time alone. Switches: changes of stream per request as counted while it ran, "
        "summed over the models. req/J: requests of all models over the energy of the whole chip, idle power included. "
        "Predicted and formula: by how much the contention model (told the host's time per request, from the table "
        "below) and the paper's formula missed the mean time of a request, of the model that each missed most. Gaps: "
        "largest part of a request in which none of its kernels ran. n: requests measured.",
    ]


def _alone(solo: Mapping[str, Alone]) -> tuple[list[str], list[list[str]]]:
    columns = ["alone on the whole GPU", "kernels", "a request", "host's share", "n"]
    rows = [
        [
            found.model,
            str(len(found.profile.kernels)),
            f"{found.request_micros:.0f} µs",
            f"{found.host_share:.1%}",
            str(found.requests),
        ]
        for found in solo.values()
    ]
    return columns, rows


def _mix(mix: Mix) -> list[str]:
    strategies = [outcome.strategy for outcome in mix.outcomes]
    best = max(range(len(mix.outcomes)), key=lambda index: mix.outcomes[index].throughput)
    workers = [worker.name for worker in mix.outcomes[0].workers]
    return [
        html.heading(mix.name),
        html.table(comparison.COLUMNS, comparison.rows(mix), best=[best]),
        html.items(comparison.verdict(mix)),
        html.table(*_by_model(mix)),
        svg.bars("throughput, by model", "x solo", strategies, _by_worker(mix, workers, "speed")),
        svg.bars("p95 over the time alone", "x solo", strategies, _by_worker(mix, workers, "tail")),
        svg.bars(
            "requests per joule",
            "req/J",
            strategies,
            {"requests per joule": [outcome.requests_per_joule for outcome in mix.outcomes]},
        ),
        svg.bars("CUs busy on average", "CUs", strategies, {"CUs": [outcome.busy_cus for outcome in mix.outcomes]}),
        "<p>Traces (open them in <a href='https://ui.perfetto.dev'>Perfetto</a>) and reports: "
        + ", ".join(_links(outcome) for outcome in mix.outcomes)
        + "</p>",
    ]


def _by_model(mix: Mix) -> tuple[list[str], list[list[str]]]:
    columns = ["strategy", "model", "n", "measured", "predicted", "", "formula", "", "p95", "switches", "gaps"]
    rows = [
        [
            outcome.strategy,
            worker.name,
            str(worker.requests),
            f"{worker.measured_micros:.0f} µs",
            f"{worker.predicted_micros:.0f} µs",
            f"{worker.predicted_micros / worker.measured_micros - 1:+.1%}",
            f"{worker.formula_micros:.0f} µs",
            f"{worker.formula_micros / worker.measured_micros - 1:+.0%}",
            f"{worker.p95_micros:.0f} µs",
            f"{worker.switches:.1f}",
            f"{worker.gap_share:.1%}",
        ]
        for outcome in mix.outcomes
        for worker in outcome.workers
    ]
    return columns, rows


def _links(outcome: Outcome) -> str:
    report = outcome.trace.replace("trace.json", "report.html")
    return f"{html.link(outcome.trace, outcome.strategy)} ({html.link(report, 'report')})"


def _by_worker(mix: Mix, workers: Sequence[str], value: str) -> dict[str, list[float]]:
    return {
        name: [getattr(outcome.workers[index], value) for outcome in mix.outcomes] for index, name in enumerate(workers)
    }
