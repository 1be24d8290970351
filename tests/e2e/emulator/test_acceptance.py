"""HIP programs accept the emulated GPU, one process a test, in every way that the runtime can be switched."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from eclip.emulated import LIBRARIES, EmulatedGpu

ACCEPTANCE = LIBRARIES / "acceptance"
MakeGpu = Callable[..., EmulatedGpu]

DRIVEN = {"contend", "endless", "four_queues", "mask_call_beside_a_kernel", "profile", "ten_queues"}
"""Those that mean something only beside other processes, or for another configuration; see the other files."""

TESTS = """
attributes bandwidth basic bigalloc bigpinned callbacks cooperative copies cross_stream_wait device_reset
early_reader_sees_old_data empty_mask_fails_open event_ordered_log ext_launch graph ipc left_out_wait_shows_wrong_data
legacy_order mallocasync managed many_masked_streams many_streams masks memsets module_launch names per_thread pinned
pitched priorities queries registered sharing symbols threads write_value zerocopy
"""
NAMES = tuple(TESTS.split())

WAYS = {
    "small-bar": ({"largeBar": False}, {}),
    "no-interrupts": ({}, {"HSA_ENABLE_INTERRUPT": "0"}),
    "no-sdma": ({}, {"HSA_ENABLE_SDMA": "0"}),
    "no-direct-dispatch": ({}, {"AMD_DIRECT_DISPATCH": "0"}),
    "debugger-runtime": ({"runtimeEnable": True}, {}),
    "gws": ({"gws": 64}, {}),
}
TELLING = (
    "bigpinned callbacks cooperative copies cross_stream_wait graph legacy_order many_masked_streams pitched "
    "registered threads write_value"
)
"""Not those that take times, as `masks` does: without direct dispatch a thread of HIP's waits on the host for whatever
a stream waits for, and writes the kernel only then: 0.2 to 3 ms on top of the 0.1 ms to be measured."""


@pytest.mark.parametrize("name", NAMES)
def test_accepts(name: str, make_gpu: MakeGpu, programs: Any) -> None:
    assert programs.run(make_gpu(), name).endswith("passed\n")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TELLING.split())
def test_accepts_with_the_runtime_switched(name: str, way: str, make_gpu: MakeGpu, programs: Any) -> None:
    settings, environment = WAYS[way]
    assert programs.run(make_gpu(settings=settings), name, **environment).endswith("passed\n")


@pytest.mark.parametrize("name", ["copies", "threads", "sharing"])
def test_accepts_two_gpus(name: str, make_gpu: MakeGpu, programs: Any) -> None:
    assert programs.run(make_gpu(count=2), name).endswith("passed\n")


def test_accepts_without_any_configuration(make_gpu: MakeGpu, programs: Any) -> None:
    """A program gets an MI50 with a chip of its own."""
    assert programs.run(make_gpu(), "copies", ECLIP_EMULATOR="").endswith("passed\n")


def test_every_test_of_the_program_is_run_by_somebody() -> None:
    names = subprocess.run([ACCEPTANCE], capture_output=True, text=True, check=True).stdout.split()
    assert set(names) == set(NAMES) | DRIVEN


@pytest.mark.parametrize("costs", [{"launchMicros": 5, "barrierMicros": 7}, {"queueSlots": 1, "quantumMicros": 300}])
@pytest.mark.parametrize("name", ["cross_stream_wait", "legacy_order", "many_streams", "threads", "callbacks"])
def test_order_holds_whatever_things_cost(name: str, costs: dict[str, float], make_gpu: MakeGpu, programs: Any) -> None:
    assert programs.run(make_gpu(costs=costs), name).endswith("passed\n")


def test_a_bad_configuration_is_named_and_no_gpu_is_found(make_gpu: MakeGpu, programs: Any) -> None:
    gpu = make_gpu()
    gpu.config_path.write_text('{"timeScale": -1}')
    process = programs.start(gpu, "basic")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1
    assert f"{gpu.config_path}: timeScale is -1.000000, out of range" in output
