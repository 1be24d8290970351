"""A node config changes while the plugin runs: what kubelet is offered, what containers get, what the agent is told."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubelet_contract import SHARE, WHOLE, RefusedError, until

from eclip import node
from eclip.node import record
from eclip.node.report import ShareState

MakeNode = Callable[..., Any]
HEAD = "apiVersion: eclip.dev/v1alpha1\nkind: NodeConfig\n"


def test_fewer_shares_drain_and_more_come_at_once(one: Any) -> None:
    names = {one.kubelet.admit(f"c{number}", SHARE).devices[0]: f"c{number}" for number in range(4)}
    last = max(names)
    one.configure(HEAD + "shares: 3\n")
    until("the fourth drains", lambda: one.kubelet.allocatable(SHARE) == 3)
    assert one.kubelet.devices(SHARE)[last] is False
    until("reported", lambda: one.report().gpus[0].draining == 1)
    states = {share.slot: share.state for share in one.report().gpus[0].slots}
    assert states[last] is ShareState.DRAINING
    assert one.report().gpus[0].shares == 3
    one.kubelet.end(names[last])
    shutil.rmtree(one.state / "slots" / last)  # as the agent does
    until("the fourth is gone", lambda: one.kubelet.capacity(SHARE) == 3)
    one.configure(HEAD + "shares: 8\n")
    until("eight", lambda: one.kubelet.allocatable(SHARE) == 8)
    assert one.process.poll() is None


def test_a_bad_config_keeps_the_last_good_one_also_after_a_restart(one: Any) -> None:
    one.configure(HEAD + "shares: 2\n")
    until("two", lambda: one.kubelet.allocatable(SHARE) == 2)
    one.configure(HEAD + "shares: 99\n")
    until("refused", lambda: not one.report().config.valid)
    assert "default.yaml:3: shares: is 99; should be at most 8" in one.report().config.message
    one.kill()
    one.start()
    until("two after a restart", lambda: one.kubelet.allocatable(SHARE) == 2)
    assert not one.report().config.valid
    assert one.report().config.in_force == "default"
    one.configure(HEAD + "shares: 5\n")
    until("five", lambda: one.kubelet.allocatable(SHARE) == 5)
    until("valid again", lambda: one.report().config.valid)


def test_the_agent_chooses_the_config_by_name(one: Any) -> None:
    one.configure(HEAD + "shares: 1\n", name="edge")
    (one.state / node.NODE_CONFIG).write_text("edge\n")
    until("one share", lambda: one.kubelet.allocatable(SHARE) == 1)
    until("reported", lambda: one.report().config.in_force == "edge")
    (one.state / node.NODE_CONFIG).write_text("../../etc/passwd")
    until("refused", lambda: not one.report().config.valid)
    assert one.kubelet.allocatable(SHARE) == 1
    (one.state / node.NODE_CONFIG).unlink()
    until("the default", lambda: one.kubelet.allocatable(SHARE) == 4)


def test_a_first_config_that_is_bad_offers_nothing(make_node: MakeNode) -> None:
    bad = make_node(config="shares: [", started=False)
    bad.start()
    until("refused", lambda: (bad.state / "plugin.json").exists() and not bad.report().config.valid)
    assert bad.kubelet.capacity(SHARE) == 0
    assert bad.report().config.in_force == ""
    bad.configure(HEAD)
    until("offered", lambda: bad.kubelet.allocatable(SHARE) == 4)


def test_gpus_are_chosen_each_with_its_own_number(make_node: MakeNode) -> None:
    both = make_node(gpus=2)
    assert both.kubelet.allocatable(SHARE) == 8
    first, second = (gpu.id for gpu in both.report().gpus)
    both.configure(HEAD + f"gpus: [{{gpu: 0, shares: 1}}, {{gpu: 0x{second}, shares: 3}}]\n")
    until("one and three", lambda: both.kubelet.capacity(SHARE) == 4)
    by_gpu = sorted(device.split("-")[0] for device in both.kubelet.devices(SHARE))
    assert by_gpu == sorted([first] + [second] * 3)
    both.configure(HEAD + "gpus: [{gpu: '0000:06:00.0'}]\n")
    until("the second one", lambda: set(both.kubelet.devices(SHARE)) == {f"{second}-s{n:02d}" for n in range(4)})
    assert len(both.kubelet.devices(WHOLE)) == 1


def test_containers_spread_over_gpus_unless_they_are_packed(make_node: MakeNode) -> None:
    both = make_node(gpus=2)
    gpus = [both.kubelet.admit(f"c{number}", SHARE).devices[0].split("-")[0] for number in range(2)]
    assert gpus[0] != gpus[1]
    both.configure(HEAD + "placement: pack\n")
    until("followed", lambda: "NodeConfig" in (both.state / "node-config.last-good").read_text())
    third, fourth = (both.kubelet.admit(f"c{number}", SHARE).devices[0].split("-")[0] for number in (2, 3))
    assert third == fourth


def test_what_containers_get_follows_the_config(one: Any) -> None:
    one.configure(HEAD + "ceiling: 30\nhardwareQueues: 2\n")
    until("a ceiling", lambda: one.report().gpus[0].ceiling_compute_units == 30)
    given = one.kubelet.admit("masked", SHARE)
    made = record.Record.parse(one.kubelet.records()[given.allocation], "")
    assert given.environment["HSA_CU_MASK"] == made.ceiling
    mate = one.kubelet.admit("beside", SHARE)
    beside = record.Record.parse(one.kubelet.records()[mate.allocation], "")
    assert made.reach
    assert beside.reach
    assert (made.reach.bit_count(), beside.reach.bit_count(), made.reach & beside.reach) == (30, 30, 0)
    assert given.environment["GPU_MAX_HW_QUEUES"] == "2"
    one.configure(HEAD + "injection: none\n")
    until("no ceiling", lambda: one.report().gpus[0].ceiling_compute_units is None)
    plain = one.kubelet.admit("plain", SHARE)
    assert not {"LD_PRELOAD", "ECLIP_SLOT", "HSA_CU_MASK"} & set(plain.environment)
    assert not any("eclip/slot" in place or "libeclip" in place for place in plain.mounts)
    assert record.Record.parse(one.kubelet.records()[plain.allocation], "").injection is record.Injection.NONE
    one.configure(HEAD + "injection: rocprofiler\n")
    until("refused", lambda: not one.report().config.valid)
    assert "injection: is 'rocprofiler', which this version cannot do yet" in one.report().config.message


def test_another_resource_name_takes_the_place_of_the_old(one: Any) -> None:
    one.configure(HEAD + "resource: example.com/slice\n")
    until("the new one", lambda: one.kubelet.allocatable("example.com/slice") == 4)
    until("without the old", lambda: one.kubelet.capacity(SHARE) == 0)
    until("reported", lambda: one.report().resource == "example.com/slice")


def test_a_whole_gpu_takes_all_its_shares(one: Any) -> None:
    given = one.kubelet.admit("whole", WHOLE)
    assert record.Record.parse(one.kubelet.records()[given.allocation], "").whole
    until("no share is left", lambda: one.kubelet.allocatable(SHARE) == 0)
    assert one.kubelet.capacity(SHARE) == 4


def test_a_share_given_just_now_keeps_the_whole_gpu_from_others(one: Any) -> None:
    """Kubelet has not heard of it yet."""
    one.kubelet.admit("share", SHARE)
    with pytest.raises(RefusedError, match=r"needs all its shares free|Insufficient"):
        one.kubelet.admit("whole", WHOLE)


def test_a_gpu_that_amd_offers_too_is_offered_to_nobody(one: Any) -> None:
    one.kubelet.advertise_elsewhere("amd.com/gpu", "0000:03:00.0")
    until("unhealthy", lambda: one.kubelet.allocatable(SHARE) == 0)
    assert one.kubelet.capacity(SHARE) == 4
    until("reported", lambda: one.report().gpus[0].health_reason == "DoubleAdvertised")
    one.kubelet.advertise_elsewhere("amd.com/gpu")
    until("healthy again", lambda: one.kubelet.allocatable(SHARE) == 4)


def test_a_missing_library_keeps_new_containers_away(one: Any) -> None:
    (library,) = (one.state / "lib").glob("*/libeclip_hip.so")
    away = library.rename(library.with_name("away"))
    until("unhealthy", lambda: one.kubelet.allocatable(SHARE) == 0)
    until("reported", lambda: one.report().gpus[0].health_reason == "LibraryMissing")
    away.rename(library)
    until("healthy again", lambda: one.kubelet.allocatable(SHARE) == 4)


def node_folder(tree: Path) -> Path:
    return tree / "class/kfd/kfd/topology/nodes/1"


def test_a_gpu_that_is_lost_comes_back_with_its_reason_told(one: Any) -> None:
    one.kubelet.admit("one", SHARE)
    there = node_folder(one.source.sysfs)
    away = there.rename(one.root / "gone")
    until("unhealthy", lambda: one.kubelet.allocatable(SHARE) == 0)
    assert one.kubelet.capacity(SHARE) == 4
    until("reported", lambda: one.report().gpus[0].health_reason == "GPULost")
    assert "0000:03:00.0 is gone" in one.report().gpus[0].message
    away.rename(there)
    until("healthy again", lambda: one.kubelet.allocatable(SHARE) == 4)


def test_a_gpu_that_was_repartitioned_is_not_given_out_while_in_use(one: Any) -> None:
    given = one.kubelet.admit("one", SHARE)
    properties = node_folder(one.source.sysfs) / "properties"
    properties.write_text(properties.read_text().replace("simd_count 240", "simd_count 120"))
    until("unhealthy", lambda: one.kubelet.allocatable(SHARE) == 0)
    until("reported", lambda: one.report().gpus[0].health_reason == "Repartitioned")
    assert "has 30 CUs now, 60 when it was given out" in one.report().gpus[0].message
    one.kubelet.end("one")
    shutil.rmtree(one.state / "slots" / given.devices[0])
    until("offered as it is now", lambda: one.kubelet.allocatable(SHARE) == 4)
    until("with its new shape", lambda: one.report().gpus[0].compute_units == 30)
