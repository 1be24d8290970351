"""What the workers did, added up from their clients' counters over restarts and changes of table. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eclip.gpu import masks
from eclip.slot import records
from eclip.slot.clients import ClientRecord, Counters, Histogram, ModelCounters

NO_REQUESTS = Histogram((0,) * records.BUCKETS, 0)


@dataclass(frozen=True, slots=True)
class Totals:
    """One worker since the run began, or between two looks."""

    launches: int = 0
    requests: int = 0
    hops: int = 0
    mismatches: int = 0
    request_micros: Histogram = NO_REQUESTS

    def minus(self, earlier: "Totals") -> "Totals":
        """What came on top."""
        return Totals(
            self.launches - earlier.launches,
            self.requests - earlier.requests,
            self.hops - earlier.hops,
            self.mismatches - earlier.mismatches,
            self.request_micros.minus(earlier.request_micros),
        )

    def plus(self, counters: ModelCounters) -> "Totals":
        """With the counters of one more process and table."""
        pairs = zip(self.request_micros.counts, counters.request_micros.counts, strict=True)
        times = Histogram(
            tuple(mine + more for mine, more in pairs),
            self.request_micros.micros_sum + counters.request_micros.micros_sum,
        )
        return Totals(
            self.launches + counters.launches,
            self.requests + counters.requests,
            self.hops + counters.hops,
            self.mismatches + counters.mismatches,
            times,
        )


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Counters that only ever grow: one process under one table."""

    worker: str
    started_ns: int
    client: int
    generation: int


Ledger = Mapping[Source, ModelCounters]
"""The newest counters of every source ever seen. Old sources stay: their work was done."""


def noted(ledger: Ledger, workers: Sequence[str], clients: Iterable[ClientRecord]) -> Ledger:
    """The ledger after another look at a slot whose models are these workers, in the table's order."""
    found = dict(ledger)
    for client in clients:
        for counters in filter(None, (client.previous, client.current)):
            found.update(_sources(client, counters, workers))
    return found


def total(ledger: Ledger, worker: str) -> Totals:
    """All that a worker did."""
    totals = Totals()
    for source, counters in ledger.items():
        if source.worker == worker:
            totals = totals.plus(counters)
    return totals


def _sources(client: ClientRecord, counters: Counters, workers: Sequence[str]) -> dict[Source, ModelCounters]:
    if not counters.generation:  # before the first table there are no models
        return {}
    return {
        Source(worker, client.started_ns, client.index, counters.generation): model
        for worker, model in zip(workers, counters.models, strict=False)
    }


ENFORCING = ("enforce", "single-mask")
"""Modes in which a plan is carried out."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Is the plan in force in a slot?"""

    in_force: bool | None
    """None: nothing can be said yet."""
    why: str


def proof(clients: Sequence[ClientRecord], generation: int) -> Proof:
    """What the living processes of a slot prove about the table of this generation."""
    alive = [client for client in clients if client.alive]
    enforcing = [client for client in alive if client.mode in ENFORCING]
    if not enforcing:
        return Proof(None, f"not enforcing, mode {alive[0].mode}" if alive else "no program")
    verdicts = [_client_proof(client, generation) for client in enforcing]
    refused = [verdict for verdict in verdicts if verdict.in_force is False]
    waiting = [verdict for verdict in verdicts if verdict.in_force is None]
    return (refused or waiting or verdicts)[0]


def last_proof(clients: Sequence[ClientRecord], generation: int) -> Proof:
    """What the process that began last proves, when it has ended: its life may have been shorter than a look."""
    enforcing = [client for client in clients if client.mode in ENFORCING]
    newest = max(enforcing, key=lambda client: client.started_ns, default=None)
    return _client_proof(newest, generation) if newest else Proof(None, "no program")


def _client_proof(client: ClientRecord, generation: int) -> Proof:
    if client.tables_refused and client.refused_generation == generation:
        return Proof(False, f"table refused: {client.refused_text or client.refused_why}")
    for stream in client.streams:
        if stream.state != "not-created" and not stream.in_force:
            if stream.state == "refused":
                return Proof(False, f"stream of {stream.compute_units} CUs refused by the runtime")
            # What a program claims to have may be wider than its GPU.
            width = max(1, client.compute_units, stream.asked.bit_length(), stream.read_back.bit_length())
            asked, got = (masks.text(masks.words(cu_set, width)) for cu_set in (stream.asked, stream.read_back))
            return Proof(False, f"asked for {asked}, got {got}")
    if client.current.generation < generation:
        return Proof(None, "waits for its next launch")
    return Proof(True, "in force")
