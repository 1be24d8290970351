"""Strategies side by side, and in words who wins where and why: every sentence is computed from the numbers. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

BASELINE = "whole-gpu"
NOISE = 0.02
"""Differences below this are called equal."""


@dataclass(frozen=True, slots=True)
class WorkerOutcome:
    """One model under one strategy. Times in GPU-µs, rates in requests per GPU-second."""

    name: str
    requests: int
    rate: float
    p95_micros: float
    solo_micros: float
    """One request alone on the whole GPU, from its profile."""
    predicted_micros: float
    """One request beside its mates, by the contention model."""
    formula_micros: float
    """The same by the paper's formula."""
    switches: float
    """Changes of stream per request, as counted while it ran."""
    average_compute_units: float
    gap_share: float
    """Part of a request in which none of its kernels ran: the host, the front end, waits of queues."""
    wrong_results: int
    """Requests whose checksum was not that of an undisturbed run."""
    mismatches: int
    """Launches that the interposer did not expect."""

    @property
    def speed(self) -> float:
        """Rate over the rate it would have alone."""
        return self.rate * self.solo_micros / 1e6

    @property
    def tail(self) -> float:
        """p95 over the solo time."""
        return self.p95_micros / self.solo_micros

    @property
    def measured_micros(self) -> float:
        """Mean time of one request."""
        return 1e6 / self.rate if self.rate else float("inf")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One mix under one strategy."""

    strategy: str
    workers: tuple[WorkerOutcome, ...]
    busy_cus: float
    """Mean number of CUs that ran something."""
    joules: float
    """Of the whole GPU over the window, idle power included."""
    seconds: float
    """Length of the window in GPU time."""
    hop_micros: float
    """What one change of stream costs on this product."""
    trace: str = ""
    """File of the chip's trace, relative to the report."""

    @property
    def throughput(self) -> float:
        """Sum of the workers' speeds: 1 is one model alone."""
        return sum(worker.speed for worker in self.workers)

    @property
    def rate(self) -> float:
        """Requests per GPU-second, all workers."""
        return sum(worker.rate for worker in self.workers)

    @property
    def switches(self) -> float:
        """Per request, summed over the workers, as in the paper's Table I."""
        return sum(worker.switches for worker in self.workers)

    @property
    def worst_tail(self) -> float:
        """The largest p95 over solo time of all workers."""
        return max(worker.tail for worker in self.workers)

    @property
    def requests_per_joule(self) -> float:
        """Solo-equivalent seconds of work would hide small models; this counts requests, as the paper does."""
        return self.rate * self.seconds / self.joules if self.joules else 0.0

    @property
    def hop_share(self) -> float:
        """Part of the workers' time that the changes of stream take at most."""
        return fmean(min(1.0, worker.switches * self.hop_micros / worker.measured_micros) for worker in self.workers)

    @property
    def prediction_error(self) -> float:
        """Largest relative error of the contention model's times over the workers."""
        return max(abs(worker.predicted_micros / worker.measured_micros - 1) for worker in self.workers)

    @property
    def formula_error(self) -> float:
        """The same for the paper's formula."""
        return max(abs(worker.formula_micros / worker.measured_micros - 1) for worker in self.workers)


@dataclass(frozen=True, slots=True)
class Mix:
    """All strategies of one mix."""

    name: str
    compute_units: int
    outcomes: tuple[Outcome, ...]

    @property
    def checksums_equal(self) -> bool:
        """True if every request of every model gave the undisturbed result under every strategy."""
        return not any(worker.wrong_results for outcome in self.outcomes for worker in outcome.workers)


COLUMNS = (
    "strategy",
    "req/s",
    "throughput",
    "worst p95",
    "switches",
    "busy CUs",
    "req/J",
    "predicted",
    "formula",
    "gaps",
    "n",
    "checksums",
)


