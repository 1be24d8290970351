"""Rates and request times of one allocation over the last seconds. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from eclip_node_agent.tally import Sums

WINDOW_S = 30.0
EVERY_S = 5.0
"""Between the samples that are kept."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The sums at one time, in seconds."""

    at: float
    sums: Sums


@dataclass(frozen=True, slots=True)
class Figures:
    """What one allocation does at present; None: too little was seen."""

    kernels_per_second: float | None = None
    requests_per_second: float | None = None
    hops_per_second: float | None = None
    mean_micros: float | None = None
    p95_micros: float | None = None


def kept(samples: Sequence[Sample], now: Sample) -> tuple[Sample, ...]:
    """The samples to remember: one every few seconds, back to the last one before the window."""
    if samples and now.at - samples[-1].at < EVERY_S:
        return tuple(samples)
    within = [sample for sample in samples if now.at - sample.at < WINDOW_S]
    before = [sample for sample in samples if now.at - sample.at >= WINDOW_S]
    return (*before[-1:], *within, now)


def figures(samples: Sequence[Sample], now: Sample) -> Figures:
    """From the oldest sample that is kept until now."""
    if not samples or now.at - samples[0].at < 1.0:
        return Figures()
    seconds = now.at - samples[0].at
    done = now.sums.minus(samples[0].sums)
    return Figures(
        done.launches / seconds,
        done.requests / seconds,
        done.hops / seconds,
        done.request_micros.mean_micros,
        done.request_micros.quantile(0.95),
    )
