"""The references of the command lines, which `make docs` writes, name what there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from eclip.cli import app, kubectl

DOCS = Path(__file__).parents[3] / "docs"
REFERENCES = [(DOCS / "commands.md").read_text(), (DOCS / "kubernetes" / "kubectl-eclip.md").read_text()]


def commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for part, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


ALL = dict(commands(typer.main.get_command(app.COMMANDS), "eclip"))
ALL |= commands(typer.main.get_command(kubectl.COMMANDS), "kubectl eclip")


def section(name: str) -> str:
    """What stands under a command's heading."""
    every = "\n".join(REFERENCES)
    heading = next(line for line in every.splitlines() if line.startswith("#") and line.endswith(f"`{name}`"))
    return every.split(f"{heading}\n")[1].split("\n#")[0]


def test_every_command_of_the_references_exists() -> None:
    named = {line.split("`")[1] for text in REFERENCES for line in text.splitlines() if line.startswith("##")}

    assert named - {"eclip slot"} == set(ALL), "make docs"


@pytest.mark.parametrize("name", ALL)
def test_the_reference_has_every_option(name: str) -> None:
    options = {option for parameter in ALL[name].params for option in parameter.opts if option.startswith("--")}

    assert {option for option in options if option not in section(name)} == set(), "make docs"
