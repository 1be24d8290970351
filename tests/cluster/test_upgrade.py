"""The chart is upgraded, rolled back, uninstalled and installed again while programs share a GPU: they run on."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kube.commands import until
from kube.installation import NAMESPACE, RELEASE, VALUES, Installation
from kube.release import CHART
from kube.sharing import MATES, Sharing, enforced, sharing
from kube.watching import watch
from kube.workload_pods import reference

pytestmark = pytest.mark.timeout(900)
PATIENCE_S = 120.0
STANDSTILL_S = 60.0
"""More than a small machine takes from a program while it starts all containers anew, less than one that hangs."""


@pytest.fixture(scope="module")
def shared(installation: Installation) -> Iterator[Sharing]:
    with sharing(installation) as made:
        yield made


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as a release before this one might have been: another version, one field less in a CRD."""
    folder = tmp_path_factory.mktemp("older") / "eclip"
    shutil.copytree(CHART, folder)
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": "0.0.9"}))
    (path,) = (folder / "files" / "crds").glob("*colocationpolicies*")
    crd = yaml.safe_load(path.read_text())
    workload = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["workloads"]
    del workload["items"]["properties"]["container"]
    path.write_text(yaml.safe_dump(crd))
    return folder


def allocations(installation: Installation, shared: Sharing) -> dict[str, str]:
    slots = installation.slots(shared.node)
    return {name: slots[name]["allocation"] for name in MATES if name in slots}


def shares(installation: Installation, node: str) -> int:
    return int(installation.access.get("node", node)["status"]["allocatable"]["eclip.dev/gpu-share"])


def test_upgrade_and_rollback_leave_programs_as_they_are(
    installation: Installation, shared: Sharing, older: Path
) -> None:
    before = allocations(installation, shared)
    with watch(installation, shared.node) as watching:
        watching.until("three programs are seen", lambda seen: len(seen.generations) >= len(MATES), within=PATIENCE_S)
        for chart, more, offered in ((older, {"nodeConfigs": {"default": {"shares": 6}}}, 6), (CHART, {}, 4)):
            values = {**VALUES, **more, "node": {"podAnnotations": {"shares": str(offered)}}}
            installation.helm("upgrade", RELEASE, chart, "--wait", "--timeout=180s", values=values)
            until(f"{offered} shares", lambda n=offered: shares(installation, shared.node) == n, within=PATIENCE_S)
            until("all are enforced", lambda: enforced(installation, shared.node), within=PATIENCE_S)
            assert allocations(installation, shared) == before
        installation.helm("rollback", RELEASE, "--wait", "--timeout=180s")
        until("6 shares", lambda: shares(installation, shared.node) == 6, within=PATIENCE_S)
        until("all are enforced", lambda: enforced(installation, shared.node), within=PATIENCE_S)
        assert allocations(installation, shared) == before
        assert watching.longest() <= STANDSTILL_S


def test_what_runs_outlives_the_release_and_the_next_one_adopts_it(installation: Installation, shared: Sharing) -> None:
    before = allocations(installation, shared)
    with watch(installation, shared.node) as watching:
        watching.until("three programs are seen", lambda seen: len(seen.generations) >= len(MATES), within=PATIENCE_S)
        installation.helm("uninstall", RELEASE, "--wait", "--timeout=120s")
        until("its pods are gone", lambda: not installation.access.get("pods", "-n", NAMESPACE)["items"], within=90.0)
        assert all(shared.pods.phase(name) == "Running" for name in MATES)

        installation.install()

        until("all are enforced", lambda: enforced(installation, shared.node), within=PATIENCE_S)
        assert watching.longest() <= STANDSTILL_S
    assert allocations(installation, shared) == before
    for name in MATES:
        report = shared.pods.stop(name)
        assert report["checksumMismatches"] == 0
        assert report["checksum"] == reference("alexnet", int(report["requests"]))
        assert shared.pods.restarts(name) == 0
