"""`eclip apply`: give a running `eclip run` its file again, or another one."""

from pathlib import Path
from typing import Annotated

import typer

from eclip.cli import progress


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The colocation file as it should be from now on.")],
) -> None:
    """Have a running `eclip run` follow this file: workloads come, go or change weight; nothing else is restarted.

    The run answers when the new tables are written. A file that is no good, or that no plan satisfies, changes nothing.
    `kill -HUP` on the run does the same with the file that it was started with.

        eclip apply colocation.yaml
    """
    from eclip import slot
    from eclip.host import control

    with progress.working(f"Applying {file}"):
        run = control.apply(slot.state_root(), file)
    typer.echo(f"applied by run {run}", err=True)
