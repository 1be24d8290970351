"""Profile one program: a slot with masked streams of all sizes; the interposer measures, we wait and check."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from eclip import layout
from eclip.documents import profile
from eclip.documents.profile import KernelProfile
from eclip.errors import EclipError, InputError
from eclip.host import entry, leftovers
from eclip.host.chip import Chip
from eclip.host.claim import Claim
from eclip.host.processes import Processes
from eclip.slot import Slot, stats, table

POLL_S = 0.05
GRACE_S = 10.0
LOG_LINES = 5


@dataclass(frozen=True, slots=True)
class Wish:
    """What to profile."""

    command: tuple[str, ...]
    name: str
    sizes: tuple[int, ...]
    """Masked sizes in CUs; the whole GPU is always measured."""
    profiling: table.Profiling = field(default_factory=table.Profiling)


def sizes(chip: Chip, asked: Sequence[int] | None) -> tuple[int, ...]:
    """The sizes to measure: those asked for, or the product's own.

    Raises:
        InputError: none is below the whole GPU.
    """
    chosen = tuple(size for size in asked or chip.product.default_sizes(chip.gpu) if size != chip.gpu.compute_units)
    if not chosen or max(chosen) > chip.gpu.compute_units:
        raise InputError(f"--sizes {asked}: name sizes below the GPU's {chip.gpu.compute_units} CUs")
    return chosen


def run(wish: Wish, chip: Chip, root: Path, progress: Callable[[int], None]) -> KernelProfile:
    """Start the program in profile mode, end it when its profile is complete, and return that.

    Raises:
        EclipError: the program ended before, the interposer gave up, or it wrote something that is no profile.
    """
    if narrowed := os.environ.get("HSA_CU_MASK"):
        raise InputError(f"HSA_CU_MASK={narrowed} is set; a profile needs the whole GPU: unset it")
    library = entry.library()
    streams = layout.layout(chip.gpu, chip.product, [wish.sizes])[0]
    processes = Processes(leftovers.logs(root, "profile-"))
    with Claim(root, chip.key, "the GPU to profile on", f"eclip profile {os.getpid()}"):
        slot = Slot.create(root, f"profile-{wish.name}"[:63].rstrip("-."), leftovers.allocation())
        try:
            slot.publish(table.encode_profiling(chip.gpu, streams, wish.profiling))
            base = {**os.environ, **chip.environment}
            way_in = entry.Entry(slot.folder, library, entry.Mode.PROFILE, entry.MOST_QUEUES)
            processes.start(wish.name, wish.command, {**base, **way_in.environment(base)}, Path.cwd())
            text = _await(slot, processes, wish, progress)
        finally:
            _end(processes, wish.name)
            slot.remove()
            if chip.scratch:
                shutil.rmtree(chip.scratch, ignore_errors=True)
    found = profile.parse(text, f"profile of {wish.name}")
    return replace(found, name=wish.name, product=chip.gpu.product)


def _await(slot: Slot, processes: Processes, wish: Wish, progress: Callable[[int], None]) -> str:
    code: int | None = None
    while True:
        # In this order: what a program wrote before it ended is seen after its end.
        code = next((ended for _, ended in processes.ended()), code)
        found = stats.read_profile(slot.profile)
        progress(found.percent)
        if found.state == "complete":
            return found.text
        if found.state == "failed":
            raise EclipError(f"{wish.command[0]}: cannot be profiled: {found.text.strip()}")
        if code is not None:
            raise EclipError(
                f"{wish.command[0]}: ended with {code} before its profile was complete ({found.percent} %); let it "
                f"serve more requests{_last_words(processes.log(wish.name))}"
            )
        time.sleep(POLL_S)


def _end(processes: Processes, name: str) -> None:
    processes.stop(name, force=False)
    deadline = time.monotonic() + GRACE_S
    while processes.pid(name) is not None:
        processes.ended()
        if time.monotonic() > deadline:
            processes.stop(name, force=True)
        time.sleep(POLL_S)


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f". Its last words: {' / '.join(lines[-LOG_LINES:])}" if lines else ""
