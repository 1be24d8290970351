"""Times of requests as the chip saw them, from its trace: in GPU time, whatever the host's clock did meanwhile. Pure.

A request is so many kernels, the last request's last kernel being the last of the trace (programs end after a request).
A request's time runs from the end of the one before to its own end: kernels, gaps, and what the host needs in between.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from eclip.emulated.trace import Kernel, Program
from eclip.errors import EclipError

WARM_REQUESTS = 2
"""Of every program, before the window begins."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Times in GPU-µs."""

    begin: float
    end: float
    busy_micros: float
    """In which one of its kernels ran."""
    lead_micros: float
    """From its begin to that of its first kernel."""

    @property
    def micros(self) -> float:
        """From the end of the one before."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Served:
    """The requests of one program within the window in which all programs were warm and none had ended."""

    requests: tuple[Request, ...]

    @property
    def mean_micros(self) -> float:
        """Mean time of a request."""
        return sum(request.micros for request in self.requests) / len(self.requests)

    @property
    def p95_micros(self) -> float:
        """The time that 95 % of the requests did not exceed."""
        return self.quantile(0.95)

    def quantile(self, share: float) -> float:
        """The time that this share of the requests, above 0, did not exceed."""
        ranked = sorted(request.micros for request in self.requests)
        return ranked[math.ceil(share * len(ranked)) - 1]

    @property
    def lead_micros(self) -> float:
        """Mean time between two requests: the host's, and the front end's for the first kernel."""
        return sum(request.lead_micros for request in self.requests) / len(self.requests)

    @property
    def gap_share(self) -> float:
        """Part of the time in which none of its kernels ran: the host, the front end, waits of queues."""
        return 1 - sum(request.busy_micros for request in self.requests) / sum(r.micros for r in self.requests)


def served(programs: Mapping[str, Program], kernels: Mapping[str, int]) -> dict[str, Served]:
    """By program's name; `kernels` tells how many make a request.

    Raises:
        EclipError: a program launched something else, or too little.
    """
    found = {name: _requests(name, program, kernels[name]) for name, program in programs.items()}
    begin = max(requests[min(WARM_REQUESTS, len(requests) - 1)].begin for requests in found.values())
    end = min(requests[-1].end for requests in found.values())
    within = {
        name: Served(tuple(request for request in requests if begin <= request.begin and request.end <= end))
        for name, requests in found.items()
    }
    if few := next((name for name, part in within.items() if not part.requests), None):
        raise EclipError(f"{few}: served no request while all its mates did; let the run go on for longer")
    return within


def _requests(name: str, program: Program, length: int) -> list[Request]:
    own = sorted((kernel for kernel in program.kernels if not kernel.runtime), key=lambda kernel: kernel.end)
    count = len(own) // length
    cut = [own[len(own) - (count - index) * length :][:length] for index in range(count)]
    if count < 2:
        raise EclipError(f"{name}: its trace shows {len(own)} kernels, which are no two requests of {length}")
    first = _names(cut[0])
    if any(_names(kernels) != first for kernels in cut):
        raise EclipError(f"{name}: its trace is no repetition of {length} kernels")
    return [_request(before[-1].end, kernels) for before, kernels in pairwise(cut)]


def _request(begin: float, kernels: Sequence[Kernel]) -> Request:
    lead = max(0.0, min(kernel.begin for kernel in kernels) - begin)
    return Request(begin, kernels[-1].end, _busy(kernels), lead)


def _names(kernels: Sequence[Kernel]) -> list[str]:
    return [kernel.name for kernel in kernels]


def _busy(kernels: Sequence[Kernel]) -> float:
    """Length of the union of their intervals; they are sorted by their ends."""
    busy, reached = 0.0, float("inf")
    for kernel in reversed(kernels):
        busy += max(0.0, min(kernel.end, reached) - kernel.begin)
        reached = min(reached, kernel.begin)
    return busy
