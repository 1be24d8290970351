"""What a mix would do on a chip: discrete events in virtual time, the same for the same seed. Pure.

Kernels share the chip by the contention model (native/contention), the emulated chip's own; barriers, front end, queues
and their slots are played here a second time. What agrees between the two proves those, not contention.
"""

from collections.abc import Sequence

from eclip.contention import Chip, predict
from eclip.contention.predict import PlannedWorker
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.simulate.arrivals import Arrivals
from eclip.simulate.outcome import Outcome, outcome
from eclip.simulate.player import play
from eclip.simulate.seats import Worker

__all__ = ["REQUESTS", "Arrivals", "Outcome", "Worker", "play", "simulate"]

REQUESTS = 200
"""Of the slowest worker."""


def simulate(
    gpu: Gpu,
    product: Product,
    workers: Sequence[PlannedWorker],
    arrivals: Sequence[Arrivals],
    *,
    requests: int = REQUESTS,
    seed: int = 0,
) -> Outcome:
    """Plays workers by their plan. `arrivals`: of every worker.

    Raises:
        InputError: plan and profile do not fit, or there is nothing to play.
    """
    loops = predict.loops(gpu, product, workers)
    played = [Worker(loop, own) for loop, own in zip(loops, arrivals, strict=True)]
    return outcome(play(Chip.of(gpu, product), played, requests, seed))
