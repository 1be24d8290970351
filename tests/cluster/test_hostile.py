"""Pods that mean harm, know nothing of ECLIP, or ask for what cannot be: their neighbours never notice."""

from collections.abc import Iterator

import pytest

from kube.commands import ClusterError, until
from kube.installation import Installation
from kube.node import PAUSE
from kube.sharing import MATES, Sharing, enforced, sharing
from kube.watching import watch
from kube.workload_pods import reference

pytestmark = pytest.mark.timeout(600)
SOON_S = 60.0
STANDSTILL_S = 60.0
"""Of the neighbours: less than a program that hangs, more than a busy machine takes from one."""
STATS = "/run/eclip/slot/stats"
HARM = {
    "shrinks": f": > {STATS}",
    "grows": f"head -c 4194304 /dev/zero >> {STATS}",
    "scribbles": f"head -c 65536 /dev/urandom | dd of={STATS} conv=notrunc status=none",
    "replaces": f"rm -f {STATS}; ln -s /etc/passwd {STATS}",
    "fills": f"head -c 1073741824 /dev/zero > {STATS}.more",
}


@pytest.fixture(scope="module")
def shared(installation: Installation) -> Iterator[Sharing]:
    with sharing(installation) as made:
        made.pods.start("hostile", "sleep", made.node, "3600")
        made.pods.await_running("hostile")
        yield made


@pytest.mark.parametrize("harm", HARM)
def test_what_a_pod_does_to_its_slot_harms_nobody_and_is_put_right(
    installation: Installation, shared: Sharing, harm: str
) -> None:
    pods = shared.pods
    size = pods.enter("hostile", "stat", "-Lc", "%s", STATS)
    with watch(installation, shared.node) as watching:
        watching.until("three programs are seen", lambda seen: len(seen.generations) >= len(MATES), within=SOON_S)

        pods.enter("hostile", "sh", "-c", f"({HARM[harm]}) 2>/dev/null; true")

        until(
            "the file has its size again",
            lambda: pods.enter("hostile", "stat", "-Lc", "%s", STATS) == size,
            within=SOON_S,
        )
        assert enforced(installation, shared.node)
        assert watching.longest() <= STANDSTILL_S
    hostile = installation.slots(shared.node)["hostile"]
    assert hostile["state"] in ("Pending", "NotEnforced")


def test_a_static_program_runs_with_a_share_as_it_would_without(installation: Installation, shared: Sharing) -> None:
    other = max(one["metadata"]["name"] for one in installation.access.get("nodes")["items"])
    shared.pods.start("static", "/pause", other, image=PAUSE)

    shared.pods.await_running("static")
    until("it is seen", lambda: "static" in installation.slots(other), within=SOON_S)

    assert installation.slots(other)["static"]["state"] in ("Pending", "Unmasked")
    shared.pods.delete("static")


def test_a_policy_without_its_profile_leaves_the_pods_unmasked_and_says_why(
    installation: Installation, shared: Sharing
) -> None:
    access, namespace = installation.access, shared.pods.namespace
    access.kubectl("delete", "kernelprofile", "-n", namespace, "alexnet-b8")

    until("it says so", lambda: profiles(shared) == ("False", "ProfileMissing"), within=SOON_S)
    until(
        "all are unmasked",
        lambda: {installation.slots(shared.node)[name]["state"] for name in MATES} == {"Unmasked"},
        within=SOON_S,
    )
    shared.pods.make_namespace()
    until("all are enforced again", lambda: enforced(installation, shared.node), within=SOON_S)


def test_a_quota_counts_shares(installation: Installation, shared: Sharing) -> None:
    hard = {"requests.eclip.dev/gpu-share": "4"}
    metadata = {"name": "shares", "namespace": shared.pods.namespace}
    installation.access.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}
    )
    until("the quota counts", lambda: used(installation, shared) == "4", within=SOON_S)

    with pytest.raises(ClusterError, match=r"exceeded quota: shares"):
        shared.pods.start("one-too-many", "alexnet", shared.node)


def test_after_all_that_every_result_is_right(shared: Sharing) -> None:
    for name in MATES:
        report = shared.pods.stop(name)

        assert report["checksumMismatches"] == 0
        assert report["checksum"] == reference("alexnet", int(report["requests"]))
        assert shared.pods.restarts(name) == 0


def profiles(shared: Sharing) -> tuple[str, str]:
    return shared.pods.condition("models", "ProfilesResolved")[:2]


def used(installation: Installation, shared: Sharing) -> str:
    quota = installation.access.get("resourcequota", "-n", shared.pods.namespace, "shares")
    return str(quota.get("status", {}).get("used", {}).get("requests.eclip.dev/gpu-share"))
