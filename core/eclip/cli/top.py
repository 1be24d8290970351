"""`eclip top`: what the programs in all slots of this host do now."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from eclip.cli import output


def top(
    *,
    once: Annotated[bool, typer.Option("--once", help="Measure for one interval, answer, and end.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="Between two looks.")] = 1.0,
    form: output.Output = output.Format.TABLE,
) -> None:
    """Show every slot of this host live: kernels and requests per second, latency, groups, hops, in force or not.

    Rates are in wall time. Ctrl-C ends it. With -o json or yaml it answers once.

        eclip top

        eclip top --once -o json
    """
    from eclip import slot
    from eclip.host import watching

    root = slot.state_root()
    before = watching.look(root)
    if once or form is not output.Format.TABLE:
        time.sleep(interval)
        answer = watching.compare(before, watching.look(root))
        output.answer({"slots": answer}, form, lambda: _table(root, answer))
        return
    with Live(console=Console(), refresh_per_second=4) as live:
        while True:
            time.sleep(interval)
            now = watching.look(root)
            live.update(_table(root, watching.compare(before, now)))
            before = now


def _table(root: Path, slots: list[dict[str, Any]]) -> Table:
    made = Table(title=f"slots under {root}", title_justify="left")
    for column in ("slot", "model", "program", "kernels/s", "req/s", "p95", "groups", "hops/req", "mismatches/s"):
        made.add_column(column, justify="left" if column in ("slot", "model", "program") else "right")
    made.add_column("in force")
    for found in slots:
        programs = ", ".join(f"{program['name']} ({program['pid']})" for program in found["programs"])
        why = found["why"] if found["inForce"] is not False else f"[red]{found['why']}[/red]"
        for model in found["models"] or [None]:
            cells = ("", "", "", "", "", "", "") if model is None else _cells(model)
            made.add_row(found["slot"], cells[0], programs, *cells[1:], why)
    return made


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    p95 = model["p95Micros"]
    return (
        model["name"],
        f"{model['kernelsPerSecond']:.0f}",
        f"{model['requestsPerSecond']:.1f}",
        "" if p95 is None else f"{p95:.0f} µs",
        str(model["groups"]),
        f"{model['hopsPerRequest']:.1f}",
        f"{model['mismatchesPerSecond']:.1f}",
    )
