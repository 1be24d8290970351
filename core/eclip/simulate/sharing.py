"""The speeds of kernels that run together, each set of them solved once. Pure.

A model's kernels repeat, so that few different sets are met: of two models of 711 and 304 kernels some thousands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eclip.contention import Chip, Fluid, Load

MOST_SETS = 1 << 20
"""Sets that are remembered; a number of the order of 1 GB."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a set of kernels comes to while it is the one that runs."""

    speeds: tuple[float, ...]
    """Of every worker's kernel, of that alone; 0 for a worker that runs none."""
    watts: float
    """Idle power included."""
    busy_cus: float


class Sharing:
    """Sets of kernels on one chip. A kernel is the number of its load, from 1; 0 is no kernel."""

    def __init__(self, chip: Chip, interference: float = 0.0) -> None:
        """`interference`: how much longer a kernel takes while others keep the whole chip busy, on whatever CUs: what
        caches and memory cost beyond the contention model. 0: that model alone, as on the emulated chip."""
        self._chip = chip
        self._interference = interference
        self._loads: list[Load] = []
        self._numbers: dict[Load, int] = {}
        self._known: dict[tuple[int, ...], Shared] = {}
        self.solved = 0
        """Sets for which the contention model was asked."""

    def number(self, load: Load) -> int:
        """The number of a load, from 1; equal loads have the same."""
        if load not in self._numbers:
            self._loads.append(load)
            self._numbers[load] = len(self._loads)
        return self._numbers[load]

    def __call__(self, running: Sequence[int]) -> Shared:
        """Of the kernel of every worker."""
        kernels = tuple(running)
        found = self._known.get(kernels)
        if found is None:
            if len(self._known) >= MOST_SETS:
                self._known.clear()
            found = self._known[kernels] = self._solve(kernels)
        return found

    def _solve(self, kernels: tuple[int, ...]) -> Shared:
        self.solved += 1
        fluid = Fluid(self._chip)
        loads = [self._loads[kernel - 1] if kernel else None for kernel in kernels]
        started = [fluid.start(load) if load else 0 for load in loads]
        known = {0: 0.0, **fluid.speeds}
        speeds = [known[kernel] for kernel in started]
        busy = [speed * load.busy_cus if load else 0.0 for speed, load in zip(speeds, loads, strict=True)]
        others = [(sum(busy) - own) / self._chip.compute_units for own in busy]
        slowed = (speed / (1 + self._interference * beside) for speed, beside in zip(speeds, others, strict=True))
        return Shared(tuple(slowed), fluid.watts, fluid.busy_cus)
