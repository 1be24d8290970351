"""What the chart installs: CRDs, programs with arguments that they understand, images, monitoring."""

import importlib.util
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import eclip.emulated.program
import eclip_device_plugin.main
import eclip_node_agent.main
import eclip_operator.main
from chart import CHART, EVERYTHING, ROOT, Objects, Render, containers, helm, one, pods
from eclip.api import names
from eclip.api.node import NodeSpec
from eclip_device_plugin.container import ONE_SHARE

CRDS = ROOT / "crds"
PARSERS: dict[str, Any] = {
    "eclip-operator": eclip_operator.main,
    "eclip-device-plugin": eclip_device_plugin.main,
    "eclip-node-agent": eclip_node_agent.main,
    "eclip-emulated-node": eclip.emulated.program,
}


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_helm_has_nothing_to_complain_of(values: dict[str, Any]) -> None:
    done = helm("lint", "--strict", CHART, values=values)

    assert done.returncode == 0, done.stdout


def test_chart_programs_and_images_are_of_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_chart_carries_the_crds_byte_for_byte() -> None:
    ours = {path.name: path.read_bytes() for path in CRDS.glob("*.yaml")}

    assert {path.name: path.read_bytes() for path in (CHART / "files" / "crds").iterdir()} == ours


@pytest.mark.parametrize("path", sorted(CRDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_crd_is_installed_as_it_is_written_and_kept(path: Path, everything: Objects) -> None:
    written = yaml.safe_load(path.read_text())
    installed = one(everything, "CustomResourceDefinition", path.stem)

    assert installed["spec"] == written["spec"]
    assert installed["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crds_can_be_left_out_or_go_with_the_chart(render: Render) -> None:
    assert not [made for made in render({"crds": {"install": False}}) if made["kind"] == "CustomResourceDefinition"]
    gone = one(render({"crds": {"keep": False}}), "CustomResourceDefinition", "lookuptables.eclip.dev")
    assert "annotations" not in gone["metadata"]


@pytest.mark.parametrize("program", PARSERS)
@pytest.mark.parametrize("values", [{"emulator": {"enabled": True}}, EVERYTHING], ids=["plain", "everything"])
def test_programs_understand_their_arguments(program: str, values: dict[str, Any], render: Render) -> None:
    commands = [container for _, pod in pods(render(values)) for container in containers(pod)]
    (arguments,) = (container["args"] for container in commands if container["command"] == [program])

    PARSERS[program]._parser().parse_args([str(argument) for argument in arguments])


def test_the_operator_looks_for_agents_where_the_chart_puts_them(render: Render) -> None:
    made = render({"nameOverride": "other"})
    (container,) = one(made, "Deployment", "-operator")["spec"]["template"]["spec"]["containers"]
    daemons = one(made, "DaemonSet", "-node")

    namespace, selector = PARSERS["eclip-operator"]._parser().parse_args(container["args"]).agents

    assert namespace == daemons["metadata"]["namespace"]
    assert dict(part.split("=") for part in selector.split(",")) == daemons["spec"]["selector"]["matchLabels"]


def test_the_operator_is_one_and_never_two(everything: Objects) -> None:
    spec = one(everything, "Deployment", "-operator")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_plugin_and_agent_are_two_containers_of_one_pod_after_the_library(everything: Objects) -> None:
    pod = one(everything, "DaemonSet", "-node")["spec"]["template"]["spec"]

    assert [container["name"] for container in pod["containers"]] == ["plugin", "agent"]
    assert pod["initContainers"][0]["command"] == ["eclip-install-library"]


def test_an_emulated_tree_takes_the_place_of_the_hosts_in_the_agent_alone(render: Render) -> None:
    def mounts(values: dict[str, Any], container: str) -> dict[str, str]:
        pod = one(render(values), "DaemonSet", "-node")["spec"]["template"]["spec"]
        (found,) = (each for each in pod["containers"] if each["name"] == container)
        return {mount["mountPath"]: mount["name"] for mount in found["volumeMounts"]}

    emulated = {"emulator": {"enabled": True}}
    assert "/sys/class" in mounts(emulated, "agent")
    assert "/sys/class" not in mounts(emulated, "plugin")
    assert "/sys/class" not in mounts({}, "agent")
    assert not [made for made in render() if made["metadata"]["name"].endswith("-emulator")]


def test_folders_of_a_node_can_be_elsewhere(render: Render) -> None:
    places = {"kubeletRootDir": "/var/lib/k0s/kubelet", "stateDir": "/mnt/eclip", "podLogsDir": "/mnt/logs"}
    pod = one(render(places), "DaemonSet", "-node")["spec"]["template"]["spec"]
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}

    assert paths["device-plugins"] == "/var/lib/k0s/kubelet/device-plugins"
    assert paths["pod-resources"] == "/var/lib/k0s/kubelet/pod-resources"
    assert paths["pod-logs"] == "/mnt/logs"
    # Kubelet is told of files below the state root: they have to have one path inside and outside.
    for container in containers(pod):
        assert {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["state"] == "/mnt/eclip"
        assert "--state=/mnt/eclip" in container["args"]


@pytest.mark.parametrize(
    ("image", "repository", "expected"),
    [
        ({}, {}, "localhost/eclip-node:0.1.0"),
        ({"registry": "r.example/team", "tag": "t"}, {}, "r.example/team/eclip-node:t"),
        ({"registry": ""}, {"repository": "x/y"}, "x/y:0.1.0"),
        ({"tag": "t"}, {"digest": "sha256:" + "0" * 64}, "localhost/eclip-node@sha256:" + "0" * 64),
    ],
    ids=["default", "registry", "no-registry", "digest"],
)
def test_images_are_named_by_registry_repository_and_tag_or_digest(
    image: dict[str, str], repository: dict[str, str], expected: str, render: Render
) -> None:
    pod = one(render({"image": image, "node": {"image": repository}}), "DaemonSet", "-node")["spec"]["template"]["spec"]

    assert {container["image"] for container in containers(pod)} == {expected}


def test_node_configs_are_documents_that_the_plugin_reads(render: Render) -> None:
    configs = {"default": {}, "large": {"shares": 8, "gpus": [{"gpu": 0, "ceiling": 30}]}}
    data = one(render({"nodeConfigs": configs}), "ConfigMap", "-node-configs")["data"]
    read = {name: eclip_device_plugin.node_config.parse(text, name) for name, text in data.items()}

    assert set(read) == {"default.yaml", "large.yaml"}
    assert (read["default.yaml"].shares, read["large.yaml"].shares) == (4, 8)
    assert read["large.yaml"].gpus is not None
    assert read["large.yaml"].gpus[0].ceiling == 30


def test_the_schema_of_node_configs_has_the_plugins_fields() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["definitions"]
    typed = eclip_device_plugin.node_config.NodeConfig.model_json_schema(by_alias=True)

    assert set(schema["nodeConfig"]["properties"]) == set(typed["properties"])
    assert set(schema["gpuEntry"]["properties"]) == set(typed["$defs"]["GpuEntry"]["properties"])


def test_admission_refuses_a_second_share_in_the_plugins_words(everything: Objects) -> None:
    policy = one(everything, "ValidatingAdmissionPolicy", "-one-share.eclip.dev")
    message = policy["spec"]["validations"][0]["messageExpression"]
    said = "".join(re.findall(r"'([^']*)'", message.split("name +", 1)[1])).removeprefix(": ")

    assert said == ONE_SHARE
    assert f"'{names.GPU_SHARE}' in" in policy["spec"]["variables"][1]["expression"]


def test_the_agents_policy_knows_every_field_of_the_spec(everything: Objects) -> None:
    policy = one(everything, "ValidatingAdmissionPolicy", "-agent.eclip.dev")
    expressions = " ".join(rule["expression"] for rule in policy["spec"]["validations"])

    for field in NodeSpec.model_fields:
        assert f"has(object.spec.{field})" in expressions


def metric_names() -> set[str]:
    """Every metric that a component exports, as its source names it."""
    sources = (path.read_text() for folder in ("operator", "node_agent") for path in (ROOT / folder).rglob("*.py"))
    return {name for text in sources for name in re.findall(r'"(eclip_[a-z0-9_]+)"', text)}


def metrics_in(text: str) -> set[str]:
    used = set(re.findall(r"\beclip_[a-z0-9_]+", text))
    return {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in used}


@pytest.mark.parametrize("name", ["rules.yaml", "dashboard.json"])
def test_alerts_and_panels_speak_of_metrics_that_exist(name: str) -> None:
    assert metrics_in((CHART / "files" / name).read_text()) <= metric_names()


def test_the_dashboard_is_json_and_its_panels_do_not_overlap(everything: Objects) -> None:
    dashboard = json.loads(one(everything, "ConfigMap", "-dashboard")["data"]["eclip.json"])
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_alert_says_what_it_means(everything: Objects) -> None:
    (group,) = one(everything, "PrometheusRule", "eclip")["spec"]["groups"]

    assert len(group["rules"]) >= 5
    for rule in group["rules"]:
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")


def test_pods_are_scraped_where_they_serve(everything: Objects) -> None:
    for component, port in (("operator", 8080), ("node", 9401)):
        monitor = one(everything, "PodMonitor", f"-{component}")["spec"]
        kind = {"operator": "Deployment", "node": "DaemonSet"}[component]
        template = one(everything, kind, f"-{component}")["spec"]["template"]
        ports = {p["name"]: p["containerPort"] for c in template["spec"]["containers"] for p in c.get("ports", [])}
        policy = one(everything, "NetworkPolicy", f"-{component}")["spec"]

        assert ports[monitor["podMetricsEndpoints"][0]["port"]] == port
        assert policy["ingress"][0]["ports"] == [{"port": port, "protocol": "TCP"}]
        for selector in (monitor["selector"]["matchLabels"], policy["podSelector"]["matchLabels"]):
            assert selector.items() <= template["metadata"]["labels"].items()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """What the pod of `helm test` runs."""
    spec = importlib.util.spec_from_file_location("await_share", CHART / "files" / "test" / "await_share.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_test_looks_for_its_own_pod(script: ModuleType) -> None:
    slot = {"slot": "a-s01", "pod": {"namespace": "n", "name": "p"}, "state": "Enforced"}
    other = {"slot": "a-s00", "pod": {"namespace": "other", "name": "p"}, "state": "Unmasked"}
    gpu = {
        "id": "a",
        "product": "MI50",
        "computeUnits": 60,
        "slots": [other, {"slot": "a-s02", "state": "Pending"}, slot],
    }

    assert script.slot_of({"status": {"gpus": [gpu]}}, ("n", "p"))["slot"] == "a-s01"
    assert script.slot_of({"status": {"gpus": [gpu]}}, ("n", "q")) == {}
    assert script.slot_of({}, ("n", "p")) == {}


def test_the_test_wants_enforced_where_it_has_a_profile(render: Render) -> None:
    def wanted(values: dict[str, Any]) -> Iterator[str]:
        return (
            c["args"][0] for _, pod in pods(render(values)) for c in pod["containers"] if c["name"] == "await-share"
        )

    assert list(wanted({})) == ["Enforced,Unmasked"]
    assert list(wanted({"test": {"profile": {"sizes": [30, 60]}}})) == ["Enforced"]
