"""What a container gets with its share."""

from datetime import UTC, datetime
from pathlib import PurePath

import pytest

from eclip.errors import InputError
from eclip.node.record import Injection, Record
from eclip_device_plugin.container import Container, Device, Mount, container, one_share

FOLDER = PurePath("/state/slots/a0-s01/x1")
LIBRARY = PurePath("/state/lib/1-abc/libeclip_hip.so")
GPU = Container({"ROCR_VISIBLE_DEVICES": "GPU-1"}, devices=(Device("/dev/kfd"), Device("/dev/dri/renderD128")))


def given(injection: Injection = Injection.PRELOAD, ceiling: str | None = None) -> Container:
    made = Record(
        slot="a0-s01",
        allocation="x1",
        gpu="a0",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        library="1-abc",
        injection=injection,
        ceiling=ceiling,
    )
    return container(made, FOLDER, LIBRARY, 2, GPU)


def test_a_container_gets_the_gpu_its_slot_and_the_library() -> None:
    made = given()

    assert made.environment == {
        "ROCR_VISIBLE_DEVICES": "GPU-1",
        "ECLIP_ALLOCATION": "x1",
        "ECLIP_SLOT": "/run/eclip/slot",
        "LD_PRELOAD": "/usr/local/lib/eclip/libeclip_hip.so",
        "GPU_MAX_HW_QUEUES": "2",
    }
    assert made.devices == GPU.devices
    assert set(made.mounts) == {
        Mount("/run/eclip/slot/config", f"{FOLDER}/config", read_only=True),
        Mount("/run/eclip/slot/stats", f"{FOLDER}/stats", read_only=False),
        Mount("/run/eclip/slot/profile", f"{FOLDER}/profile", read_only=False),
        Mount("/usr/local/lib/eclip/libeclip_hip.so", str(LIBRARY), read_only=True),
    }


def test_a_ceiling_is_set_only_where_there_is_one() -> None:
    assert "HSA_CU_MASK" not in given().environment
    assert given(ceiling="0:0-29").environment["HSA_CU_MASK"] == "0:0-29"


def test_without_injection_there_is_the_gpu_and_nothing_of_ours() -> None:
    made = given(Injection.NONE)

    assert made.mounts == ()
    assert not {"LD_PRELOAD", "ECLIP_SLOT"} & set(made.environment)


def test_one_share_is_given_and_two_are_refused_with_the_reason() -> None:
    assert one_share(["a0-s00"]) == "a0-s00"
    with pytest.raises(InputError, match="more than one share per container is not supported yet: ask for 1"):
        one_share(["a0-s00", "a0-s01"])
