"""`eclip profile`: how long each kernel of a program takes on how many CUs."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eclip.cli import progress, values
from eclip.errors import InputError


def profile(
    *,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The program and its arguments.")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write the kernel profile.")],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Name of the profile (default: of FILE).")] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="INDEX|ID|emulated", help="The GPU to measure on (default: the first one).")
    ] = None,
    sizes: Annotated[
        str | None, typer.Option(metavar="LIST", help="Sizes to measure, in CUs (default: the product's).")
    ] = None,
) -> None:
    """Run a program alone and time every kernel of a request on streams of every size; write a kernel profile.

    The program must serve the same request again and again, without pause. It is ended when enough is known. Nothing
    else may use the GPU meanwhile.

        eclip profile --to alexnet.yaml -- ./alexnet --seconds 60

        eclip profile --gpu emulated --to alexnet.yaml --sizes 15,30,45 -- ./alexnet --requests 1000
    """
    from eclip import atomic, slot
    from eclip.documents import profile as profiles
    from eclip.host import gpus, profiling

    root = slot.state_root()
    which = gpu or ("emulated" if os.environ.get("ECLIP_EMULATOR") else "0")
    found = gpus.find(int(which) if which.isdecimal() else which, "--gpu", root / "emulated" / str(os.getpid()))
    asked = values.sizes("--sizes", sizes) if sizes else None
    if not to.absolute().parent.is_dir():
        raise InputError(f"--to {to}: there is no folder {to.absolute().parent}")
    wish = profiling.Wish(tuple(command), name or to.stem, profiling.sizes(found, asked))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # through every `finally`, as Ctrl-C does
    with progress.bar(f"Profiling {command[0]}") as show:
        made = profiling.run(wish, found, root, show)
    atomic.write(to, profiles.dump(made))
    scale = f" of GPU time ({found.time_scale:g} µs of wall time each)" if found.time_scale != 1 else ""
    told = f"{len(made.kernels)} kernels a request, {made.solo_micros:.0f} µs{scale} alone on {made.compute_units} CUs"
    Console(stderr=True).print(f"{to}: {told}", markup=False, highlight=False, soft_wrap=True)
