"""Pods that share a GPU come and go in every way there is, and the mix is planned again for those that are left."""

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from eclip.api import LookupTable
from eclip.api.node_status import mask_text
from eclip.slot import table
from eclip.slot.lookup import OWN_STREAM
from kube.commands import until
from kube.installation import Installation
from kube.sampling import Sample, bursts, pace, samples
from kube.sharing import MATES, Sharing, sharing

pytestmark = pytest.mark.timeout(600)
SOON_S = 60.0
ENDS_S = 90.0
SILENCE_S = 8.0
SILENCES = 5
IDLE_GOAL_S = 1.0
"""From a program's last launch until its mates know that it is idle. Printed, not asserted."""


@pytest.fixture(scope="module")
def shared(installation: Installation) -> Iterator[Sharing]:
    with sharing(installation) as made:
        yield made


def planned(installation: Installation, shared: Sharing) -> set[str]:
    """Names of the pods whose slots the spec gives a table."""
    gpus = installation.node(shared.node)["spec"].get("gpus", [])
    tables = {slot["allocation"] for gpu in gpus for slot in gpu.get("slots", []) if "table" in slot}
    return {name for name, slot in installation.slots(shared.node).items() if slot["allocation"] in tables}


def enforced(installation: Installation, shared: Sharing, names: set[str]) -> bool:
    """Whether these pods, and no others, are planned for and run with their masks."""
    slots = installation.slots(shared.node)
    states = {name: slot["state"] for name, slot in slots.items()}
    return states == dict.fromkeys(names, "Enforced") and planned(installation, shared) == names


def tables(installation: Installation, shared: Sharing) -> dict[str, str]:
    gpu = installation.node(shared.node)["spec"]["gpus"][0]
    return {slot["slot"]: slot["table"] for slot in gpu["slots"] if "table" in slot}


def await_mix(installation: Installation, shared: Sharing, *names: str) -> None:
    until(f"{names} share the GPU", lambda: enforced(installation, shared, set(names)), within=ENDS_S, every=0.2)


def test_a_pod_that_joins_and_one_that_leaves_make_a_new_plan(installation: Installation, shared: Sharing) -> None:
    three = tables(installation, shared)

    shared.pods.start("albert-1", "albert", shared.node, "--seconds", "3600")
    await_mix(installation, shared, *MATES, "albert-1")
    four = tables(installation, shared)
    shared.pods.delete("albert-1")
    await_mix(installation, shared, *MATES)

    assert len(four) == 4
    assert not set(four.values()) & set(three.values())
    assert tables(installation, shared) == three


def test_a_program_that_crashes_leaves_its_share_to_the_others(installation: Installation, shared: Sharing) -> None:
    # The first process of a container is spared by most signals from inside.
    under = ("sh", "-c", '"$@" & echo $! >/tmp/pid; wait $!', "sh")
    shared.pods.start("crashing", "albert", shared.node, "--seconds", "3600", under=under)
    await_mix(installation, shared, *MATES, "crashing")

    shared.pods.enter("crashing", "sh", "-c", "kill -SEGV $(cat /tmp/pid)")

    until("it has failed", lambda: shared.pods.phase("crashing") == "Failed", within=SOON_S)
    shared.pods.delete("crashing")
    await_mix(installation, shared, *MATES)


def test_a_pod_deleted_with_force_is_gone_from_the_mix(installation: Installation, shared: Sharing) -> None:
    shared.pods.start("forced", "albert", shared.node, "--seconds", "3600")
    await_mix(installation, shared, *MATES, "forced")

    installation.access.kubectl("delete", "pod", "-n", shared.pods.namespace, "forced", "--force", "--grace-period=0")

    await_mix(installation, shared, *MATES)


@pytest.fixture
def seldom(installation: Installation, shared: Sharing) -> Iterator[str]:
    """A pod in the place of a mate that serves one request every few seconds."""
    shared.pods.delete(MATES[2])
    shared.pods.start("seldom", "alexnet", shared.node, "--period-ms", str(SILENCE_S * 1e3), "--seconds", "3600")
    yield "seldom"
    shared.pods.delete("seldom")
    shared.pods.start(MATES[2], "alexnet", shared.node, "--seconds", "3600")
    await_mix(installation, shared, *MATES)


