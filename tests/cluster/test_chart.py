"""The chart before a real API server: dry runs, installation, what stays after it, notes. No node runs pods here."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import CHART, HELM, helm
from kube.access import Access
from kube.bare import BareApi, bare_api
from kube.binaries import binaries
from kube.commands import ClusterError, until

pytestmark = pytest.mark.timeout(600)
HOME = "eclip-system"
CRDS = ("colocationpolicies", "kernelprofiles", "lookuptables", "nodecolocations")
PROFILE = Path(__file__).parents[2] / "examples" / "profiles" / "alexnet-b8.yaml"
EMULATED = {
    "emulator": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "metrics": {"dashboard": {"enabled": True}},
}
SOON_S = 60.0


@pytest.fixture(scope="module")
def bare() -> Iterator[BareApi]:
    """An API server with the namespace of the release, labelled as the README says."""
    with bare_api() as started:
        access = Access(started.kubeconfig)
        access.kubectl("create", "namespace", HOME)
        access.kubectl("label", "namespace", HOME, "pod-security.kubernetes.io/enforce=privileged")
        yield started


@pytest.fixture(scope="module")
def access(bare: BareApi) -> Access:
    return Access(bare.kubeconfig)


@pytest.fixture(scope="module")
def installed(bare: BareApi, access: Access) -> Access:
    """With a release called demo, whose CRDs are the chart's own."""
    access.kubectl("delete", "crds", *(f"{name}.eclip.dev" for name in CRDS), within=300.0)
    helm_does(bare, "install", "demo", CHART, values=EMULATED)
    return access


def helm_does(bare: BareApi, *arguments: str | Path, values: dict[str, Any] | None = None) -> str:
    done = helm(*arguments, "--namespace", HOME, "--kubeconfig", bare.kubeconfig, values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("values", [{}, EMULATED], ids=["real", "emulated"])
def test_a_dry_run_of_the_template_is_clean(access: Access, values: dict[str, Any]) -> None:
    given = values | {"test": {"profile": yaml.safe_load(PROFILE.read_text())["spec"]}}
    template = helm("template", "demo", CHART, "--namespace", HOME, values=given)
    command = [binaries() / "kubectl", "--kubeconfig", access.kubeconfig, "apply", "--dry-run=server", "-f", "-"]

    done = subprocess.run(command, input=template.stdout, capture_output=True, text=True, timeout=120, check=False)

    missing = "is missing the kubectl.kubernetes.io/last-applied-configuration annotation"
    warnings = [line for line in done.stderr.splitlines() if missing not in line]
    assert (done.returncode, warnings) == (0, [])
    assert done.stdout.count("(server dry run)") == sum(1 for one in yaml.safe_load_all(template.stdout) if one)


def test_the_namespace_is_where_pod_security_would_refuse_otherwise(access: Access) -> None:
    pod = yaml.safe_load_all(helm("template", "demo", CHART, "--namespace", HOME).stdout)
    (node,) = (one for one in pod if one and one["kind"] == "DaemonSet")
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": node["spec"]["template"]["spec"]}
    body["spec"]["serviceAccountName"] = "default"
    access.kubectl("create", "namespace", "strict")
    access.kubectl("label", "namespace", "strict", "pod-security.kubernetes.io/enforce=baseline")
    for namespace in (HOME, "strict"):
        access.kubectl("-n", namespace, "create", "serviceaccount", "default")

    create = ("create", "--dry-run=server", "-f", "-")
    access.kubectl("-n", HOME, *create, given=json.dumps(body))
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        access.kubectl("-n", "strict", *create, given=json.dumps(body))


def test_an_installation_has_all_objects(installed: Access) -> None:
    assert installed.get("-n", HOME, "deployment", "demo-eclip-operator")["spec"]["replicas"] == 1
    assert installed.get("-n", HOME, "daemonset", "demo-eclip-node")
    assert installed.get("-n", HOME, "daemonset", "demo-eclip-emulator")
    for name in CRDS:
        assert installed.get("crd", f"{name}.eclip.dev")["spec"]["group"] == "eclip.dev"


def test_an_upgrade_changes_what_is_asked_and_a_rollback_takes_it_back(bare: BareApi, installed: Access) -> None:
    def shares() -> int:
        data = installed.get("-n", HOME, "configmap", "demo-eclip-node-configs")["data"]
        return int(yaml.safe_load(data["default.yaml"]).get("shares", 4))

    helm_does(bare, "upgrade", "demo", CHART, values=EMULATED | {"nodeConfigs": {"default": {"shares": 8}}})
    assert shares() == 8
    # Rollback takes no values.
    subprocess.run(
        [HELM, "rollback", "demo", "--namespace", HOME, "--kubeconfig", bare.kubeconfig],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert shares() == 4


def test_policies_outlive_the_release_and_a_new_one_takes_them_over(bare: BareApi, installed: Access) -> None:
    workload = {"name": "api", "podSelector": {}}
    body = {
        "apiVersion": "eclip.dev/v1alpha1",
        "kind": "ColocationPolicy",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": {"workloads": [workload]},
    }
    until("the CRD is served", lambda: installed.apply(body), within=SOON_S)
    command = [HELM, "uninstall", "demo", "--namespace", HOME, "--kubeconfig", bare.kubeconfig]
    subprocess.run(command, capture_output=True, check=True, timeout=60)

    assert installed.get("colocationpolicy", "kept")["spec"]["workloads"][0]["name"] == "api"
    left = installed.kubectl("get", "clusterroles,validatingadmissionpolicies", "-o", "name")
    assert "eclip" not in left
    helm_does(bare, "install", "demo", CHART, values=EMULATED)
    assert installed.get("colocationpolicy", "kept")


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("pod-security.kubernetes.io/enforce=privileged", ""),
        ("pod-security.kubernetes.io/enforce=baseline", "is labelled enforce=baseline: their pods are refused"),
        ("pod-security.kubernetes.io/enforce-", "has no such label"),
    ],
    ids=["privileged", "baseline", "none"],
)
def test_the_notes_look_at_the_namespace(bare: BareApi, access: Access, label: str, said: str) -> None:
    access.kubectl("label", "--overwrite", "namespace", HOME, label)
    options = ("--set", "crds.install=false", "--dry-run=server")

    notes = helm_does(bare, "install", "notes", CHART, *options).split("NOTES:")[1]
    access.kubectl("label", "--overwrite", "namespace", HOME, "pod-security.kubernetes.io/enforce=privileged")

    assert said in notes
    assert ("WARNING" in notes) == bool(said)
    assert "helm -n eclip-system test notes" in notes
