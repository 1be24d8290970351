"""`eclip slot`: a place at the GPU for a program that somebody else starts."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from eclip.errors import InputError
from eclip.host import entry

COMMANDS = typer.Typer(
    no_args_is_help=True,
    help="""Slots for programs that others start (Docker, systemd, a shell). `eclip run` adopts them.

    eclip slot create vision --print docker     # docker run $(...) my-image
    eclip run colocation.yaml                   # its workload `vision` has no command
    eclip slot remove vision
""",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the slot, and of the workload that adopts it.")]


@COMMANDS.command()
def create(
    name: Name,
    starter: Annotated[
        entry.Starter, typer.Option("--print", help="For whom to print what the program needs.")
    ] = entry.Starter.ENV,
) -> None:
    """Make a slot and print what the program must be started with.

    Until a run adopts the slot, a program in it runs as if nothing were there.

        eval "$(eclip slot create vision)" && ./server

        eclip slot create vision --print systemd > /etc/systemd/system/vision.service.d/eclip.conf
    """
    from eclip import slot

    root = slot.state_root()
    if taken := _allocations(root, name):
        raise InputError(f"slot {name}: exists ({taken[0]}); 'eclip slot remove {name}' takes it away")
    library = entry.library()
    with slot.Slot.create(root, name, uuid.uuid4().hex[:12]) as made:
        typer.echo(entry.Entry(made.folder, library).told_to(starter), nl=False)


@COMMANDS.command()
def remove(name: Name) -> None:
    """Take a slot away. A program that still runs in it goes on, without a plan.

    eclip slot remove vision
    """
    from eclip import slot

    taken = _allocations(slot.state_root(), name)
    if not taken:
        raise InputError(f"slot {name}: there is none under {slot.state_root()}")
    for folder in taken:
        slot.Slot(folder).remove()


def _allocations(root: Path, name: str) -> list[Path]:
    from eclip import slot

    return [folder for folder in slot.folders(root) if folder.parent.name == name]
