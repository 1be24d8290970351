"""What kubelet is offered: shares, whole GPUs, their health, and what drains."""

from dataclasses import replace

from eclip.api.node_status import HealthReason
from eclip.gpu import products
from eclip.gpu.inventory import Found
from eclip.node.report import ShareState
from eclip_device_plugin.gpus import Choice, Fault, NodeGpu
from eclip_device_plugin.presence import remember
from eclip_device_plugin.shares import Offer, offers


def gpu(index: int, unique_id: int = 0, pci: str = "") -> NodeGpu:
    shape = replace(products.gpu_for("MI50"), node=index + 1, unique_id=unique_id or 0xA0 + index)
    return NodeGpu(Found(shape, pci or f"0000:0{index}:00.0"), index)


ONE, TWO = gpu(0), gpu(1)


def offer(shares: int, in_use: dict[str, tuple[str, ...]], fault: Fault | None = None) -> Offer:
    (made,) = offers([Choice(ONE, shares)], [ONE], in_use, (), fault)
    return made


def healthy(made: Offer) -> set[str]:
    return {share.id for share in made.shares if share.healthy}


def test_free_shares_are_healthy_and_so_is_the_whole_gpu() -> None:
    made = offer(2, {})

    assert healthy(made) == {"a0-s00", "a0-s01"}
    assert made.whole is not None
    assert made.whole.healthy


def test_a_share_in_use_stays_healthy_and_the_whole_gpu_does_not() -> None:
    made = offer(2, {"a0-s01": ("x",)})

    assert healthy(made) == {"a0-s00", "a0-s01"}
    assert made.shares[1].state is ShareState.IN_USE
    assert made.whole is not None
    assert not made.whole.healthy


def test_a_whole_gpu_in_use_takes_all_its_shares() -> None:
    made = offer(2, {"a0-all": ("x",)})

    assert healthy(made) == set()
    assert made.whole is not None
    assert made.whole.healthy
    assert made.draining == 0


def test_a_share_too_many_drains_while_it_is_in_use_and_then_is_gone() -> None:
    in_use = offer(1, {"a0-s03": ("x", "y")})
    free = offer(1, {})

    assert [(share.id, share.state, share.healthy) for share in in_use.shares] == [
        ("a0-s00", ShareState.FREE, True),
        ("a0-s03", ShareState.DRAINING, False),
    ]
    assert in_use.draining == 1
    assert [share.id for share in free.shares] == ["a0-s00"]


def test_a_gpu_that_is_shared_no_more_drains() -> None:
    (made,) = offers([], [ONE, TWO], {"a1-s00": ("x",)}, (), None)

    assert made.gpu == TWO
    assert made.whole is None
    assert healthy(made) == set()
    assert made.draining == 1


def test_nothing_is_healthy_under_a_fault() -> None:
    made = offer(4, {}, Fault(HealthReason.LIBRARY_MISSING, "not there"))

    assert len(made.shares) == 4
    assert healthy(made) == set()
    assert made.whole is not None
    assert not made.whole.healthy


def test_a_gpu_that_amd_offers_by_any_of_its_names_is_offered_to_nobody() -> None:
    partition = replace(TWO, found=replace(TWO.found, alias="amdgpu_xcp_3"))
    for doubled, expected in (({ONE.pci}, ["a0"]), ({"amdgpu_xcp_3"}, ["a1"]), ({"other"}, [])):
        made = offers([Choice(ONE, 1), Choice(partition, 1)], [ONE, partition], {}, doubled, None)
        faults = {one.gpu.id: one.fault.reason for one in made if one.fault}
        assert faults == dict.fromkeys(expected, HealthReason.DOUBLE_ADVERTISED)


def test_a_gpu_that_is_gone_is_remembered_as_lost_and_comes_back() -> None:
    known = remember((), [ONE, TWO], ())
    lost = remember(known, [TWO], ())
    back = remember(lost, [ONE, TWO], ())

    assert {one.id: one.fault.reason for one in lost if one.fault} == {"a0": HealthReason.GPU_LOST}
    assert [one.fault for one in back] == [None, None]


def test_partitions_that_took_a_gpus_place_are_new_and_the_old_one_waits_for_its_pods() -> None:
    whole = gpu(0, 0xA0, "0000:05:00.0")
    parts = [gpu(index, 0xC0 + index, "0000:05:00.0") for index in range(2)]

    unused = remember([whole], parts, ())
    used = remember([whole], parts, {"a0"})

    assert [one.id for one in unused] == ["c0", "c1"]
    assert {one.id: one.fault.reason for one in used if one.fault} == {"a0": HealthReason.REPARTITIONED}
    assert len(used) == 3


def test_a_gpu_whose_shape_changed_keeps_its_old_one_while_in_use() -> None:
    smaller = replace(ONE, found=replace(ONE.found, gpu=replace(ONE.gpu, active=(((8,), (8,), (7,), (7,)),))))

    (used,) = remember([ONE], [smaller], {"a0"})
    (unused,) = remember([ONE], [smaller], ())

    assert used.gpu.compute_units == 60
    assert used.fault is not None
    assert "has 30 CUs now, 60 when it was given out" in used.fault.message
    assert (unused.gpu.compute_units, unused.fault) == (30, None)
