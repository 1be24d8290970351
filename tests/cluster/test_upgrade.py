"""The chart is upgraded, rolled back, uninstalled and installed again while programs share a GPU: they run on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kube import older, release
from kube.cluster import Cluster
from kube.commands import until
from kube.installation import NAMESPACE, RELEASE, VALUES, Installation
from kube.release import CHART
from kube.sharing import MATES, Sharing, enforced, sharing
from kube.watching import watch
from kube.workload_pods import Pods, reference

pytestmark = pytest.mark.timeout(1200)
PATIENCE_S = 120.0
STANDSTILL_S = 60.0
"""More than a small machine takes from a program while it starts all containers anew, less than one that hangs."""
NEWCOMER = "alexnet-4"
SHARES = {older.VERSION: 6, release.version(): 4}


@pytest.fixture
def before(cluster: Cluster, installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """The chart of a release before this one, which is in force: other versions of chart, library and tables, other
    shares, and one field less in a CRD. This one is in force again afterwards."""
    cluster.load(older.archive())
    chart = older.chart(tmp_path / "eclip")
    upgrade(installation, chart, older.VERSION)
    yield chart
    upgrade(installation, CHART, release.version())


def upgrade(installation: Installation, chart: Path, version: str) -> None:
    shares = SHARES[version]
    # New pods on all nodes, also where only the shares differ.
    values = {"node": {"podAnnotations": {"shares": str(shares)}}, "nodeConfigs": {"default": {"shares": shares}}}
    installation.helm("upgrade", RELEASE, chart, "--wait", "--timeout=180s", values={**VALUES, **values})
    await_shares(installation, shares)


def await_shares(installation: Installation, wanted: int) -> None:
    def offered() -> set[int]:
        nodes = installation.access.get("nodes")["items"]
        return {int(node["status"]["allocatable"]["eclip.dev/gpu-share"]) for node in nodes}

    until(f"{wanted} shares", lambda: offered() == {wanted}, within=PATIENCE_S)


def states(installation: Installation, node: str) -> dict[str, tuple[str, str]]:
    """State and reason of each pod's slot."""
    return {name: (slot["state"], slot.get("reason", "")) for name, slot in installation.slots(node).items()}


def library(pods: Pods, name: str) -> str:
    """Version of the library that a pod was started with: the folder that it is mounted from."""
    (line,) = pods.enter(name, "grep", "libeclip_hip.so", "/proc/1/mountinfo").splitlines()
    return line.split()[3].rpartition("/")[0].rpartition("/")[2].partition("-")[0]


def by_allocation(slots: dict[str, dict[str, Any]], field: str) -> dict[str, Any]:
    return {name: slots[name][field] for name in MATES}


def test_upgrade_and_rollback_leave_programs_as_they_are(installation: Installation, before: Path) -> None:
    current = ("Enforced", ""), ("NotEnforced", "VersionMismatch")
    with sharing(installation) as shared, watch(installation, shared.node) as watching:
        pods, node = shared.pods, shared.node
        under = installation.slots(node)
        watching.until("three programs are seen", lambda seen: len(seen.generations) >= len(MATES), within=PATIENCE_S)

        upgrade(installation, CHART, release.version())
        pods.start(NEWCOMER, "alexnet", node, "--seconds", "3600")
        in_force, differs = current
        expected = {NEWCOMER: in_force, **dict.fromkeys(MATES, differs)}
        until("tables of the new release reach its pods alone", lambda: states(installation, node) == expected,
              within=PATIENCE_S)  # fmt: skip
        upgraded = installation.slots(node)
        assert {name: library(pods, name) for name in (*MATES, NEWCOMER)} == {
            NEWCOMER: release.version(), **dict.fromkeys(MATES, older.VERSION)
        }  # fmt: skip
        assert by_allocation(upgraded, "allocation") == by_allocation(under, "allocation")
        for name in MATES:  # the plan that they had; its masks for a mate that was silent for a moment may have come in
            assert set(upgraded[name]["masks"]) >= set(under[name]["masks"]) > set()

        installation.helm("rollback", RELEASE, "--wait", "--timeout=180s")
        await_shares(installation, SHARES[older.VERSION])
        expected = {NEWCOMER: differs, **dict.fromkeys(MATES, in_force)}
        until("tables of the old release reach its pods alone", lambda: states(installation, node) == expected,
              within=PATIENCE_S)  # fmt: skip
        assert by_allocation(installation.slots(node), "allocation") == by_allocation(under, "allocation")
        assert watching.longest() <= STANDSTILL_S
        for name in (*MATES, NEWCOMER):
            check(pods, name)


def test_what_runs_outlives_the_release_and_the_next_one_adopts_it(
    installation: Installation, sharing: Sharing
) -> None:
    under = installation.slots(sharing.node)
    with watch(installation, sharing.node) as watching:
        watching.until("three programs are seen", lambda seen: len(seen.generations) >= len(MATES), within=PATIENCE_S)
        installation.helm("uninstall", RELEASE, "--wait", "--timeout=120s")
        until("its pods are gone", lambda: not installation.access.get("pods", "-n", NAMESPACE)["items"], within=90.0)
        assert all(sharing.pods.phase(name) == "Running" for name in MATES)

        installation.install()

        until("all are enforced", lambda: enforced(installation, sharing.node), within=PATIENCE_S)
        assert watching.longest() <= STANDSTILL_S
    assert by_allocation(installation.slots(sharing.node), "allocation") == by_allocation(under, "allocation")
    for name in MATES:
        check(sharing.pods, name)


def check(pods: Pods, name: str) -> None:
    """Ends a program: all its results are right, and it was never restarted."""
    report = pods.stop(name)
    assert report["checksumMismatches"] == 0
    assert report["checksum"] == reference("alexnet", int(report["requests"]))
    assert pods.restarts(name) == 0
