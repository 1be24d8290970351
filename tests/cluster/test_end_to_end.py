"""ECLIP on a cluster, as a user installs it: chart and images, profiles and a policy, unmodified programs in ordinary
pods, three on one GPU and a fourth on another."""

import sys
from collections.abc import Iterator

import pytest
import yaml

from kube.commands import until
from kube.installation import Installation, Read
from kube.release import ROOT
from kube.workload_pods import Pods, reference

pytestmark = pytest.mark.timeout(900)
MATES = ("alexnet-1", "alexnet-2", "alexnet-3")
OTHER = "albert-1"
STRATEGIES = ("kernel-groups", "per-kernel", "model-wise", "static-split", "whole-gpu")
REQUESTS = 12
"""Of each program, for a throughput whose last, unfinished request is no large part."""
ENFORCED_WITHIN_S = 180.0
MEASURED_WITHIN_S = 300.0


@pytest.fixture(scope="module")
def nodes(installation: Installation) -> tuple[str, str]:
    first, second, *_ = sorted(node["metadata"]["name"] for node in installation.access.get("nodes")["items"])
    return first, second


@pytest.fixture(scope="module")
def pods(installation: Installation, nodes: tuple[str, str]) -> Iterator[Pods]:
    """Three programs share the first node's GPU, one has the second's."""
    pods = Pods(installation.access)
    pods.make_namespace()
    pods.policy("models", STRATEGIES[0])
    for name in MATES:
        pods.start(name, "alexnet", nodes[0], "--seconds", "3600")
    pods.start(OTHER, "albert", nodes[1], "--seconds", "3600")
    pods.await_running(*MATES, OTHER)
    yield pods
    installation.access.kubectl("delete", "namespace", pods.namespace, "--wait=true", within=120.0)


def enforced(installation: Installation, node: str, names: tuple[str, ...]) -> bool:
    slots = installation.slots(node)
    return set(names) <= set(slots) and all(slots[name]["state"] == "Enforced" for name in names)


def test_all_pods_run_in_masked_streams_and_the_policy_says_so(
    installation: Installation, nodes: tuple[str, str], pods: Pods
) -> None:
    until("three are enforced", lambda: enforced(installation, nodes[0], MATES), within=ENFORCED_WITHIN_S)
    until("one is enforced", lambda: enforced(installation, nodes[1], (OTHER,)), within=ENFORCED_WITHIN_S)
    until("Ready", lambda: pods.condition("models", "Ready")[0] == "True", within=ENFORCED_WITHIN_S)

    slots = installation.slots(nodes[0])
    spec = installation.node(nodes[0])["spec"]["gpus"][0]
    tables = {slot["slot"]: slot["table"] for slot in spec["slots"]}
    assert len({slots[name]["slot"] for name in MATES}) == 3
    assert all(installation.access.get("lookuptable", table)["spec"]["groups"] for table in tables.values())
    assert all(slots[name]["masks"] for name in MATES)
    assert all(slots[name]["counters"]["mismatches"] == 0 for name in MATES)
    assert set(installation.slots(nodes[1])) == {OTHER}


def test_describe_shows_plan_pods_groups_masks_and_figures(
    installation: Installation, nodes: tuple[str, str], pods: Pods
) -> None:
    until("three are enforced", lambda: enforced(installation, nodes[0], MATES), within=ENFORCED_WITHIN_S)
    until(
        "figures are there",
        lambda: all("kernelsPerSecond" in slot for slot in installation.slots(nodes[0]).values()),
        within=ENFORCED_WITHIN_S,
    )

    said = installation.access.kubectl("describe", "nodecolocation", nodes[0])

    promised = (
        "Product:", "MI50", "Compute Units:", "60", "kernel-groups", "Predicted Slowdown:", "Gap:", "Groups:", "Masks:",
        "Enforced", "Kernels Per Second:", "Hops Per Second:", "Mismatches:", "p95Micros:", "Conditions:", *MATES,
    )  # fmt: skip
    assert [word for word in promised if word not in said] == []


def test_throughput_of_each_strategy_is_as_planned(
    installation: Installation, nodes: tuple[str, str], pods: Pods
) -> None:
    planned, measured, report = {}, {}, []
    for strategy in STRATEGIES:
        pods.policy("models", strategy)
        until(f"{strategy} is planned", lambda s=strategy: plan(installation, nodes[0], s), within=ENFORCED_WITHIN_S)
        until(f"{strategy} is in force", lambda: in_force(installation, nodes[0]), within=ENFORCED_WITHIN_S)
        planned[strategy] = promised(installation, nodes[0])
        measured[strategy] = throughput(installation, nodes[0])
        report.append(f"{strategy}: planned {planned[strategy]:.0f}, measured {measured[strategy]:.0f}")
    sys.stdout.write("Requests per second of GPU time\n" + "\n".join(report) + "\n")

    assert {
        strategy: (planned[strategy], measured[strategy])
        for strategy in STRATEGIES
        if abs(measured[strategy] / planned[strategy] - 1) > 0.15
    } == {}
    for better in STRATEGIES:
        for worse in STRATEGIES:
            if planned[better] > 1.15 * planned[worse]:
                assert measured[better] > measured[worse]


def test_every_checksum_is_right(pods: Pods) -> None:
    """Runs last: the programs end."""
    for name, program in (*((name, "alexnet") for name in MATES), (OTHER, "albert")):
        report = pods.stop(name)

        assert report["checksumMismatches"] == 0
        assert report["checksum"] == reference(program, int(report["requests"]))
        assert pods.restarts(name) == 0


def plan(installation: Installation, node: str, strategy: str) -> bool:
    gpus = installation.node(node)["spec"]["gpus"]
    return bool(gpus and gpus[0].get("strategy") == strategy and gpus[0].get("plan", {}).get("strategy") == strategy)


def in_force(installation: Installation, node: str) -> bool:
    """Whether the node has acknowledged the present spec, and every program the present table."""
    found = installation.node(node)
    condition = {one["type"]: one for one in found["status"]["conditions"]}
    current = all(one["observedGeneration"] == found["metadata"]["generation"] for one in condition.values())
    return current and condition["Programmed"]["status"] == "True" and condition["Enforced"]["status"] == "True"


def promised(installation: Installation, node: str) -> float:
    """Requests per second of GPU time that the plan expects of all programs together."""
    gpu = installation.node(node)["spec"]["gpus"][0]
    workers = [worker for slot in gpu["slots"] for worker in slot["workers"]]
    return float(sum(1e6 / (worker["soloMicros"] * worker["predictedSlowdown"]) for worker in workers))


def throughput(installation: Installation, node: str) -> float:
    """Requests per second of GPU time, over at least REQUESTS of each program under one table."""
    kernels = len(yaml.safe_load((ROOT / "examples/profiles/alexnet-b8.yaml").read_text())["spec"]["kernels"])
    before = installation.read(node)

    def enough() -> Read | None:
        now = installation.read(node)
        done = [launched(before, now, one) for one in now.launches]
        return now if len(done) == len(MATES) and min(done) >= REQUESTS * kernels else None

    after = until("every program has done its requests", enough, within=MEASURED_WITHIN_S, every=1.0)
    assert after.passed_over == before.passed_over, "the host starved a program: the chip did not wait for it"
    total = sum(launched(before, after, one) for one in after.launches)
    return total / kernels / ((after.micros - before.micros) / 1e6)


def launched(before: Read, now: Read, allocation: str) -> int:
    """Launches in between; none if the table changed."""
    generation, launched = now.launches[allocation]
    first, launched_first = before.launches.get(allocation, (generation, 0))
    return launched - launched_first if generation == first else 0
