"""`eclip profile` and `eclip doctor` on an emulated MI50."""

import json
from pathlib import Path

import eclip
from eclip.documents import profile
from eclip.emulated import EmulatedGpu

NATIVE = Path(eclip.__file__).parent / "native"
ALEXNET = NATIVE / "workloads" / "alexnet"


def test_a_program_is_profiled_at_every_size_and_ended_when_enough_is_known(host):
    command = host.start("profile", "--gpu", "emulated", "--to", "alexnet.yaml", "--sizes", "15,30", "--", ALEXNET)

    assert command.end()[0] == 0, command.said
    found = profile.load(host.folder / "alexnet.yaml")

    assert (found.name, found.product, found.origin) == ("alexnet", "MI50", "Measured")
    assert (found.sizes, len(found.kernels)) == ((15, 30, 60), 34)
    # Fewer CUs never make a request faster, and 15 of 60 make one that fills the chip much slower.
    request = found.micros.sum(axis=0)
    assert request[0] > request[1] > request[2]
    assert request[0] > 2 * request[2]
    assert host.slots() == {}
    assert "34 kernels a request" in command.said


def test_a_program_that_ends_too_soon_leaves_no_profile_and_says_so(host):
    command = host.start("profile", "--gpu", "emulated", "--to", "a.yaml", "--", ALEXNET, "--requests", "1")

    assert command.end()[0] == 1
    assert "before its profile was complete" in command.said
    assert not (host.folder / "a.yaml").exists()
    assert host.slots() == {}


def test_no_profile_is_taken_where_the_environment_narrows_the_gpu(host):
    host.environment["HSA_CU_MASK"] = "0:0-29"
    command = host.start("profile", "--gpu", "emulated", "--to", "a.yaml", "--", ALEXNET)

    assert command.end()[0] == 2
    assert "HSA_CU_MASK=0:0-29 is set; a profile needs the whole GPU: unset it" in command.said


def test_a_program_that_is_not_there_is_bad_input(host):
    command = host.start("profile", "--gpu", "emulated", "--to", "a.yaml", "--", "./missing")

    assert command.end()[0] == 2
    assert command.said.count("\n") == 1
    assert "'./missing' cannot be started" in command.said


def test_the_doctor_reads_masks_back_and_admits_what_an_emulated_chip_cannot_show(host):
    emulated = EmulatedGpu("MI50", host.folder / "gpu").create()
    host.environment |= emulated.environment(host.environment)

    command = host.start("doctor", "--sysfs", emulated.topology, "-o", "json")
    code, out = command.end()
    verdicts = {check["what"]: check["verdict"] for check in json.loads(out)["checks"]}

    assert code == 0, command.said
    assert verdicts["HIP runtime"] == "ok"
    assert verdicts["GPU 0 (MI50): masks read back"] == "ok"
    assert verdicts["GPU 0 (MI50): placement"] == "note"


def test_the_doctor_says_when_a_mask_of_the_environment_narrows_the_others(host):
    emulated = EmulatedGpu("MI50", host.folder / "gpu").create()
    host.environment |= {**emulated.environment(host.environment), "HSA_CU_MASK": "0:0-14"}

    _, out = host.start("doctor", "--sysfs", emulated.topology, "-o", "json").end()

    (finding,) = [check for check in json.loads(out)["checks"] if check["what"] == "environment"]
    assert (finding["verdict"], "HSA_CU_MASK=0:0-14" in finding["finding"]) == ("note", True)
