"""What a program needs to come under a slot."""

from pathlib import Path

from eclip.host.entry import Entry, Mode, Starter

ENTRY = Entry(Path("/run/eclip/slots/a/1"), Path("/opt/eclip/libeclip_hip.so"))


def test_what_is_preloaded_already_stays():
    both = ENTRY.environment({"LD_PRELOAD": "/lib/other.so"})["LD_PRELOAD"]

    assert both == "/opt/eclip/libeclip_hip.so:/lib/other.so"


def test_the_applications_own_choice_of_queues_wins():
    assert "GPU_MAX_HW_QUEUES" not in ENTRY.environment({"GPU_MAX_HW_QUEUES": "3"})


def test_as_many_queues_as_the_profile_has_streams_and_never_more_than_hips_default():
    assert ENTRY.environment()["GPU_MAX_HW_QUEUES"] == "1"
    assert Entry(ENTRY.folder, ENTRY.library, queues=9).environment()["GPU_MAX_HW_QUEUES"] == "4"


def test_a_container_sees_its_table_read_only_and_its_statistics_writable():
    flags = ENTRY.told_to(Starter.DOCKER)

    assert "--volume=/run/eclip/slots/a/1/config:/run/eclip/slot/config:ro" in flags
    assert "--volume=/run/eclip/slots/a/1/stats:/run/eclip/slot/stats" in flags
    assert "/run/eclip/slots/a/1/stats:/run/eclip/slot/stats:ro" not in flags


def test_shell_lines_survive_odd_folders():
    odd = Entry(Path("/tmp/a b/$x"), ENTRY.library, Mode.OBSERVE)

    assert "export ECLIP_SLOT='/tmp/a b/$x'" in odd.told_to(Starter.ENV)
