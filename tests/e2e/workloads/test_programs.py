"""The workload programs alone on an emulated MI50: right results, the right kernels, and a judge that can say no."""

from pathlib import Path

import pytest

from eclip.documents import profile

PROFILES = Path(__file__).parents[3] / "examples" / "profiles"
MODELS = ["albert", "alexnet", "densenet201", "resnet152", "resnext101", "shufflenet", "training", "vgg19"]
VARIANTS = [
    "default", "stream", "blocking", "non-blocking", "legacy", "threads", "per-thread", "hand-over", "copies",
    "callbacks", "events", "ext", "module", "graph",
]  # fmt: skip
REQUESTS = 3


def _kernels(workloads):
    """Application kernels of the one program that ran, in the order of their packets."""
    (program,) = workloads.gpu.programs()
    kernels = [kernel for kernel in program.kernels if not kernel.runtime]
    return sorted(kernels, key=lambda kernel: kernel.end)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_launches_its_kernels_in_order_and_gets_them_right(workloads, model):
    ended = workloads.run(model, "--requests", str(REQUESTS))
    workloads.assert_right(ended)
    ran = [(kernel.name, kernel.workgroups, kernel.block) for kernel in _kernels(workloads)]
    one = [(launch.function, launch.grid, launch.block) for launch in workloads.launches(model)]
    assert ran == one * REQUESTS


@pytest.mark.parametrize("model", MODELS)
def test_alone_every_kernel_takes_the_time_of_its_modelled_profile(workloads, model):
    workloads.run(model, "--requests", "1")
    (path,) = PROFILES.glob(f"{model}-b*.yaml")
    took = [kernel.end - kernel.begin for kernel in _kernels(workloads)]
    assert took == pytest.approx([call.micros[-1] for call in profile.load(path).kernels], abs=0.002)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_same_results(workloads, variant):
    ended = workloads.run("alexnet", "--requests", "6", "--variant", variant)
    workloads.assert_right(ended)
    assert ended.report["checksum"] == workloads.reference("alexnet", 6)
    assert len(_kernels(workloads)) == 6 * 34


@pytest.mark.parametrize("variant", ["default", "threads", "per-thread"])
def test_three_models_in_one_process_are_right(workloads, variant):
    ended = workloads.run("trio", "--requests", "4", "--variant", variant)
    workloads.assert_right(ended)
    assert [report["model"] for report in ended.reports] == ["alexnet", "shufflenet", "resnet152", "trio"]
    assert len(_kernels(workloads)) == 4 * (34 + 185 + 517)


def test_a_dependency_left_out_shows_wrong_data(workloads):
    # Long kernels and many requests: a host that is slow to launch may order some of them by accident.
    arguments = ["--requests", "20", "--batch", "32"]
    ended = workloads.run("alexnet", *arguments, "--variant", "unordered")
    assert ended.status == 1
    assert ended.report["checksumMismatches"] > 0
    right = workloads.run("alexnet", *arguments, "--variant", "non-blocking")
    assert right.status == 0
    assert ended.report["checksum"] != right.report["checksum"]


def test_the_checksum_tells_requests_apart(workloads):
    assert len({workloads.reference("alexnet", requests) for requests in range(1, 20)}) == 19
    assert workloads.reference("alexnet", 4) != workloads.reference("vgg19", 4)


def test_a_program_stops_after_its_request_when_told_to(workloads):
    running = workloads.start("alexnet", "--period-ms", "5")
    while not workloads.gpu.reading().packets.dispatch > 3 * 34:
        assert running.process.poll() is None
    ended = running.stop()
    workloads.assert_right(ended)
    assert ended.report["requests"] >= 3


def test_periods_that_are_too_short_are_counted_as_missed(workloads):
    # A request takes 1.6 ms at least.
    ended = workloads.run("alexnet", "--requests", "5", "--period-ms", "0.5")
    workloads.assert_right(ended)
    assert ended.report["missedPeriods"] >= 5 * 3


def test_no_period_is_missed_where_there_is_time(workloads):
    ended = workloads.run("alexnet", "--requests", "2", "--period-ms", "2000")
    assert ended.report["missedPeriods"] == 0
    assert ended.report["seconds"] > 2


def test_requests_arrive_at_the_given_rate(workloads):
    ended = workloads.run("alexnet", "--requests", "40", "--rate", "100")
    workloads.assert_right(ended)
    # Forty random gaps of 10 ms on average: the sum's deviation is 16 %, the seed is fixed.
    assert ended.report["seconds"] > 40 / 100 * 0.5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--requests", "0"], "--requests 0: not a number above 0"),
        (["--requests", "1.5"], "--requests 1.5: not a whole number up to"),
        (["--batch", "1000"], "--batch 1000: not a whole number up to 256"),
        (["--rate", "2", "--period-ms", "2"], "--rate and --period-ms: only one of them"),
        (["--variant", "fast"], "--variant fast: not one of default,"),
        (["--seconds"], "--seconds: needs a value"),
        (["--speed", "2"], "--speed: no such option"),
    ],
)
def test_a_bad_command_line_is_refused_in_one_line(workloads, arguments, complaint):
    process = workloads.start("alexnet", *arguments).process
    out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (2, "")
    assert err.startswith(complaint)
    assert err.count("\n") == 1
