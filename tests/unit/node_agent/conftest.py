"""Clients of a slot, as the statistics file gives them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from eclip.slot import records
from eclip.slot.clients import ClientRecord, Counters, Histogram, ModelCounters, StreamProof


def counters(generation: int, launches: int = 0, requests: int = 0, hops: int = 0) -> Counters:
    times = [0] * records.BUCKETS
    times[80] = requests
    model = ModelCounters(launches, requests, hops, 0, 0, 1, 2, False, Histogram(tuple(times), 1100 * requests))
    return Counters(generation, launches, launches, {}, (model,))


def client(current: Counters, previous: Counters | None = None, **changes: Any) -> ClientRecord:
    fields = {
        "index": 0, "alive": True, "pid": 1, "started_ns": 100, "executable": "x", "hip_version": 50221153,
        "mode": "enforce", "hooks": 60, "compute_units": 60, "tables_refused": 0, "refused_generation": 0,
        "refused_why": "accepted", "refused_text": "", "streams": (), "settled": True,
    }  # fmt: skip
    return ClientRecord(current=current, previous=previous, **{**fields, **changes})


@dataclass(frozen=True)
class Make:
    counters: ClassVar = staticmethod(counters)
    client: ClassVar = staticmethod(client)
    good: ClassVar = StreamProof(15, "in-force", 0x111, 0x111)
    wide: ClassVar = StreamProof(15, "read-back-differs", 0x111, 0xFFF)
    refused: ClassVar = StreamProof(15, "refused", 0x111, 0)


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()
