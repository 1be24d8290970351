"""Three programs that share the GPU of one node under a policy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kube.commands import until
from kube.installation import Installation
from kube.workload_pods import Pods

MATES = ("alexnet-1", "alexnet-2", "alexnet-3")
POLICY = "models"
ENFORCED_WITHIN_S = 180.0


@dataclass(frozen=True)
class Sharing:
    pods: Pods
    node: str


@contextmanager
def sharing(installation: Installation, strategy: str = "kernel-groups") -> Iterator[Sharing]:
    """Runs them in a namespace of their own, with all of them enforced; removes everything afterwards."""
    node = min(one["metadata"]["name"] for one in installation.access.get("nodes")["items"])
    pods = Pods(installation.access)
    pods.make_namespace()
    try:
        pods.policy(POLICY, strategy)
        for name in MATES:
            pods.start(name, "alexnet", node, "--seconds", "3600")
        pods.await_running(*MATES)
        until("three programs are enforced", lambda: enforced(installation, node), within=ENFORCED_WITHIN_S)
        yield Sharing(pods, node)
    finally:
        installation.access.kubectl("delete", "namespace", pods.namespace, "--wait=true", within=120.0)


def enforced(installation: Installation, node: str) -> bool:
    """Whether all of them run with their masks."""
    slots = installation.slots(node)
    return set(MATES) <= set(slots) and all(slots[name]["state"] == "Enforced" for name in MATES)
