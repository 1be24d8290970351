"""What is simulated of one worker: its kernels on queues, the requests that come to it, and where it stands. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from eclip.contention import Loop
from eclip.simulate.arrivals import Arrivals
from eclip.simulate.sharing import Sharing


@dataclass(frozen=True, slots=True)
class Worker:
    """A model with its kernels on queues, and the requests that come to it."""

    loop: Loop
    """Its steps on queues of its own, and the host's time between requests. Its start is drawn from the seed."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    mask_micros: tuple[float, ...] = ()
    """By step, how long a mask call before it stops the chip. Empty: there is none."""

    @property
    def solo_micros(self) -> float:
        """Its kernels alone, one after the other, without the front end."""
        return sum(step.load.solo_micros for step in self.loop.steps)

    @property
    def streams(self) -> list[int]:
        """Its queues as its steps number them."""
        return sorted({step.stream for step in self.loop.steps})


@dataclass(slots=True)
class Seat:
    """A worker while it is played. Lists are by step."""

    loads: list[int]
    """As `Sharing` numbers them."""
    micros: list[float]
    """Of the kernel alone."""
    waits: list[float]
    """Barriers and front end before it."""
    queues: list[int]
    """Counted over all workers."""
    leaves: list[bool]
    """Whether the request has no later step on the same queue."""
    masks: list[float]
    gap: float
    times: Iterator[float] | None
    """Arrivals; None: a closed loop."""
    first: float
    """When it starts."""
    arrival: float = 0.0
    """Of the request that it is at."""
    step: int = 0
    entered: bool = False
    """Whether the packets of its request are on the queues."""
    masked: bool = False
    """Whether the mask call of its step was made."""
    parked: float | None = None
    """What is left of a kernel that has no slot, in microseconds alone."""


def seat(worker: Worker, first_queue: int, dispatch_micros: float, sharing: Sharing, random: Random) -> Seat:
    """A worker before its first request. `first_queue`: how many queues others have that come before its own."""
    steps, streams = worker.loop.steps, worker.streams
    first = random.uniform(0, worker.solo_micros) if worker.arrivals.closed else 0.0
    return Seat(
        loads=[sharing.number(step.load) for step in steps],
        micros=[step.load.solo_micros for step in steps],
        waits=[step.lead_micros + dispatch_micros for step in steps],
        queues=[first_queue + streams.index(step.stream) for step in steps],
        leaves=_leaves([step.stream for step in steps]),
        masks=list(worker.mask_micros) or [0.0] * len(steps),
        gap=worker.loop.request_gap_micros,
        times=None if worker.arrivals.closed else worker.arrivals.times(random),
        first=first,
    )


def _leaves(streams: Sequence[int]) -> list[bool]:
    last = {stream: index for index, stream in enumerate(streams)}
    return [last[stream] == index for index, stream in enumerate(streams)]
