"""What the chart's pods and accounts may do."""

from typing import Any

import pytest

from chart import Objects, Render, containers, one, pods

PROGRAM = "program"
"""The user's program in the pod of `helm test`."""
HOST_PATHS = {
    "-operator": set(),
    "-test": set(),
    "-emulator": {"/var/lib/eclip/emulated"},
    "-node": {
        "/var/lib/eclip",
        "/var/lib/eclip/emulated/sysfs/class",
        "/var/lib/eclip/emulated/sysfs/module",
        "/var/lib/kubelet/device-plugins",
        "/var/lib/kubelet/pod-resources",
        "/var/log/pods",
        "/proc",
        "/dev",
    },
}
READ_ONLY = {
    "/var/lib/eclip/emulated/sysfs/class",
    "/var/lib/eclip/emulated/sysfs/module",
    "/var/lib/kubelet/pod-resources",
    "/var/log/pods",
    "/proc",
    "/dev",
}


def test_no_container_is_privileged_or_may_become_so(everything: Objects) -> None:
    for _, pod in pods(everything):
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            security = container["securityContext"]
            assert "privileged" not in security
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["name"] == PROGRAM or security["readOnlyRootFilesystem"] is True


def test_plugin_and_agent_are_privileged_only_on_request(render: Render) -> None:
    pod = one(render({"node": {"privileged": True}}), "DaemonSet", "-node")["spec"]["template"]["spec"]

    assert {container["name"] for container in containers(pod) if container["securityContext"].get("privileged")} == {
        "plugin",
        "agent",
    }


def test_the_operator_is_nobody(everything: Objects) -> None:
    pod = one(everything, "Deployment", "-operator")["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0


def test_every_container_of_ours_has_requests_and_a_memory_limit(everything: Objects) -> None:
    for name, pod in pods(everything):
        for container in containers(pod) if not name.endswith("-test") else []:
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_pods_see_these_folders_of_the_node_and_no_socket(everything: Objects) -> None:
    for name, pod in pods(everything):
        (expected,) = (paths for ending, paths in HOST_PATHS.items() if name.endswith(ending))
        volumes = {volume["name"]: volume["hostPath"] for volume in pod.get("volumes", []) if "hostPath" in volume}

        assert {volume["path"] for volume in volumes.values()} == expected
        assert {volume["type"] for volume in volumes.values()} <= {"Directory", "DirectoryOrCreate"}
        for container in containers(pod):
            for mount in container["volumeMounts"] if volumes else []:
                path = volumes.get(mount["name"], {}).get("path")
                assert path not in READ_ONLY or mount.get("readOnly") is True
                assert "subPath" not in mount


def test_the_hosts_processes_are_seen_only_if_that_is_wanted(render: Render) -> None:
    pod = one(render({"node": {"agent": {"bypassDetection": False}}}), "DaemonSet", "-node")["spec"]["template"]["spec"]

    assert "/proc" not in {volume.get("hostPath", {}).get("path") for volume in pod["volumes"]}
    assert not [argument for container in pod["containers"] for argument in container["args"] if "--proc" in argument]


def test_the_agent_alone_has_a_token_of_the_node(everything: Objects) -> None:
    node = one(everything, "DaemonSet", "-node")["spec"]["template"]["spec"]
    emulator = one(everything, "DaemonSet", "-emulator")["spec"]["template"]["spec"]
    tokens = {volume["name"] for volume in node["volumes"] if "projected" in volume}
    holders = [
        container["name"]
        for container in containers(node)
        if tokens & {mount["name"] for mount in container["volumeMounts"]}
    ]

    assert holders == ["agent"]
    assert node["automountServiceAccountToken"] is False
    assert emulator["automountServiceAccountToken"] is False
    assert one(everything, "ServiceAccount", "-agent")["automountServiceAccountToken"] is False


def rights(role: dict[str, Any]) -> set[tuple[str, str]]:
    return {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def test_the_agents_rights_are_these_and_no_others(everything: Objects) -> None:
    assert rights(one(everything, "ClusterRole", "-agent")) == {
        *(("nodecolocations", verb) for verb in ("get", "list", "watch", "create")),
        ("nodecolocations/status", "patch"),
        ("lookuptables", "get"),
    }


def test_the_operator_writes_nothing_but_its_own_and_reads_no_secrets(everything: Objects) -> None:
    granted = rights(one(everything, "ClusterRole", "-operator"))
    writes = {(resource, verb) for resource, verb in granted if verb not in ("get", "list", "watch")}

    assert {verb for resource, verb in granted if resource == "secrets"} == set()
    assert writes == {
        ("colocationpolicies/status", "patch"),
        ("nodecolocations", "patch"),
        ("nodecolocations/status", "patch"),
        ("lookuptables", "create"),
        ("lookuptables", "patch"),
        ("lookuptables", "delete"),
        ("nodes", "patch"),
        ("events", "create"),
        ("events", "patch"),
    }


def test_who_may_edit_a_namespace_may_edit_its_policies_and_nothing_of_the_nodes(render: Render) -> None:
    objects = render()
    aggregated = "rbac.authorization.k8s.io/aggregate-to-edit"
    edit = [made for made in objects if aggregated in made["metadata"].get("labels", {})]
    bound = {made["roleRef"]["name"] for made in objects if made["kind"] == "ClusterRoleBinding"}

    assert {resource for role in edit for resource, _ in rights(role)} == {"colocationpolicies", "kernelprofiles"}
    assert one(objects, "ClusterRole", "-nodes-view")["metadata"]["name"] not in bound
    assert not [made for made in render({"rbac": {"aggregate": False}}) if aggregated in made["metadata"]["labels"]]


def test_no_role_has_a_wildcard(everything: Objects) -> None:
    for made in everything:
        if made["kind"] in ("ClusterRole", "Role"):
            for rule in made["rules"]:
                assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])


def test_both_admission_policies_deny_and_fail_closed(everything: Objects) -> None:
    policies = [made for made in everything if made["kind"] == "ValidatingAdmissionPolicy"]
    bindings = [made for made in everything if made["kind"] == "ValidatingAdmissionPolicyBinding"]

    assert len(policies) == 2
    assert {policy["spec"]["failurePolicy"] for policy in policies} == {"Fail"}
    assert {binding["spec"]["policyName"] for binding in bindings} == {
        policy["metadata"]["name"] for policy in policies
    }
    assert all(binding["spec"]["validationActions"] == ["Deny"] for binding in bindings)


@pytest.mark.parametrize("switch", ["nodeIsolation", "oneShare"])
def test_an_admission_policy_can_be_left_out(switch: str, render: Render) -> None:
    kinds = [made["kind"] for made in render({"admission": {switch: False}})]

    assert kinds.count("ValidatingAdmissionPolicy") == kinds.count("ValidatingAdmissionPolicyBinding") == 1


def test_accounts_and_roles_can_be_made_by_somebody_else(render: Render) -> None:
    account = {"serviceAccount": {"create": False, "name": "ours"}}
    objects = render({"rbac": {"create": False}, "operator": account, "node": account})
    policy = one(objects, "ValidatingAdmissionPolicy", "-agent.eclip.dev")

    left = [made for made in objects if made["kind"] in ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")]
    assert all(made["metadata"]["name"].endswith("-test") for made in left)
    assert {pod["serviceAccountName"] for name, pod in pods(objects) if not name.endswith("-test")} == {"ours"}
    assert "'system:serviceaccount:eclip-system:ours'" in policy["spec"]["matchConditions"][0]["expression"]
