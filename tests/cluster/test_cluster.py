"""The cluster itself: it is a real one, its nodes share nothing, and it leaves nothing behind."""

import json
from pathlib import Path

import pytest

from kube import cluster as clusters
from kube.access import Access
from kube.cgroups import Group, hierarchies
from kube.cluster import Cluster
from kube.commands import ClusterError, run, until
from kube.images import BASE, base
from kube.machine import Machine

PRIVATE = ("/var/lib/eclip", "/dev/shm", "/run", "/tmp", "/var/lib/kubelet", "/opt")
RUNS_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def loaded(cluster: Cluster) -> Cluster:
    cluster.load(base())
    return cluster


def pod(name: str, node: str, *command: str) -> dict[str, object]:
    container = {"name": "main", "image": BASE, "imagePullPolicy": "Never", "command": list(command)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


def running(access: Access, name: str) -> bool:
    phase = access.get("pod", name)["status"].get("phase")
    return bool(phase == "Running")


def test_all_nodes_are_ready_and_of_the_version_that_was_built(cluster: Cluster) -> None:
    versions = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"]
        for node in cluster.access.get("nodes")["items"]
    }

    assert cluster.ready()
    assert versions == dict.fromkeys(cluster.names, "v1.34.4")


def test_pods_run_on_every_node_and_reach_one_another_and_the_api(loaded: Cluster) -> None:
    access = loaded.access
    for node in loaded.names:
        access.apply(pod(f"on-{node}", node, "sleep", "3600"))
    for node in loaded.names:
        until(f"on-{node} runs", lambda name=f"on-{node}": running(access, name), within=RUNS_WITHIN_S)  # type: ignore[misc]
    addresses = [access.get("pod", f"on-{node}")["status"]["podIP"] for node in loaded.names]
    connect = "timeout 20 bash -c 'exec 3<>/dev/tcp/{}/{} && echo open' 2>&1; true"

    # No one listens on port 9 of a pod: to be refused is to have reached it.
    refused = access.kubectl("exec", f"on-{loaded.names[0]}", "--", "bash", "-c", connect.format(addresses[1], 9))
    api = access.kubectl("exec", f"on-{loaded.names[0]}", "--", "bash", "-c", connect.format("10.96.0.1", 443))

    assert "refused" in refused
    assert api.strip() == "open"
    for node in loaded.names:
        access.kubectl("delete", "pod", f"on-{node}", "--wait=true")


@pytest.mark.parametrize("folder", PRIVATE)
def test_what_one_node_writes_no_other_sees(cluster: Cluster, folder: str) -> None:
    first, second = (node.machine for node in cluster.nodes.values())
    first.run("sh", "-c", f"echo first >{folder}/of-one-node")

    with pytest.raises(ClusterError, match="No such file"):
        second.run("cat", f"{folder}/of-one-node")
    assert not (Path(folder) / "of-one-node").exists()
    assert first.run("cat", f"{folder}/of-one-node") == "first\n"
    first.run("rm", f"{folder}/of-one-node")


def test_kubelets_do_not_wait_long_before_they_restart_what_failed(cluster: Cluster) -> None:
    """Kubernetes' own back-off grows to five minutes; the tests of faults count on the shortest there is."""
    for name in cluster.names:
        known = json.loads(cluster.access.kubectl("get", "--raw", f"/api/v1/nodes/{name}/proxy/configz"))

        assert known["kubeletconfig"]["crashLoopBackOff"] == {"maxContainerRestartPeriod": "1s"}


def test_a_pod_lives_through_the_end_of_its_kubelet(loaded: Cluster) -> None:
    access, node = loaded.access, loaded.nodes[loaded.names[1]]
    access.apply(pod("lasting", node.name, "sleep", "3600"))
    until("lasting runs", lambda: running(access, "lasting"), within=RUNS_WITHIN_S)
    before = access.get("pod", "lasting")["status"]["containerStatuses"][0]["containerID"]

    node.machine.kill("kubelet")
    node.start("kubelet")

    until("kubelet answers", lambda: access.kubectl("exec", "lasting", "--", "true") == "", within=RUNS_WITHIN_S)
    after = access.get("pod", "lasting")["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before, 0)
    access.kubectl("delete", "pod", "lasting", "--wait=true")


def test_a_machine_leaves_nothing_behind(tmp_path: Path) -> None:
    run("mount", "-t", "tmpfs", "none", tmp_path)
    machine = Machine(tmp_path / "machine", "lonely", Group("eclip-lonely"))
    try:
        machine.files.mkdir(parents=True)
        machine.boot([], tmp_path)
        machine.start("sleeper", "sleep", "3600")
        assert machine.alive("sleeper")
        processes = machine.group.processes()

        machine.cut_power()

        assert len(processes) >= 3
        until("they are gone", lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes), within=20.0)
        assert not any((hierarchy.mount / machine.group.path).exists() for hierarchy in hierarchies())
    finally:
        machine.group.end()
        until("it is unmounted", lambda: run("umount", tmp_path) == "", within=20.0)
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_the_requirements_name_everything_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kube.requirements.COMMANDS", {"no-such-command": "no-such-package"})
    monkeypatch.setattr("kube.requirements.CNI_PLUGINS", Path("/nowhere"))

    with pytest.raises(ClusterError, match="no-such-package containernetworking-plugins"):
        clusters.check()
