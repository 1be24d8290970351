"""What the doctor makes of what was found."""

from eclip import layout
from eclip.gpu import products
from eclip.host import fitness
from eclip.host.fitness import Verdict

GPU, PRODUCT = products.gpu_for("MI50"), products.product("MI50")
CU_SETS = [stream.cu_set for stream in layout.layout(GPU, PRODUCT, [(15,)])[0]]
GOOD = {"version": 50_221_153, "library": "libamdhip64.so.5", "devices": 1, "error": ""}


def test_a_runtime_that_is_there_is_named_with_its_version():
    check = fitness.runtime(GOOD)

    assert check.verdict is Verdict.OK
    assert "HIP 5.2" in check.finding


def test_a_runtime_that_is_too_old_missing_or_broken_is_bad():
    assert fitness.runtime({**GOOD, "version": 40_300_000}).verdict is Verdict.BAD
    assert fitness.runtime({**GOOD, "version": 0, "error": "no HIP runtime"}).verdict is Verdict.BAD
    assert fitness.runtime({**GOOD, "error": "hipSetDevice: invalid"}).verdict is Verdict.BAD


def test_a_mask_read_back_differently_is_bad_and_shows_both():
    check = fitness.read_back("GPU 0", [{"asked": [1, 0], "readBack": [0xF, 0]}])

    assert check.verdict is Verdict.BAD
    assert "0x0000000000000001" in check.finding
    assert "0x000000000000000f" in check.finding


def test_masks_that_nobody_could_set_are_not_called_honoured():
    assert fitness.read_back("GPU 0", []).verdict is Verdict.BAD
    assert fitness.read_back("GPU 0", [{"asked": [1], "readBack": [1]}]).verdict is Verdict.OK


def test_workgroups_outside_the_mask_are_bad_and_silence_is_no_proof():
    blank = {"hardwareIds": [0xFFFFFFFF] * 8}
    inside = {"hardwareIds": [unit << 8 for unit in range(15)]}
    outside = {"hardwareIds": [3 << 13 | unit << 8 for unit in range(4)]}

    assert fitness.placement("GPU 0", GPU, CU_SETS, [blank]).verdict is Verdict.NOTE
    assert fitness.placement("GPU 0", GPU, CU_SETS, [{}]).verdict is Verdict.NOTE
    assert fitness.placement("GPU 0", GPU, CU_SETS, [inside]).verdict is Verdict.OK
    assert fitness.placement("GPU 0", GPU, CU_SETS, [outside]).verdict is Verdict.BAD


def test_the_queue_budget_counts_processes_as_well_as_queues():
    assert "6 workers" in fitness.queue_budget("GPU 0", GPU, PRODUCT).finding
    paper = products.product("mi50-paper")
    assert "2 workers" in fitness.queue_budget("GPU 0", GPU, paper).finding


def test_a_runtime_without_a_gpu_is_not_said_to_be_missing():
    found = fitness.runtime(
        {"version": 0, "devices": 0, "checks": [], "error": "hipGetDeviceCount: hipErrorNoDevice (100)"}
    )

    assert (found.verdict, "install" in found.finding) == (fitness.Verdict.BAD, False)
