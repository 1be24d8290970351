"""Pods that share a GPU come and go in every way there is, and the mix is planned again for those that are left."""

from collections.abc import Iterator

import pytest

from kube.commands import until
from kube.installation import Installation
from kube.sharing import MATES, Sharing, sharing

pytestmark = pytest.mark.timeout(600)
SOON_S = 60.0
ENDS_S = 90.0


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
