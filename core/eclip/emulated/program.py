"""`eclip-emulated-node`: gives a node emulated GPUs, for clusters without real ones."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from eclip.api import names
from eclip.emulated.node_source import NodeSource
from eclip.errors import EclipError, InputError

SHOW_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills a folder of the node for the device plugin's emulated source, then keeps its meters up to date."""
    chosen = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        source = NodeSource.of(
            chosen.folder,
            chosen.product,
            node=chosen.node,
            count=chosen.gpus,
            time_scale=chosen.time_scale,
            virtual_time=chosen.virtual_time,
        )
        source.fill()
        sys.stderr.write(f"{chosen.folder} holds {chosen.gpus} emulated {chosen.product}\n")
        if not chosen.once:
            _show(source, stopped)
    except EclipError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _show(source: NodeSource, stopped: threading.Event) -> None:
    readings = source.readings()
    while not stopped.wait(SHOW_SECONDS):
        try:
            readings = source.show(readings)
        except (InputError, OSError) as error:
            # A full disk, or a chip of another version: meters stand still until that is over.
            sys.stderr.write(f"meters are not up to date: {error}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("eclip-emulated-node", description=main.__doc__)
    state = Path(os.environ.get("ECLIP_STATE", names.STATE_ROOT))
    parser.add_argument("--folder", type=Path, default=state / "emulated", help="default: STATE/emulated")
    parser.add_argument("--product", default="MI50", help="default: MI50")
    parser.add_argument("--gpus", type=int, choices=range(1, 9), default=1, metavar="1-8", help="GPUs of the node")
    parser.add_argument(
        "--node", default=os.environ.get("NODE_NAME", ""), help="the node's name, for unique ids (NODE_NAME)"
    )
    parser.add_argument("--time-scale", type=float, default=1.0, help="wall time over GPU time")
    parser.add_argument("--virtual-time", action="store_true", help="GPU time waits for programs that compute")
    parser.add_argument("--once", action="store_true", help="fill the folder, and end")
    return parser