def rows(mix: Mix) -> list[tuple[str, ...]]:
    """The comparison table as text, one row a strategy."""
    return [
        (
            outcome.strategy,
            f"{outcome.rate:.1f}",
            f"{outcome.throughput:.3f}",
            f"{outcome.worst_tail:.2f}",
            f"{outcome.switches:.1f}",
            f"{outcome.busy_cus:.1f}",
            f"{outcome.requests_per_joule:.3f}",
            _against(outcome, "predicted_micros"),
            _against(outcome, "formula_micros"),
            f"{max(worker.gap_share for worker in outcome.workers):.1%}",
            str(sum(worker.requests for worker in outcome.workers)),
            _checksums(outcome),
        )
        for outcome in mix.outcomes
    ]


def _against(outcome: Outcome, what: str) -> str:
    """The largest error over the workers of what was said beforehand, with its sign."""
    errors = [getattr(worker, what) / worker.measured_micros - 1 for worker in outcome.workers]
    return f"{max(errors, key=abs):+.1%}"


def _checksums(outcome: Outcome) -> str:
    wrong = sum(worker.wrong_results for worker in outcome.workers)
    return f"{wrong} DIFFER" if wrong else "equal"


def verdict(mix: Mix) -> list[str]:
    """Who wins in throughput, tail and energy, by how much against the baseline, and what the numbers say about why."""
    sentences = [
        _winner(mix, "throughput", lambda outcome: outcome.throughput, "x solo"),
        _winner(mix, "worst p95 (lower is better)", lambda outcome: 1 / outcome.worst_tail, ""),
        _winner(mix, "requests per joule", lambda outcome: outcome.requests_per_joule, "req/J"),
    ]
    baseline = _baseline(mix)
    sentences += [_why(outcome, baseline, mix.compute_units) for outcome in mix.outcomes if outcome is not baseline]
    return sentences


def _baseline(mix: Mix) -> Outcome:
    return next((outcome for outcome in mix.outcomes if outcome.strategy == BASELINE), mix.outcomes[0])


def _winner(mix: Mix, what: str, better: Callable[[Outcome], float], unit: str) -> str:
    ranked = sorted(mix.outcomes, key=better, reverse=True)
    best, baseline = ranked[0], _baseline(mix)
    level = [outcome.strategy for outcome in ranked if better(outcome) >= better(best) * (1 - NOISE)]
    shown = f" ({better(best):.3f} {unit})" if unit else f" ({1 / better(best):.2f} x solo)"
    gain = better(best) / better(baseline) - 1
    if baseline.strategy in level:
        return f"{what}: {_names(level)} {shown.strip()}; nothing beats {baseline.strategy} beyond {NOISE:.0%}."
    return f"{what}: {_names(level)} {shown.strip()}, {gain:+.1%} against {baseline.strategy}."


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} level"


def _why(outcome: Outcome, baseline: Outcome, compute_units: int) -> str:
    gain = outcome.throughput / baseline.throughput - 1
    asked = sum(worker.average_compute_units for worker in outcome.workers)
    parts = [f"{outcome.busy_cus:.1f} CUs busy instead of {baseline.busy_cus:.1f}"]
    if asked <= compute_units * (1 + NOISE):
        parts.append(f"its workers' {asked:.0f} CUs fit beside each other on {compute_units}")
    else:
        parts.append(
            f"its workers want {asked:.0f} CUs on average where {compute_units} exist, so that they still meet"
        )
    if outcome.switches >= 0.5:
        parts.append(f"{outcome.switches:.0f} switches a request take up to {outcome.hop_share:.1%} of the time")
    slowest = min(outcome.workers, key=lambda worker: worker.speed)
    parts.append(f"slowest is {slowest.name} at {slowest.speed:.2f} of its solo speed")
    change = "level in throughput" if abs(gain) < NOISE else f"{gain:+.1%} in throughput"
    return f"{outcome.strategy}, {change}: {'; '.join(parts)}."
