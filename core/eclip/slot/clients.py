"""What programs in slots have done, as `stats` reads it. Pure data; numbers and words are already within bounds."""

from collections.abc import Mapping
from dataclasses import dataclass

from eclip.plan import CuSet


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times of requests in logarithmic buckets, eight an octave: quantiles are exact to 9.1 %."""

    counts: tuple[int, ...]
    micros_sum: int

    @property
    def total(self) -> int:
        """Number of requests."""
        return sum(self.counts)

    @property
    def mean_micros(self) -> float | None:
        """Mean time of a request; None if there was none."""
        return self.micros_sum / self.total if self.total else None

    def quantile(self, q: float) -> float | None:
        """The time in µs that a fraction q of the requests did not exceed, interpolated; None if there was none."""
        rank = q * self.total
        below = 0
        for bucket, count in enumerate(self.counts):
            if count and below + count >= rank:
                low, high = bucket_start(bucket), bucket_start(bucket + 1)
                return low + (high - low) * min(1.0, max(0.0, rank - below) / count)
            below += count
        return None

    def minus(self, earlier: "Histogram") -> "Histogram":
        """What came on top since an earlier reading of the same counters."""
        counts = tuple(max(0, now - then) for now, then in zip(self.counts, earlier.counts, strict=True))
        return Histogram(counts, max(0, self.micros_sum - earlier.micros_sum))


def bucket_start(bucket: int) -> float:
    """The shortest time in µs that falls into a bucket."""
    return float(2.0 ** (bucket / 8))


@dataclass(frozen=True, slots=True)
class ModelCounters:
    """What one model of a program did under one table."""

    launches: int
    requests: int
    hops: int
    """Changes of stream between two consecutive kernels."""
    mismatches: int
    """Launches that were not the expected kernel."""
    resyncs: int
    first_ns: int
    """CLOCK_MONOTONIC of the first launch; 0 if there was none."""
    last_ns: int
    marked: bool
    """True: the application marks its requests. False: times are intervals between starts of requests."""
    request_micros: Histogram


@dataclass(frozen=True, slots=True)
class Counters:
    """What a program did under one table generation. Generation 0 is the time before the first table."""

    generation: int
    launches: int
    redirected: int
    passed: Mapping[str, int]
    """Launches left on the application's stream, by reason (`records.PASS_REASONS`); zeros left out."""
    models: tuple[ModelCounters, ...]
    """By model of the table; those after the last one that was launched are left out."""


@dataclass(frozen=True, slots=True)
class StreamProof:
    """A masked stream: what was asked for and what the runtime says it is."""

    compute_units: int
    state: str
    """A word of `records.STREAM_STATES`."""
    asked: CuSet
    read_back: CuSet

    @property
    def in_force(self) -> bool:
        """True if the runtime honours the mask, by its own word and by the read-back."""
        return self.state == "in-force" and self.asked == self.read_back != 0


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One process under the interposer."""

    index: int
    """Place of the record in the file."""
    alive: bool
    """The process still holds the lock on its record."""
    pid: int
    """As the kernel tells it to us, or (of a dead process, or across pid namespaces) as the process sees itself."""
    started_ns: int
    executable: str
    hip_version: int
    mode: str
    hooks: int
    """HIP functions that were found."""
    compute_units: int
    """Of the device, as the runtime reports it."""
    tables_refused: int
    refused_generation: int
    refused_why: str
    """A word of `records.REFUSALS`."""
    refused_text: str
    streams: tuple[StreamProof, ...]
    current: Counters
    previous: Counters | None
    settled: bool
    """False if the record kept changing while it was read: its counters may mix two tables."""
    way: str = "symbols"
    """How the runtime's calls come to the interposer: a word of `records.WAYS`."""