def test_a_pod_that_falls_idle_leaves_its_cus_to_the_others_until_it_returns(
    installation: Installation, shared: Sharing, seldom: str
) -> None:
    await_mix(installation, shared, *MATES[:2], seldom)
    places = {name: place(installation, shared, name) for name in (*MATES[:2], seldom)}
    mates = {name: places[name] for name in MATES[:2]}
    everybody = sum(1 << one.bit for one in places.values())
    without = everybody - (1 << places[seldom].bit)

    taken = samples(installation, shared.node, SILENCES * SILENCE_S)

    def see(active: int) -> Callable[[Sample], bool]:
        return lambda sample: all(sample.slots[mate.allocation].active == active for mate in mates.values())

    alone = [one.at for one in filter(see(without), taken)]
    together = [one.at for one in filter(see(everybody), taken)]
    late, back = [], []
    for (_, end), (begin, _) in pairwise(bursts(taken, places[seldom].allocation, SILENCE_S / 2)):
        late.append(next((at for at in alone if end <= at < begin), begin) - end)
        back.append(next((at for at in together if at >= begin), taken[-1].at) - begin)
    allocations = {mate.allocation for mate in mates.values()}
    slower, speed = (pace(taken, allocations, see(active)) for active in (everybody, without))
    sys.stdout.write(
        f"{len(late)} silences of {SILENCE_S:.0f} s: the mates knew after {max(late):.2f} s at most (goal "
        f"{IDLE_GOAL_S:.0f}), and {max(back):.2f} s at most after its return\n"
        f"kernels of the mates per ms of GPU time: {slower:.1f} beside it, {speed:.1f} while it is idle\n"
    )
    assert len(late) >= SILENCES - 2
    assert max(late) < SILENCE_S / 2
    assert max(back) < SILENCE_S / 2
    assert speed > slower
    for mate in mates.values():
        assert {sample.slots[mate.allocation].generation for sample in taken} == {mate.generation}
        assert mate.cus(without) > mate.cus(everybody)
    read_back = {name: set(installation.slots(shared.node)[name]["masks"]) for name in mates}
    assert all(mate.masks(without) <= read_back[name] for name, mate in mates.items())
    assert any(mate.masks(without) - mate.masks(everybody) for mate in mates.values()), "streams of that variant alone"


def test_a_node_that_is_drained_has_no_plan_left(installation: Installation, shared: Sharing) -> None:
    """Runs last: its pods end."""
    access = installation.access
    selector = "--pod-selector=app in (alexnet, albert)"
    try:
        access.kubectl(
            "drain", shared.node, "--force", "--ignore-daemonsets", "--delete-emptydir-data", selector,
            "--timeout=90s", within=120.0,
        )  # fmt: skip
        until("no pod has a share", lambda: installation.slots(shared.node) == {}, within=ENDS_S)
        until("no plan is left", lambda: tables(installation, shared) == {}, within=ENDS_S)
        until("the policy governs nothing", lambda: governed(installation, shared) == 0, within=ENDS_S)
    finally:
        access.kubectl("uncordon", shared.node)


def governed(installation: Installation, shared: Sharing) -> int:
    found = installation.access.get("colocationpolicy", "-n", shared.pods.namespace, "models")
    return int(found["status"]["summary"]["pods"])


@dataclass(frozen=True)
class Place:
    """A pod in the mix."""

    allocation: str
    generation: int
    """Of its table."""
    table: table.Table

    @property
    def bit(self) -> int:
        """In the active sets."""
        return self.table.models[0].worker

    def masks(self, active: int) -> set[str]:
        """Of the masked streams that it uses while these workers are busy."""
        streams = (group.stream for group in self._groups(active) if group.stream != OWN_STREAM)
        return {mask_text(self.table.streams[stream].cu_set) for stream in streams}

    def cus(self, active: int) -> float:
        """Of its kernels, on average."""
        sizes = {index: stream.compute_units for index, stream in enumerate(self.table.streams)}
        sizes[OWN_STREAM] = self.table.compute_units
        return statistics.mean(
            sizes[group.stream] for group in self._groups(active) for _ in range(group.first, group.last + 1)
        )

    def _groups(self, active: int) -> tuple[table.StreamGroup, ...]:
        (found,) = (variant.choices[0] for variant in self.table.variants if variant.active == active)
        return found


def place(installation: Installation, shared: Sharing, name: str) -> Place:
    status = installation.slots(shared.node)[name]
    gpus: list[Any] = installation.node(shared.node)["spec"]["gpus"]
    (spec,) = (slot for gpu in gpus for slot in gpu["slots"] if slot["allocation"] == status["allocation"])
    found = LookupTable.read(installation.access.get("lookuptable", spec["table"]))
    return Place(status["allocation"], status["generation"], table.decode(found.spec.data))
