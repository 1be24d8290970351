"""The words of the report follow its numbers."""

from dataclasses import replace

import pytest

from eclip.report import comparison
from eclip.report.comparison import Mix, Outcome, WorkerOutcome


def worker(name: str = "a", rate: float = 500.0, **changes: object) -> WorkerOutcome:
    fields = {
        "requests": 100,
        "p95_micros": 2500.0,
        "solo_micros": 1000.0,
        "predicted_micros": 2100.0,
        "formula_micros": 3000.0,
        "switches": 0.0,
        "average_compute_units": 60.0,
        "gap_share": 0.05,
        "wrong_results": 0,
        "mismatches": 0,
    }
    return WorkerOutcome(name=name, rate=rate, **{**fields, **changes})  # type: ignore[arg-type]


def outcome(strategy: str, *workers: WorkerOutcome, **changes: object) -> Outcome:
    fields = {"busy_cus": 40.0, "joules": 100.0, "seconds": 1.0, "hop_micros": 10.0}
    return Outcome(strategy=strategy, workers=workers, **{**fields, **changes})  # type: ignore[arg-type]


def test_throughput_is_the_sum_of_speeds_relative_to_solo():
    assert outcome("x", worker("a", 500.0), worker("b", 250.0)).throughput == pytest.approx(0.75)


def test_the_winner_is_named_with_its_gain_over_the_baseline():
    mix = Mix("m", 60, (outcome("whole-gpu", worker(rate=500)), outcome("kernel-groups", worker(rate=600))))

    assert comparison.verdict(mix)[0].startswith("throughput: kernel-groups (0.600 x solo), +20.0% against whole-gpu")


def test_a_baseline_that_wins_is_said_to_win():
    mix = Mix("m", 60, (outcome("whole-gpu", worker(rate=600)), outcome("kernel-groups", worker(rate=500))))

    assert "nothing beats whole-gpu" in comparison.verdict(mix)[0]


def test_a_difference_within_the_noise_is_no_victory():
    mix = Mix("m", 60, (outcome("whole-gpu", worker(rate=600)), outcome("static-split", worker(rate=605))))

    assert "static-split and whole-gpu level" in comparison.verdict(mix)[0]
    assert "level in throughput" in comparison.verdict(mix)[3]


def test_the_share_of_the_switches_comes_from_their_number_and_their_cost():
    busy = worker(rate=500, switches=50.0)  # 50 x 10 µs of 2000 µs

    assert outcome("per-kernel", busy).hop_share == pytest.approx(0.25)
    mix = Mix("m", 60, (outcome("whole-gpu", worker()), outcome("per-kernel", busy)))
    assert "50 switches a request take up to 25.0% of the time" in comparison.verdict(mix)[3]


def test_one_differing_checksum_is_told():
    same = Mix("m", 60, (outcome("whole-gpu", worker()), outcome("kernel-groups", worker())))
    spoilt = replace(same, outcomes=(same.outcomes[0], outcome("kernel-groups", worker(wrong_results=2))))

    assert [row[-1] for row in comparison.rows(same)] == ["equal", "equal"]
    assert [row[-1] for row in comparison.rows(spoilt)] == ["equal", "2 DIFFER"]
    assert same.checksums_equal
    assert not spoilt.checksums_equal


def test_errors_of_both_predictions_stand_beside_each_other():
    measured = outcome("whole-gpu", worker(rate=500))

    assert measured.prediction_error == pytest.approx(0.05)
    assert measured.formula_error == pytest.approx(0.5)


def test_energy_counts_requests_of_all_workers_per_joule_of_the_whole_chip():
    assert outcome("x", worker("a"), worker("b"), joules=50.0).requests_per_joule == pytest.approx(20.0)
