"""Edge: Prometheus metrics, made anew from the last look whenever somebody asks. Names carry their units.

Labels are the node's, the GPU's, and the occupant's names; a series ends with its pod. Nothing that a program wrote is
a label.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from eclip.api.node_status import GpuStatus, Health
from eclip.slot import clients
from eclip_node_agent.meters import Meter
from eclip_node_agent.reports import Seen

GPU = ("node", "gpu", "product")
SLOT = ("node", "gpu", "slot", "namespace", "pod", "container")
OCTAVE = 8
"""Buckets of a histogram in a statistics file that make one of ours."""
FIRST_OCTAVE, LAST_OCTAVE = 4, 24
"""From 32 µs to 33 s."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to tell at one time."""

    node: str
    version: str
    gpus: Sequence[GpuStatus] = ()
    seen: Sequence[Seen] = ()
    meters: Sequence[Meter] = ()
    restored: int = 0
    """Times that a file of a program was put back."""
    status_writes: int = 0
    api_failures: int = 0
    kubelet_failures: int = 0
    connected: bool = False


class Metrics(Collector):
    """A collector over the newest snapshot."""

    def __init__(self, newest: Callable[[], Snapshot]) -> None:
        self._newest = newest

    def collect(self) -> Iterable[Metric]:
        """All families."""
        snapshot = self._newest()
        yield from _agent(snapshot)
        yield from _gpus(snapshot)
        yield from _meters(snapshot)
        yield from _slots(snapshot)


def _agent(snapshot: Snapshot) -> Iterator[Metric]:
    info = GaugeMetricFamily("eclip_agent_info", "Always 1; the label says which version runs.", labels=("version",))
    info.add_metric((snapshot.version,), 1)
    yield info
    counts = {
        "eclip_agent_status_writes": ("Statuses written.", snapshot.status_writes),
        "eclip_agent_api_failures": ("Requests to the API server that failed.", snapshot.api_failures),
        "eclip_agent_kubelet_failures": ("Questions that kubelet did not answer.", snapshot.kubelet_failures),
        "eclip_agent_files_restored": ("Files of programs that had to be put back.", snapshot.restored),
    }
    for name, (text, value) in counts.items():
        family = CounterMetricFamily(name, text)
        family.add_metric((), value)
        yield family
    connected = GaugeMetricFamily("eclip_agent_api_connected", "1 while the node's object is followed.")
    connected.add_metric((), float(snapshot.connected))
    yield connected


def _gpus(snapshot: Snapshot) -> Iterator[Metric]:
    families: list[tuple[str, str, Callable[[GpuStatus], float]]] = [
        ("eclip_gpu_compute_units", "Compute units of the GPU.", lambda gpu: gpu.compute_units),
        ("eclip_gpu_shares", "Shares that are offered.", lambda gpu: gpu.shares),
        ("eclip_gpu_shares_used", "Shares that pods have.", lambda gpu: len(gpu.slots)),
        ("eclip_gpu_healthy", "1 if the GPU can be given to new pods.", lambda gpu: gpu.health is Health.HEALTHY),
    ]
    for name, text, value in families:
        family = GaugeMetricFamily(name, text, labels=GPU)
        for gpu in snapshot.gpus:
            family.add_metric((snapshot.node, gpu.id, gpu.product), float(value(gpu)))
        yield family


def _meters(snapshot: Snapshot) -> Iterator[Metric]:
    products = {gpu.id: gpu.product for gpu in snapshot.gpus}
    families: list[tuple[str, str, Callable[[Meter], float | None]]] = [
        ("eclip_gpu_power_watts", "Mean power of the board.", lambda meter: meter.watts),
        ("eclip_gpu_temperature_celsius", "At the edge of the die.", lambda meter: meter.celsius),
        ("eclip_gpu_use_ratio", "Part of the time in which the GPU was busy, 0 to 1.", lambda meter: meter.use),
        ("eclip_gpu_vram_used_bytes", "Memory in use, by all programs.", lambda meter: meter.vram_used_bytes),
        ("eclip_gpu_vram_total_bytes", "Memory of the GPU.", lambda meter: meter.vram_total_bytes),
    ]
    for name, text, value in families:
        family = GaugeMetricFamily(name, text, labels=GPU)
        for meter in snapshot.meters:
            reading = value(meter)
            if reading is not None and meter.gpu in products:
                family.add_metric((snapshot.node, meter.gpu, products[meter.gpu]), reading)
        yield family


def _slots(snapshot: Snapshot) -> Iterator[Metric]:
    yield from _counters(snapshot)
    yield from _gauges(snapshot)
    yield _state(snapshot)
    yield _requests(snapshot)


def _counters(snapshot: Snapshot) -> Iterator[Metric]:
    families: list[tuple[str, str, Callable[[Seen], int]]] = [
        ("eclip_slot_kernels", "Kernels launched.", lambda seen: seen.total.launches),
        ("eclip_slot_kernels_redirected", "Kernels that ran on a masked stream.", lambda seen: seen.total.redirected),
        ("eclip_slot_requests", "Requests served.", lambda seen: seen.total.requests),
        ("eclip_slot_hops", "Changes of stream between two kernels.", lambda seen: seen.total.hops),
        (
            "eclip_slot_mismatches",
            "Kernels that were not the one that the profile has next.",
            lambda seen: seen.total.mismatches,
        ),
    ]
    for name, text, value in families:
        family = CounterMetricFamily(name, text, labels=SLOT)
        for seen in snapshot.seen:
            family.add_metric(_labels(snapshot, seen), value(seen))
        yield family


def _gauges(snapshot: Snapshot) -> Iterator[Metric]:
    generation = GaugeMetricFamily(
        "eclip_slot_generation", "Newest table that every program of the slot runs under.", labels=SLOT
    )
    p95 = GaugeMetricFamily(
        "eclip_slot_request_p95_seconds", "95 of 100 requests of the last half minute took no longer.", labels=SLOT
    )
    for seen in snapshot.seen:
        generation.add_metric(_labels(snapshot, seen), seen.acknowledged)
        if seen.figures.p95_micros is not None:
            p95.add_metric(_labels(snapshot, seen), seen.figures.p95_micros / 1e6)
    yield generation
    yield p95


def _state(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "eclip_slot_state", "1 for the state that the slot is in, and why.", labels=(*SLOT, "state", "reason")
    )
    for seen in snapshot.seen:
        reason = seen.verdict.reason.value if seen.verdict.reason else ""
        family.add_metric((*_labels(snapshot, seen), seen.verdict.state.value, reason), 1)
    return family


def _requests(snapshot: Snapshot) -> Metric:
    family = HistogramMetricFamily("eclip_slot_request_seconds", "Times of requests.", labels=SLOT)
    for seen in snapshot.seen:
        times = seen.total.request_micros
        below, buckets = 0, []
        for octave in range(len(times.counts) // OCTAVE):
            below += sum(times.counts[OCTAVE * octave : OCTAVE * (octave + 1)])
            if FIRST_OCTAVE <= octave <= LAST_OCTAVE:
                end = clients.bucket_start(OCTAVE * (octave + 1)) / 1e6
                buckets.append((f"{end:.9g}", float(below)))
        buckets.append(("+Inf", float(times.total)))
        family.add_metric(_labels(snapshot, seen), buckets, times.micros_sum / 1e6)
    return family


def _labels(snapshot: Snapshot, seen: Seen) -> tuple[str, ...]:
    who = seen.occupant
    pod = (who.namespace, who.pod, who.container) if who else ("", "", "")
    return (snapshot.node, seen.gpu, seen.slot, *pod)
