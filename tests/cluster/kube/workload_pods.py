"""Pods of unmodified HIP programs, as users write them: in a namespace at Pod Security level `restricted`."""

import json
import time
from dataclasses import dataclass
from typing import Any

from kubernetes import client

from kube import release
from kube.access import Access
from kube.commands import run, until

NAMESPACE = "models"
PROFILES = {"alexnet": "alexnet-b8", "albert": "albert-b1"}
RUNS_WITHIN_S = 120.0
ENDS_WITHIN_S = 120.0


@dataclass(frozen=True)
class Pods:
    """All in one namespace of a cluster."""

    access: Access
    namespace: str = NAMESPACE

    def make_namespace(self) -> None:
        """With the profiles of the programs."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": self.namespace, "labels": labels}
        self.access.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        for profile in PROFILES.values():
            path = release.ROOT / "examples" / "profiles" / f"{profile}.yaml"
            self.access.kubectl("apply", "-n", self.namespace, "-f", path)

    def start(
        self, name: str, program: str, node: str, *arguments: str, image: str | None = None, under: tuple[str, ...] = ()
    ) -> None:
        """A pod with one share of a GPU of that node; the program may run under another."""
        container = {
            "name": "main",
            "image": image or release.image("workloads"),
            "imagePullPolicy": "IfNotPresent",
            "command": [*under, program, *arguments],
            "resources": {"limits": {"eclip.dev/gpu-share": 1}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        spec = {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        }
        metadata = {"name": name, "namespace": self.namespace, "labels": {"app": program.rpartition("/")[2]}}
        self.access.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    def get(self, name: str) -> Any:
        """The Pod as the API server has it."""
        return self.access.get("pod", "-n", self.namespace, name)

    def phase(self, name: str) -> str:
        return str(self.get(name)["status"].get("phase"))

    def restarts(self, name: str) -> int:
        return sum(one["restartCount"] for one in self.get(name)["status"].get("containerStatuses", []))

    def await_running(self, *names: str) -> None:
        for name in names:
            until(f"{name} runs", lambda pod=name: self.phase(pod) == "Running", within=RUNS_WITHIN_S)  # type: ignore[misc]

    def enter(self, name: str, *command: str) -> str:
        """Standard output of a command in the pod."""
        return self.access.kubectl("exec", "-n", self.namespace, name, "--", *command, within=20.0)

    def stop(self, name: str) -> dict[str, Any]:
        """Asks the program to end after its present request; its report."""
        self.enter(name, "sh", "-c", "kill -TERM 1")
        until(f"{name} ends", lambda: self.phase(name) in ("Succeeded", "Failed"), within=ENDS_WITHIN_S)
        lines = self.access.kubectl("logs", "-n", self.namespace, name).splitlines()
        reports = [line for line in lines if line.startswith("{")]
        assert reports, f"{name} ended without a report: {lines[-5:]}"
        return dict(json.loads(reports[-1]))

    def delete(self, *names: str) -> None:
        self.access.kubectl("delete", "pod", "-n", self.namespace, *names, "--wait=true", within=120.0)

    def policy(self, name: str, strategy: str, **workload: Any) -> None:
        """A policy for all programs, with one workload each."""
        workloads = [
            {
                "name": program,
                "podSelector": {"matchLabels": {"app": program}},
                "profileRefs": [{"name": profile}],
                **workload,
            }
            for program, profile in PROFILES.items()
        ]
        spec = {"strategy": strategy, "workloads": workloads}
        metadata = {"name": name, "namespace": self.namespace}
        self.access.apply(
            {"apiVersion": "eclip.dev/v1alpha1", "kind": "ColocationPolicy", "metadata": metadata, "spec": spec}
        )

    def edit(self, policy: str, spec: dict[str, Any]) -> float:
        """Changes fields of a policy; when the API server had answered, by the monotonic clock."""
        objects = client.CustomObjectsApi(self.access.api)
        where = ("eclip.dev", "v1alpha1", self.namespace, "colocationpolicies", policy)
        objects.patch_namespaced_custom_object(*where, {"spec": spec}, _request_timeout=10)
        return time.monotonic()

    def enforced(self, policy: str) -> int:
        """How many of the policy's pods run in masked streams."""
        found = self.access.get("colocationpolicy", "-n", self.namespace, policy)
        return int(found.get("status", {}).get("summary", {}).get("enforced", 0))

    def condition(self, policy: str, kind: str) -> tuple[str, str, str]:
        """Status, reason and message of a policy's condition, of the generation that it has now."""
        found = self.access.get("colocationpolicy", "-n", self.namespace, policy)
        for one in found.get("status", {}).get("conditions", []):
            if one["type"] == kind and one["observedGeneration"] == found["metadata"]["generation"]:
                return one["status"], one["reason"], one["message"]
        return "Unknown", "", ""


def reference(program: str, requests: int) -> str:
    """The checksum of a program's first requests, computed without any GPU."""
    path = release.ROOT / "core" / "eclip" / "native" / "workloads" / program
    said = run(path, "--requests", str(requests), "--reference", within=120.0)
    return str(json.loads(said.splitlines()[-1])["checksum"])
