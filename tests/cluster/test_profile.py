"""`kubectl eclip profile` on real pods: a policy plans by what it measures, and no neighbour is measured along."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.binaries import binaries
from kube.commands import ClusterError, run, until
from kube.installation import Installation
from kube.release import ROOT
from kube.workload_pods import Pods, reference

pytestmark = pytest.mark.timeout(900)
OWN, NEIGHBOUR = "own", "neighbour"
MEASURED = "own-measured"
PATIENCE_S = 120.0
PROFILED_WITHIN_S = 300.0


@pytest.fixture(scope="module")
def node(installation: Installation) -> str:
    return min(str(one["metadata"]["name"]) for one in installation.access.get("nodes")["items"])


@pytest.fixture(scope="module")
def pods(installation: Installation, node: str) -> Iterator[Pods]:
    """One that nobody has a profile of, alone on its GPU."""
    pods = Pods(installation.access, "own-program")
    metadata = {"name": pods.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    pods.access.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    pods.start(OWN, "alexnet", node, "--seconds", "3600")
    until("it shares the GPU", lambda: state(installation, node, OWN) == "Unmasked", within=PATIENCE_S)
    yield pods
    installation.access.kubectl("delete", "namespace", pods.namespace, "--wait=true", within=120.0)


def state(installation: Installation, node: str, name: str) -> str:
    return str(installation.slots(node).get(name, {}).get("state", ""))


def measured(installation: Installation, node: str) -> list[str]:
    """Slots whose programs are to be measured."""
    gpus = installation.node(node)["spec"]["gpus"]
    return [slot["slot"] for gpu in gpus for slot in gpu["slots"] if slot["mode"] == "Profile"]


def profile(pods: Pods, *words: str) -> str:
    """Standard output of the command as a user types it: kubectl finds `kubectl-eclip` on its path."""
    path = os.pathsep.join((str(Path(sys.prefix) / "bin"), str(binaries()), os.environ["PATH"]))
    environment = {**os.environ, "KUBECONFIG": str(pods.access.kubeconfig), "PATH": path}
    command = ("kubectl", "eclip", "profile", OWN, "-n", pods.namespace, *words)
    return run(*command, within=PROFILED_WITHIN_S, environment=environment)


def found(pods: Pods, name: str) -> Any:
    return pods.access.get("kernelprofile", "-n", pods.namespace, name)["spec"]


def launches(spec: Any) -> list[tuple[str, list[int], list[int]]]:
    return [(spec["symbols"][one["symbol"]], one["grid"], one["block"]) for one in spec["kernels"]]


def test_a_pod_that_runs_is_measured_and_goes_on_as_before(installation: Installation, node: str, pods: Pods) -> None:
    before = installation.slots(node)[OWN]["allocation"]

    said = profile(pods, "--name", MEASURED, "-o", "table")

    spec = found(pods, MEASURED)
    known = yaml.safe_load((ROOT / "examples/profiles/alexnet-b8.yaml").read_text())["spec"]
    assert (spec["origin"], spec["sizes"], spec["gpu"]) == ("Measured", known["sizes"], known["gpu"])
    assert launches(spec) == launches(known)
    micros = [sum(kernel["micros"][size] for kernel in spec["kernels"]) for size in range(len(spec["sizes"]))]
    modelled = [sum(kernel["micros"][size] for kernel in known["kernels"]) for size in range(len(spec["sizes"]))]
    sys.stdout.write(f"{said}measured {micros}, modelled {modelled}\n")
    assert all(time == pytest.approx(model, rel=0.3) for time, model in zip(micros, modelled, strict=True))
    metadata = pods.get(OWN)["metadata"]
    assert not [key for kind in ("labels", "annotations") for key in metadata.get(kind, {}) if "eclip.dev" in key]
    assert installation.slots(node)[OWN]["allocation"] == before
    until("nobody measures it any more", lambda: not measured(installation, node), within=PATIENCE_S)


def test_a_policy_plans_by_what_was_measured(installation: Installation, node: str, pods: Pods) -> None:
    selector = {"matchLabels": {"app": "alexnet"}}
    spec = {"workloads": [{"name": "own", "podSelector": selector, "profileRefs": [{"name": MEASURED}]}]}
    metadata = {"name": "own", "namespace": pods.namespace}
    pods.access.apply(
        {"apiVersion": "eclip.dev/v1alpha1", "kind": "ColocationPolicy", "metadata": metadata, "spec": spec}
    )
    pods.start(NEIGHBOUR, "alexnet", node, "--seconds", "3600")

    for name in (OWN, NEIGHBOUR):
        until(f"{name} is enforced", lambda one=name: state(installation, node, one) == "Enforced", within=PATIENCE_S)  # type: ignore[misc]
    assert all(installation.slots(node)[name]["counters"]["mismatches"] == 0 for name in (OWN, NEIGHBOUR))


def test_beside_a_busy_neighbour_it_is_refused_unless_sharing_is_said(pods: Pods) -> None:
    with pytest.raises(ClusterError, match=rf"in use by .*{NEIGHBOUR}: times measured now would be too long"):
        profile(pods, "--name", "refused")

    profile(pods, "--name", "beside", "--shared")

    names = {one["metadata"]["name"] for one in pods.access.get("kernelprofiles", "-n", pods.namespace)["items"]}
    assert names == {MEASURED, "beside"}
    assert found(pods, "beside")["origin"] == "MeasuredShared"


def test_being_measured_harmed_no_result(installation: Installation, node: str, pods: Pods) -> None:
    """Runs last: the programs end."""
    for name in (OWN, NEIGHBOUR):
        until(f"{name} is enforced", lambda one=name: state(installation, node, one) == "Enforced", within=PATIENCE_S)  # type: ignore[misc]
        report = pods.stop(name)

        assert report["checksumMismatches"] == 0
        assert report["checksum"] == reference("alexnet", int(report["requests"]))
        assert pods.restarts(name) == 0
