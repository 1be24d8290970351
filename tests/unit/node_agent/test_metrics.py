"""What Prometheus gets."""

from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from eclip.api.node_status import GpuStatus, Health, SlotReason, SlotState
from eclip.gpu import products
from eclip_node_agent import tally
from eclip_node_agent.figures import Figures
from eclip_node_agent.meters import Meter, Meters
from eclip_node_agent.metrics import Metrics, Snapshot
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.reports import Seen
from eclip_node_agent.state import Verdict

Make = Any  # of conftest.py
REFERENCE = Path(__file__).parents[3] / "docs" / "kubernetes" / "metrics.md"
GPU = GpuStatus.of(products.gpu_for("MI50"), shares=4, health=Health.HEALTHY).model_copy(update={"id": "ab"})


def seen(make: Make, **changes: Any) -> Seen:
    fields = {
        "slot": "ab-s00", "allocation": "x", "gpu": "ab", "occupant": Occupant("team", "web", "main"),
        "pod_uid": None, "verdict": Verdict(SlotState.ENFORCED), "acknowledged": 3,
        "total": tally.sums(make.counters(1, launches=50, requests=5, hops=7)), "figures": Figures(p95_micros=2000.0),
    }  # fmt: skip
    return Seen(**{**fields, **changes})


def values(snapshot: Snapshot) -> dict[tuple[str, str], float]:
    """By name, and by pod or GPU."""
    registry = CollectorRegistry()
    registry.register(Metrics(lambda: snapshot))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, sample.labels.get("pod") or sample.labels.get("gpu", "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_figures_of_slots_and_gpus_have_their_units(make: Make) -> None:
    meter = Meter("ab", 120.5, 55.0, 0.5, 1 << 30, 16 << 30)

    found = values(Snapshot("n", "1", gpus=(GPU,), seen=(seen(make),), meters=(meter,)))

    assert found["eclip_slot_kernels_total", "web"] == 50
    assert found["eclip_slot_hops_total", "web"] == 7
    assert found["eclip_slot_request_p95_seconds", "web"] == 0.002
    assert found["eclip_slot_request_seconds_count", "web"] == 5
    assert found["eclip_slot_generation", "web"] == 3
    assert found["eclip_gpu_power_watts", "ab"] == 120.5
    assert found["eclip_gpu_use_ratio", "ab"] == 0.5
    assert found["eclip_gpu_vram_total_bytes", "ab"] == 16 << 30


def test_what_a_gpu_cannot_tell_is_absent_and_not_zero(make: Make) -> None:
    meter = Meter("ab", None, None, None, 1, 2)

    found = values(Snapshot("n", "1", gpus=(GPU,), seen=(seen(make, figures=Figures()),), meters=(meter,)))

    assert ("eclip_gpu_power_watts", "ab") not in found
    assert ("eclip_slot_request_p95_seconds", "web") not in found


def test_a_series_ends_with_its_pod(make: Make) -> None:
    assert not [name for name, pod in values(Snapshot("n", "1", gpus=(GPU,), seen=())) if pod == "web"]


def test_buckets_of_requests_add_up(make: Make) -> None:
    registry = CollectorRegistry()
    registry.register(Metrics(lambda: Snapshot("n", "1", gpus=(GPU,), seen=(seen(make),))))
    text = generate_latest(registry).decode()
    counts = [float(line.rpartition(" ")[2]) for line in text.splitlines() if "request_seconds_bucket" in line]

    assert counts == sorted(counts)
    assert counts[-1] == 5


def test_a_reason_is_a_label(make: Make) -> None:
    registry = CollectorRegistry()
    verdict = Verdict(SlotState.NOT_ENFORCED, SlotReason.NO_HANDSHAKE)
    registry.register(Metrics(lambda: Snapshot("n", "1", gpus=(GPU,), seen=(seen(make, verdict=verdict),))))

    assert 'reason="NoHandshake",slot="ab-s00",state="NotEnforced"} 1.0' in generate_latest(registry).decode()


def test_without_rocms_library_there_are_no_meters(monkeypatch: Any) -> None:
    monkeypatch.setenv("ROCM_PATH", "/nowhere")

    assert Meters().read() == ()


def test_every_metric_is_in_the_reference(make: Make) -> None:
    meter = Meter("ab", 1.0, 1.0, 1.0, 1, 1)
    registry = CollectorRegistry()
    registry.register(Metrics(lambda: Snapshot("n", "1", gpus=(GPU,), seen=(seen(make),), meters=(meter,))))
    text = generate_latest(registry).decode()
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    reference = REFERENCE.read_text()

    assert [name for name in sorted(named) if f"`{name}`" not in reference] == []
