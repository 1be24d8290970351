"""From nothing to four programs on two emulated GPUs under one policy, on a cluster of this machine."""

import sys
import time

from kube import release
from kube.cluster import Cluster, up
from kube.commands import until
from kube.installation import Installation
from kube.workload_pods import Pods

ENFORCED_WITHIN_S = 240.0
PROGRAMS = dict.fromkeys(("alexnet-1", "alexnet-2", "alexnet-3"), ("alexnet", 0)) | {"albert-1": ("albert", 1)}
"""Program and node of each pod."""


def run() -> Cluster:
    """The cluster with everything on it; says what it does and shows what `kubectl describe` shows."""
    begin = time.monotonic()

    def say(what: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begin:6.0f} s  {what}\n")
        sys.stdout.flush()

    say("images are built, as far as something changed")
    archive = release.archive()
    say("a cluster of two nodes starts")
    cluster = up()
    say("the images go to its nodes")
    cluster.load(archive)
    say("the chart is installed")
    installation = Installation(cluster.access)
    installation.install()
    say("profiles, a policy and four pods are applied")
    pods = Pods(cluster.access)
    pods.make_namespace()
    pods.policy("models", "kernel-groups")
    for name, (program, node) in PROGRAMS.items():
        pods.start(name, program, cluster.names[node], "--seconds", "3600")
    until(
        "all pods run in masked streams",
        lambda: pods.enforced("models") == len(PROGRAMS) and pods.condition("models", "Ready")[0] == "True",
        within=ENFORCED_WITHIN_S,
        every=0.5,
    )
    say("all pods run in masked streams")
    for command in (
        ("get", "colocationpolicies", "-n", pods.namespace),
        ("get", "nodecolocations", "-o", "wide"),
        ("describe", "nodecolocation", cluster.names[0]),
    ):
        sys.stdout.write(f"\n$ kubectl {' '.join(command)}\n{cluster.access.kubectl(*command)}")
    return cluster
