"""The status of the node's object, and its conditions."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.api import conditions as api
from eclip.api.conditions import NodeReason
from eclip.api.node_status import GpuStatus, Health, HealthReason, NodeStatus, SlotReason, SlotState, SlotStatus
from eclip.gpu import products
from eclip.node.report import ConfigReport, GpuReport, Report, Source
from eclip.slot.clients import ClientRecord, Counters, StreamProof
from eclip_node_agent import conditions, reports
from eclip_node_agent.conditions import Trouble, View
from eclip_node_agent.figures import Figures
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.reports import Scene, Seen
from eclip_node_agent.state import Verdict

Make = Any  # of conftest.py
NOW = datetime(2026, 1, 1, tzinfo=UTC)
GPU = products.gpu_for("MI50")


def report(**changes: Any) -> Report:
    gpu = GpuReport(
        id="ab", node=1, product="MI50", compute_units=60, pci_address="0000:03:00.0", render_minor=128, shares=4,
        health=Health.HEALTHY,
    )  # fmt: skip
    fields = {
        "plugin_version": "2", "library": "1", "source": Source.KFD, "resource": "eclip.dev/gpu-share",
        "registered": True, "config": ConfigReport(name="default", in_force="default", valid=True), "gpus": (gpu,),
        "changed_at": NOW,
    }  # fmt: skip
    return Report(**{**fields, **changes})


def seen(number: int = 0, **changes: Any) -> Seen:
    fields = {
        "slot": f"ab-s{number:02}", "allocation": f"x{number}", "gpu": "ab",
        "occupant": Occupant("team", "web", "main"), "pod_uid": "u", "verdict": Verdict(SlotState.ENFORCED),
        "figures": Figures(kernels_per_second=1234.5678, p95_micros=20.0),
    }  # fmt: skip
    return Seen(**{**fields, **changes})


def test_slots_stand_under_their_gpu_and_survive_the_wire() -> None:
    gpus = reports.gpu_statuses(
        Scene(report(), {"ab": GPU}, [seen(1, ceiling=0xFF | 1 << 99), seen(0), seen(2, gpu="other")])
    )
    full = reports.status(Scene(report(), {"ab": GPU}, []), gpus, (), NodeStatus(), version="1", generation=7, now=NOW)

    (gpu,) = NodeStatus.model_validate(full.wire()).gpus
    assert [slot.slot for slot in gpu.slots] == ["ab-s00", "ab-s01"]
    assert gpu.slots[0].occupant == ("team", "web", "main", "x0")
    assert [slot.ceiling for slot in gpu.slots] == [None, "8:ff"]
    assert gpu.slots[0].kernels_per_second == 1235
    assert (full.plugin_version, full.observed_generation, full.summary.enforced) == ("2", 7, "2/2")


def test_the_mean_time_of_a_request_is_told() -> None:
    (gpu,) = reports.gpu_statuses(Scene(report(), {"ab": GPU}, [seen(figures=Figures(mean_micros=123.456))]))

    assert gpu.slots[0].wire()["meanMicros"] == 123.5


def test_a_slot_of_a_crowded_node_shows_fewer_masks() -> None:
    streams = tuple(StreamProof(cus, "in-force", (1 << cus) - 1, (1 << cus) - 1) for cus in (15, 30, 45))
    client = ClientRecord(
        0, True, 1, 1, "x", 1, "enforce", 1, 60, 0, 0, "accepted", "", streams,
        Counters(1, 0, 0, {}, ()), None, True,
    )  # fmt: skip
    crowd = [seen(number, gpu="ab" if number < 8 else "other", clients=[client]) for number in range(512)]

    (alone,) = reports.gpu_statuses(Scene(report(), {"ab": GPU}, crowd[:1]))
    (crowded,) = reports.gpu_statuses(Scene(report(), {"ab": GPU}, crowd))

    assert alone.slots[0].masks == ("15:7fff", "30:3fffffff", "45:1fffffffffff")
    assert {slot.masks for slot in crowded.slots} == {("15:7fff",)}


def test_a_gpu_without_a_shape_is_left_out() -> None:
    assert reports.gpu_statuses(Scene(report(), {}, [seen()])) == ()
    assert reports.gpu_statuses(Scene(None, {"ab": GPU}, [seen()])) == ()


@given(st.integers(0, 2**1024 - 1), st.integers(0, 2**1024 - 1))
def test_masks_are_of_the_chip_whatever_a_program_claims(asked: int, read_back: int) -> None:
    none = Counters(1, 0, 0, {}, ())
    client = ClientRecord(
        0, True, 1, 1, "x", 1, "enforce", 1, 60, 0, 0, "accepted", "",
        (StreamProof(15, "in-force", asked, read_back), StreamProof(15, "in-force", read_back, read_back)), none,
        None, True,
    )  # fmt: skip

    for text in reports.masks([client], GPU):
        count, _, digits = text.partition(":")
        assert int(digits, 16) >> 60 == 0
        assert int(count) == int(digits, 16).bit_count()


def test_only_figures_may_wait(make: Make) -> None:
    base = NodeStatus(gpus=reports.gpu_statuses(Scene(report(), {"ab": GPU}, [seen()])), read_at=NOW)
    moved = NodeStatus(gpus=reports.gpu_statuses(Scene(report(), {"ab": GPU}, [seen(figures=Figures(5, 5, 5, 5, 5))])))
    other = NodeStatus(gpus=reports.gpu_statuses(Scene(report(), {"ab": GPU}, [seen(acknowledged=3)])))

    assert reports.without_figures(base) == reports.without_figures(moved)
    assert reports.without_figures(base) != reports.without_figures(other)
    assert reports.figures_of(moved) == {"x0 mean": 5, "x0 p95": 5, "x0 kernels": 5, "x0 hops": 5}


def gpu(*slots: SlotStatus, **changes: Any) -> GpuStatus:
    return GpuStatus.of(GPU, shares=4, health=Health.HEALTHY).model_copy(update={"slots": slots, **changes})


def slot(state: SlotState, reason: SlotReason | None = None) -> SlotStatus:
    return SlotStatus(slot="ab-s00", allocation="x", state=state, reason=reason)


def told(**view: Any) -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    fields = {
        "report": report(), "plugin_runs": True, "kubelet_answers": True, "gpus": [gpu()], "troubles": [],
        "waiting": [],
    }  # fmt: skip
    found = conditions.conditions(View(**{**fields, **view}), NOW, 3)
    assert all(each.observed_generation == 3 for each in found)
    return {each.type: (each.status, each.reason) for each in found}


def test_a_node_where_all_is_well_is_ready() -> None:
    assert told()["Ready"] == ("True", "Ready")
    assert told(gpus=[gpu(slot(SlotState.ENFORCED))])["Enforced"] == ("True", "Enforced")
    assert told(gpus=[gpu(slot(SlotState.UNMASKED))])["Ready"] == ("True", "Ready")


BAD_CONFIG = report(config=ConfigReport(name="big", in_force="default", valid=False, message="no such file"))


@pytest.mark.parametrize(
    ("view", "kind", "verdict"),
    [
        ({"report": None}, "ConfigValid", ("Unknown", "NotRunning")),
        ({"report": None}, "PluginReady", ("False", "NotRunning")),
        ({"report": BAD_CONFIG}, "ConfigValid", ("False", "Invalid")),
        ({"report": report(registered=False)}, "PluginReady", ("False", "NotRegistered")),
        ({"kubelet_answers": False}, "PluginReady", ("Unknown", "KubeletLost")),
        ({"gpus": []}, "GPUsHealthy", ("False", "NoGPUs")),
        ({"gpus": [gpu(health=Health.UNHEALTHY)]}, "GPUsHealthy", ("False", "Unhealthy")),
        (
            {"gpus": [gpu(health=Health.UNHEALTHY, health_reason=HealthReason.DOUBLE_ADVERTISED)]},
            "GPUsHealthy",
            ("False", "DoubleAdvertised"),
        ),
        ({"troubles": [Trouble("s", NodeReason.WRITE_FAILED, "full")]}, "Programmed", ("False", "WriteFailed")),
        ({"waiting": ["s"]}, "Programmed", ("Unknown", "Pending")),
        ({"gpus": [gpu(slot(SlotState.PENDING))]}, "Enforced", ("Unknown", "Pending")),
        (
            {"gpus": [gpu(slot(SlotState.NOT_ENFORCED, SlotReason.NO_HANDSHAKE))]},
            "Enforced",
            ("False", "NotEnforced"),
        ),
    ],
)
def test_what_is_wrong_is_said_and_the_node_is_not_ready(view: Any, kind: str, verdict: tuple[str, str]) -> None:
    found = told(**view)

    assert found[kind] == verdict
    assert found["Ready"][0] != "True"


def test_messages_name_things_and_stay_short() -> None:
    troubles = [Trouble(f"s{i}", NodeReason.TABLE_MISSING, "m" * 900) for i in range(9)]
    view = View(report(), True, True, [gpu()], troubles, [])

    (programmed,) = [each for each in conditions.conditions(view, NOW, None) if each.type == "Programmed"]

    assert len(programmed.message) <= 1024
    assert programmed.message.startswith("slot s0: m")


def test_a_condition_keeps_the_time_at_which_it_became_so() -> None:
    view = View(report(), True, True, [gpu()], [], [])
    later = datetime(2026, 1, 2, tzinfo=UTC)
    old = conditions.conditions(view, NOW, None)

    assert {each.last_transition_time for each in api.take_over(old, conditions.conditions(view, later, None))} == {NOW}
