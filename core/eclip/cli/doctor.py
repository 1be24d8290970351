"""`eclip doctor`: is this host fit?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from eclip.cli import output, progress
from eclip.errors import EclipError, NotInForceError

if TYPE_CHECKING:
    from eclip.host.fitness import Check

COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}


def doctor(
    *,
    sysfs: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="KFD topology to read (default: the host's); for tests and containers."),
    ] = None,
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Check this host: runtime, interposer, GPUs, permissions, queue budget, and that CU masks are honoured.

    Masks are proven twice: the runtime's read-back, and a probe kernel that reports where its workgroups ran (for
    gfx906, gfx908, gfx90a, gfx1030 and gfx1100; not yet run on silicon). Exit code 4 if a mask is not honoured.

        eclip doctor

        eclip doctor -o json
    """
    from eclip.host import examination
    from eclip.host.fitness import Verdict

    with progress.working("Examining this host"):
        checks = examination.examine(sysfs or examination.SYSFS)
    answer = {
        "checks": [{"what": check.what, "verdict": check.verdict.value, "finding": check.finding} for check in checks]
    }
    output.answer(answer, form, lambda: _table(checks), to)
    bad = [check for check in checks if check.verdict is Verdict.BAD]
    if bad:
        broken = any(word in bad[0].what for word in ("masks", "placement"))
        raise (NotInForceError if broken else EclipError)(f"{bad[0].what}: {bad[0].finding}")


def _table(checks: "list[Check]") -> Table:
    made = Table("check", "", "finding")
    for check in checks:
        made.add_row(check.what, f"[{COLOURS[check.verdict.value]}]{check.verdict.value}[/]", check.finding)
    return made
