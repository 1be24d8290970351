"""How every command answers: `-o json|yaml|table` on standard output, `--to FILE` into a file, whole or not at all."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console, RenderableType

from eclip import atomic


class Format(StrEnum):
    """What standard output carries."""

    JSON = "json"
    YAML = "yaml"
    TABLE = "table"


Output = Annotated[Format, typer.Option("-o", "--output", help="Form of the answer.", rich_help_panel="Answer")]
To = Annotated[
    Path | None,
    typer.Option(
        "--to", metavar="FILE", help="Write the answer to FILE (whole or not at all).", rich_help_panel="Answer"
    ),
]


@contextmanager
def reserved() -> Iterator[None]:
    """Keep standard output for the answer: what native libraries print there goes to standard error (HiGHS greets)."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def text(answer: Mapping[str, Any], form: Format, table: Callable[[], RenderableType], width: int | None = None) -> str:
    """The answer in the form asked for, ending with a newline."""
    if form is Format.JSON:
        return json.dumps(answer, indent=2) + "\n"
    if form is Format.YAML:
        return yaml.safe_dump(dict(answer), sort_keys=False, allow_unicode=True, width=120)
    console = Console(width=width, soft_wrap=False)
    with console.capture() as captured:
        console.print(table())
    return captured.get()


def _width() -> int | None:
    """A pipe has no width: then as much as a table of ours needs, instead of the 80 columns that rich assumes."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140


def answer(value: Mapping[str, Any], form: Format, table: Callable[[], RenderableType], to: Path | None = None) -> None:
    """Give the answer to standard output, or to the file.

    Raises:
        EclipError: the file cannot be written.
    """
    if to is not None:
        atomic.write(to, text(value, form, table, width=120))
    elif form is Format.TABLE:
        Console(width=_width()).print(table())
    else:
        sys.stdout.write(text(value, form, table))
