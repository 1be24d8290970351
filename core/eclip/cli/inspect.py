"""`eclip inspect`: any of our files, readable."""

from pathlib import Path
from typing import Annotated

import typer

from eclip.cli import output


def inspect(
    *,
    path: Annotated[Path, typer.Argument(metavar="FILE|FOLDER", help="What to look at.")],
    form: output.Output = output.Format.TABLE,
    to: output.To = None,
) -> None:
    """Show any file of ours: kernel profile, colocation, plan, lookup table, slot folder, statistics, trace.

    The kind is told from the content, not from the name.

        eclip inspect alexnet.yaml

        eclip inspect /run/eclip/slots/vision/3f2a9c71d0b4 -o json
    """
    from eclip.report import files

    found = files.inspect(path)
    output.answer(found.answer, form, found.table, to)
