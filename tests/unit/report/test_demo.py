"""From reports of runs to the demo's table, words and page."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eclip.documents import profile
from eclip.errors import EclipError
from eclip.report import comparison, demo_page
from eclip.report.demo_outcome import Alone, alone, outcome

ALEXNET = profile.load(Path(__file__).parents[3] / "examples/profiles/alexnet-b8.yaml")
SOLO = {"alexnet": Alone("alexnet", ALEXNET.solo_micros * 1.25, ALEXNET)}


def report(mean_micros: float | None = 4000.0, wrong: int = 0) -> dict:
    worker = {"name": "a", "meanMicros": mean_micros, "requests": 50, "hopsPerRequest": 3.0, "mismatches": 0}
    result = {"p95Micros": 80_000.0, "checksumMismatches": wrong}
    planned = {"name": "a", "predictedMicros": 1.0, "objectiveMicros": 3000.0, "averageComputeUnits": 30.0}
    return {
        "gpus": [
            {
                "timeScale": 16.0,
                "steady": {"averageBusyCus": 40.0, "joules": 25.0, "gpuSeconds": 0.2},
                "plan": {"workers": [planned]},
                "workloads": [{"name": "a", "log": "a.log", "result": result, "workers": [worker]}],
            }
        ]
    }


def made(strategy: str = "whole-gpu", **given: object) -> comparison.Outcome:
    return outcome(
        strategy,
        report(**given),  # type: ignore[arg-type]
        models={"a": "alexnet"},
        solo=SOLO,
        predicted={"a": 4400.0},
        hop_micros=2.0,
        trace="runs/x/trace.json",
    )


def test_the_programs_wall_time_becomes_gpu_time():
    assert made().workers[0].p95_micros == 80_000 / 16


def test_rates_come_from_the_mean_time_of_a_request_and_predictions_are_compared_with_it():
    assert made().workers[0].rate == pytest.approx(250.0)
    assert made().prediction_error == pytest.approx(0.1)
    assert made().formula_error == pytest.approx(0.25)
    assert made().requests_per_joule == pytest.approx(2.0)


def test_a_run_that_served_nothing_is_no_result():
    with pytest.raises(EclipError, match=r"a: left no result; see a\.log"):
        made(mean_micros=None)
    with pytest.raises(EclipError, match="served no request alone"):
        alone("alexnet", ALEXNET, report(mean_micros=None))


def test_the_hosts_share_is_what_the_kernels_do_not_explain():
    assert SOLO["alexnet"].host_share == pytest.approx(0.2)
    assert demo_page.caution(SOLO) is None


def test_a_machine_that_was_the_bottleneck_is_told():
    slow = {"alexnet": replace(SOLO["alexnet"], request_micros=ALEXNET.solo_micros * 4)}

    assert "75% of a request of alexnet alone" in str(demo_page.caution(slow))


def test_the_page_is_whole_and_links_every_trace():
    mix = comparison.Mix("Mix 1", 60, (made("whole-gpu"), made("kernel-groups", mean_micros=3000.0, wrong=1)))

    page = demo_page.page([mix], SOLO, 16.0, 6.0)

    assert page.count("runs/x/trace.json") == 2
    assert "1 DIFFER" in page
    assert page.count("<svg") == 4
    for picture in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + picture.partition("</svg>")[0] + "</svg>")
