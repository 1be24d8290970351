"""The examples for Kubernetes before a real API server, by the command that their users type."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from kustomized import EVERYTHING, EXAMPLES, objects

from chart import CHART
from kube.access import Access
from kube.bare import bare_api
from kube.commands import ClusterError

pytestmark = pytest.mark.timeout(600)
Raw = dict[str, Any]
Built = Mapping[str, list[Raw]]


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    """An API server of its own, with nothing but our kinds."""
    with bare_api() as bare:
        yield Access(bare.kubeconfig)


@pytest.fixture(scope="module")
def built(access: Access) -> Built:
    """What kubectl makes of each example. Their namespaces are there, which a dry run cannot make."""
    made = {
        one: list(yaml.load_all(access.kubectl("kustomize", EXAMPLES / one), yaml.CSafeLoader)) for one in EVERYTHING
    }
    access.apply(*(one for found in made.values() for one in found if one["kind"] == "Namespace"))
    return made


def names(found: list[Raw]) -> set[tuple[str, str, str]]:
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in found}


@pytest.mark.parametrize("scenario", EVERYTHING)
def test_the_server_takes_all_of_an_example_without_a_warning(access: Access, built: Built, scenario: str) -> None:
    said = access.kubectl("apply", "-k", EXAMPLES / scenario, "--dry-run=server", "--warnings-as-errors")

    assert len(said.splitlines()) == len(built[scenario])


@pytest.mark.parametrize("scenario", EVERYTHING)
def test_the_pods_of_an_example_are_let_into_its_restricted_namespaces(
    access: Access, built: Built, scenario: str
) -> None:
    pods = [pod(one) for one in built[scenario] if one["kind"] in ("Deployment", "Job")]

    for namespace in {one["metadata"]["namespace"] for one in pods}:
        labels = access.get("namespace", namespace)["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    access.kubectl("create", "--dry-run=server", "-f", "-", given="\n---\n".join(map(json.dumps, pods)))


def test_a_pod_that_is_less_strict_would_be_refused(access: Access, built: Built) -> None:
    (first, *_) = (pod(one) for one in built["lab"] if one["kind"] == "Job")
    del first["spec"]["securityContext"]["runAsNonRoot"]

    with pytest.raises(ClusterError, match='violates PodSecurity "restricted'):
        access.kubectl("create", "--dry-run=server", "-f", "-", given=json.dumps(first))


@pytest.mark.parametrize("scenario", EVERYTHING)
def test_every_program_of_an_example_has_one_share_of_the_chart_s_image(built: Built, scenario: str) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    for one in built[scenario]:
        if one["kind"] in ("Deployment", "Job"):
            (container,) = one["spec"]["template"]["spec"]["containers"]
            assert container["resources"]["limits"] == {"eclip.dev/gpu-share": "1"}
            assert container["image"] == f"localhost/eclip-workloads:{chart['appVersion']}"


@pytest.mark.parametrize("scenario", EVERYTHING)
def test_kubectl_finds_the_objects_that_the_unit_tests_plan(built: Built, scenario: str) -> None:
    assert names(built[scenario]) == names(list(objects(EXAMPLES / scenario)))


@pytest.mark.parametrize("scenario", ["bursty-tenants", "lab"])
def test_profiles_come_before_the_policy_that_names_them_and_pods_last(access: Access, scenario: str) -> None:
    kinds = ["Namespace", "KernelProfile", "ResourceQuota", "ColocationPolicy", "Deployment", "Job"]
    made = list(yaml.load_all(access.kubectl("kustomize", EXAMPLES / scenario), yaml.CSafeLoader))

    for namespace in {one["metadata"].get("namespace", one["metadata"]["name"]) for one in made}:
        there = [one for one in made if one["metadata"].get("namespace", one["metadata"]["name"]) == namespace]
        order = [kinds.index(one["kind"]) for one in there]
        assert order == sorted(order)


def test_an_example_that_is_applied_again_changes_nothing(access: Access, built: Built) -> None:
    """Policies are `configured` each time: the server fills in defaults within their workloads."""
    access.kubectl("apply", "-k", EXAMPLES / "lab")

    said = access.kubectl("apply", "-k", EXAMPLES / "lab").splitlines()

    changed = {line.partition("/")[0] for line in said if not line.endswith(" unchanged")}
    assert changed <= {"colocationpolicy.eclip.dev"}


def pod(owner: Raw) -> Raw:
    """The pod that a Deployment or a Job makes."""
    metadata = {"name": owner["metadata"]["name"], "namespace": owner["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": owner["spec"]["template"]["spec"]}
