"""Every example for Kubernetes is a mix that the operator plans."""

from itertools import count
from typing import Any

import pytest
from kustomized import EXAMPLES, SCENARIOS, objects

Raw = dict[str, Any]
GPU = "aa"


def workloads(found: list[Raw]) -> list[Raw]:
    return [one for one in found if one["kind"] in ("Deployment", "Job")]


def play(stage: Any, found: list[Raw]) -> None:
    """A node with one GPU, and on it one pod of every Deployment and Job."""
    ages = count(10)
    for one in found:
        metadata = one["metadata"]
        if one["kind"] in ("ColocationPolicy", "KernelProfile"):
            metadata |= {"uid": f"{metadata['namespace']}-{metadata['name']}", "generation": 1}
            stage.put({**one, "metadata": metadata | {"creationTimestamp": f"2025-12-{next(ages) % 28 + 1}T00:00:00Z"}})
    stage.node("n", GPU)
    for one in workloads(found):
        name, template = one["metadata"]["name"], one["spec"]["template"]
        stage.pod(f"{name}-1", "n", GPU, template["metadata"]["labels"]["app"], one["metadata"]["namespace"])
    stage.settle()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_mix_of_an_example_is_planned_with_masks_for_every_pod(stage: Any, scenario: str) -> None:
    found = list(objects(EXAMPLES / scenario))

    play(stage, found)

    (gpu,) = stage.spec("n")["gpus"]
    assert gpu["plan"]["strategy"] == "kernel-groups"
    planned = {slot["workload"]: slot for slot in gpu["slots"]}
    assert {name: slot["mode"] for name, slot in planned.items()} == {
        one["metadata"]["name"]: "Enforce" for one in workloads(found)
    }
    assert all(stage.table(slot["table"])["kind"] == "LookupTable" for slot in planned.values())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_latency_objectives_of_an_example_are_kept_by_its_plan(stage: Any, scenario: str) -> None:
    found = list(objects(EXAMPLES / scenario))

    play(stage, found)

    wanted = sum(
        "latency" in one
        for policy in found
        if policy["kind"] == "ColocationPolicy"
        for one in policy["spec"]["workloads"]
    )
    promised = [slot for slot in stage.spec("n")["gpus"][0]["slots"] if "objectiveP95Micros" in slot]
    assert len(promised) == wanted
    for slot in promised:
        (worker,) = slot["workers"]
        assert worker["soloMicros"] * worker["predictedSlowdown"] <= slot["objectiveP95Micros"]


def test_several_models_of_one_pod_are_workers_of_their_own(stage: Any) -> None:
    play(stage, list(objects(EXAMPLES / "edge-camera")))

    slots = {slot["workload"]: slot for slot in stage.spec("n")["gpus"][0]["slots"]}
    assert [worker["model"] for worker in slots["frames"]["workers"]] == ["detect", "track", "identify"]


def test_a_limit_of_an_example_holds_for_every_group(stage: Any) -> None:
    play(stage, list(objects(EXAMPLES / "edge-camera")))

    slots = {slot["workload"]: slot for slot in stage.spec("n")["gpus"][0]["slots"]}
    (model,) = stage.table(slots["indexer"]["table"])["spec"]["groups"]
    assert {int(group.split("@")[1]) for group in model["groups"]} <= {15, 30}


def test_pods_without_a_policy_share_the_gpu_without_masks(stage: Any) -> None:
    play(stage, list(objects(EXAMPLES / "four-pods")))

    (slot,) = stage.spec("n")["gpus"][0]["slots"]
    assert (slot["mode"], slot["why"]) == ("Unmasked", "NoPolicy")
