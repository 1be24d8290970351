"""From reports of runs to the demo's table, words and page."""

from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eclip.documents import profile
from eclip.errors import EclipError
from eclip.report import comparison, demo_page
from eclip.report.demo_outcome import Alone, alone, outcome
from eclip.report.request_times import Request, Served

ALEXNET = profile.load(Path(__file__).parents[3] / "examples/profiles/alexnet-b8.yaml")
SOLO = {"alexnet": Alone("alexnet", ALEXNET.solo_micros * 1.25, 0.1 * ALEXNET.solo_micros, 40, ALEXNET)}


def requests(*micros: float) -> Served:
    ends = list(accumulate(micros))
    return Served(
        tuple(Request(end - time, end, 0.9 * time, 0.05 * time) for end, time in zip(ends, micros, strict=True))
    )


def report(wrong: int = 0, result: dict | None = None) -> dict:
    worker = {"name": "a", "requests": 50, "hopsPerRequest": 3.0, "mismatches": 0}
    planned = {"name": "a", "predictedMicros": 1.0, "objectiveMicros": 3000.0, "averageComputeUnits": 30.0}
    return {
        "gpus": [
            {
                "steady": {"averageBusyCus": 40.0, "joules": 25.0, "gpuSeconds": 0.2},
                "plan": {"workers": [planned]},
                "workloads": [
                    {
                        "name": "a",
                        "log": "a.log",
                        "result": result or {"checksumMismatches": wrong},
                        "workers": [worker],
                    }
                ],
            }
        ]
    }


def made(strategy: str = "whole-gpu", *, micros: float = 4000.0, **given: object) -> comparison.Outcome:
    return outcome(
        strategy,
        report(**given),  # type: ignore[arg-type]
        models={"a": "alexnet"},
        solo=SOLO,
        predicted={"a": 4400.0},
        served={"a": requests(micros - 500, micros + 500)},
        hop_micros=2.0,
        trace="runs/x/trace.json",
    )


def test_times_and_rates_are_those_of_the_trace():
    (worker,) = made().workers

    assert (worker.rate, worker.p95_micros, worker.requests) == (pytest.approx(250.0), 4500.0, 2)
    assert worker.gap_share == pytest.approx(0.1)
    assert made().prediction_error == pytest.approx(0.1)
    assert made().formula_error == pytest.approx(0.25)
    assert made().requests_per_joule == pytest.approx(2.0)


def test_a_program_that_left_no_result_is_no_outcome():
    with pytest.raises(EclipError, match=r"a: left no result; see a\.log"):
        made(result={"model": "alexnet"})


def test_the_hosts_time_goes_into_the_prediction():
    found = alone("alexnet", ALEXNET, requests(2000.0, 3000.0), launch_micros=1.0)
    assert found.host_micros == pytest.approx(124.0)
    assert found.host_share == pytest.approx(124.0 / 2500.0)


def test_a_machine_that_was_the_bottleneck_is_told():
    slow = {"alexnet": replace(SOLO["alexnet"], host_micros=0.75 * 1.25 * ALEXNET.solo_micros)}

    assert demo_page.caution(SOLO) is None
    assert "75% of a request of alexnet alone" in str(demo_page.caution(slow))


def test_the_picture_has_a_bar_for_every_mix_under_every_strategy():
    outcomes = (made("whole-gpu"), made("kernel-groups", micros=3000.0))
    picture = demo_page.picture([comparison.Mix("Mix 1", 60, outcomes), comparison.Mix("Mix 2", 60, outcomes)])

    titles = [title.text for title in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}title")]
    assert [str(title).partition(":")[0] for title in titles] == [
        "whole-gpu, Mix 1", "kernel-groups, Mix 1", "whole-gpu, Mix 2", "kernel-groups, Mix 2"
    ]  # fmt: skip


def test_the_page_is_whole_and_links_every_trace():
    mix = comparison.Mix("Mix 1", 60, (made("whole-gpu"), made("kernel-groups", micros=3000.0, wrong=1)))

    page = demo_page.page([mix], SOLO, 16.0)

    assert page.count("runs/x/trace.json") == 2
    assert "1 DIFFER" in page
    assert page.count("<svg") == 4
    for picture in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + picture.partition("</svg>")[0] + "</svg>")
