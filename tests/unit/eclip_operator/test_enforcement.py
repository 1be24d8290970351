"""What the conditions of a policy say about masks in force, and the Events that go with them."""

import pytest


@pytest.fixture
def masked(stage, make_policy, make_profile, make_workload):
    """Two masked pods."""
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.pod("a-2", "n", "aa")
    return stage.settle()


def test_until_every_masked_pod_is_enforced_the_policy_is_not_ready(masked):
    assert masked.condition("p", "Ready")["reason"] == "Pending"

    masked.slot("a-1", state="Enforced")
    masked.settle()
    assert "1 of 2 slots" in masked.condition("p", "Enforced")["message"]
    assert masked.condition("p", "Ready")["status"] == "False"

    masked.slot("a-2", state="Enforced")
    masked.settle()
    assert masked.condition("p", "Enforced")["status"] == "True"
    assert masked.condition("p", "Ready")["status"] == "True"
    assert masked.objects["ColocationPolicy", "team", "p"]["status"]["summary"]["enforced"] == 2


def test_why_masks_are_not_in_force_is_counted_and_the_pods_are_named(masked):
    masked.slot("a-1", state="NotEnforced", reason="LibraryNotLoaded")
    masked.slot("a-2", state="NotEnforced", reason="LibraryNotLoaded")

    masked.settle()

    told = masked.condition("p", "Enforced")
    assert (told["status"], told["reason"]) == ("False", "NotEnforced")
    assert "LibraryNotLoaded (2)" in told["message"]
    assert "team/a-1, team/a-2" in told["message"]
    assert masked.condition("p", "Ready")["reason"] == "NotEnforced"


def test_a_silent_node_makes_its_pods_unknown_and_says_which_node(masked):
    masked.slot("a-1", state="Enforced")
    masked.slot("a-2", state="Enforced")
    masked.settle()

    node = masked.objects["Node", "", "n"]
    masked.put({**node, "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}})
    masked.settle()

    told = masked.condition("p", "Enforced")
    assert (told["status"], told["reason"]) == ("Unknown", "AgentLost")
    assert told["message"].endswith("nothing is heard of n")


def test_a_condition_keeps_the_time_of_its_last_change_and_tells_the_generation_that_it_is_about(masked):
    policy = masked.objects["ColocationPolicy", "team", "p"]
    for condition in policy["status"]["conditions"]:
        condition["lastTransitionTime"] = "2025-06-01T00:00:00Z"
    masked.put({**policy, "metadata": {**policy["metadata"], "generation": 2}})
    masked.slot("a-1", state="Enforced")
    masked.slot("a-2", state="Enforced")

    masked.settle()

    accepted, enforced = masked.condition("p", "Accepted"), masked.condition("p", "Enforced")
    assert accepted["lastTransitionTime"] == "2025-06-01T00:00:00Z"
    assert enforced["lastTransitionTime"] != "2025-06-01T00:00:00Z"
    assert {accepted["observedGeneration"], enforced["observedGeneration"]} == {2}


def test_decisions_are_told_on_policy_pod_node_object_and_node(masked):
    told = {(event.kind, event.name, event.reason) for event in masked.events}

    assert ("Node", "n", "GPUsLabelled") in told
    assert ("NodeColocation", "n", "Planned") in told
    assert {("Pod", "a-1", "Planned"), ("Pod", "a-2", "Planned")} <= told
    assert ("ColocationPolicy", "p", "Programmed") in told


def test_the_event_of_a_pod_tells_gpu_policy_slowdown_and_groups(masked):
    (event,) = [event for event in masked.events if event.name == "a-1"]
    slot = masked.slots("n")["a-1"]

    assert "GPU aa of n" in event.message
    assert "team/p" in event.message
    assert slot["groups"] in event.message
    assert event.home == "team"
    body = event.body(masked.now)
    assert body["involvedObject"]["uid"] == "pod-team-a-1"
    assert (body["type"], body["source"]["component"]) == ("Normal", "eclip-operator")


def test_the_same_decision_is_the_same_event_and_another_one_is_not(masked):
    first, second = [event for event in masked.events if event.kind == "Pod"]

    assert first.title != second.title
    assert len({event.title for event in masked.events}) == len(masked.events)
    masked.slot("a-1", state="Enforced")
    before = len(masked.events)
    masked.settle()
    assert [event.kind for event in masked.events[before:]] == []


def test_problems_are_warnings(stage, make_policy, make_workload):
    stage.put(make_policy("a", make_workload("x")), make_policy("b", make_workload("x")))
    stage.node("n", "aa")
    stage.pod("x-1", "n", "aa")
    stage.settle()

    kinds = {event.reason: event.body(stage.now)["type"] for event in stage.events}

    assert kinds["Conflicted"] == "Warning"
    assert kinds["GPUsLabelled"] == "Normal"


def test_a_node_is_labelled_with_its_gpus_and_loses_the_labels_with_them(stage):
    stage.node("n", "aa", "bb", labels={"eclip.dev/node-config": "big", "zone": "z"})
    stage.settle()
    assert stage.objects["Node", "", "n"]["metadata"]["labels"] == {
        "eclip.dev/node-config": "big",
        "zone": "z",
        "eclip.dev/gpu.product": "MI50",
        "eclip.dev/gpu.compute-units": "60",
        "eclip.dev/gpu.shares": "8",
    }
    assert stage.spec("n")["config"] == "big"

    stage.remove("NodeColocation", "n")
    stage.settle()

    assert set(stage.objects["Node", "", "n"]["metadata"]["labels"]) == {"eclip.dev/node-config", "zone"}
    assert [event.reason for event in stage.events if event.kind == "Node"] == ["GPUsLabelled", "GPUsGone"]
    assert not stage.mind.stale


def test_a_products_name_becomes_a_label(stage):
    stage.node("n", "aa", product="RX7900XTX")
    report = stage.objects["NodeColocation", "", "n"]
    report["status"]["gpus"][0]["product"] = "Radeon RX 7900 XTX (24 GB)"
    stage.put(report)

    stage.settle()

    label = stage.objects["Node", "", "n"]["metadata"]["labels"]["eclip.dev/gpu.product"]
    assert label == "Radeon-RX-7900-XTX-24-GB"


def test_a_pod_is_profiled_while_somebody_asks_and_its_mates_go_on(masked):
    ask(masked, "a-1", "exclusive")
    slots = masked.settle().slots("n")

    assert slots["a-1"]["mode"] == "Profile"
    assert masked.decoded(slots["a-1"]["table"]).profiling is not None
    assert slots["a-2"]["mode"] == "Enforce"
    assert len(masked.solved[-2].seats if hasattr(masked.solved[-2], "seats") else masked.solved[-1].seats) == 1

    ask(masked, "a-1", None)
    assert masked.settle().slots("n")["a-1"]["mode"] == "Enforce"


def test_an_exclusive_profile_is_refused_while_a_mate_is_busy_and_says_who(masked):
    masked.slot("a-2", kernelsPerSecond=100.0)
    ask(masked, "a-1", "exclusive")

    masked.settle()

    assert masked.slots("n")["a-1"]["mode"] == "Enforce"
    (refusal,) = [event for event in masked.events if event.reason == "ProfileRefused"]
    assert "team/a-2" in refusal.message

    masked.slot("a-2", kernelsPerSecond=0.0)
    assert masked.settle().slots("n")["a-1"]["mode"] == "Profile"


def test_a_shared_profile_is_taken_beside_busy_mates_and_a_mate_that_wakes_up_ends_none(masked):
    masked.slot("a-2", kernelsPerSecond=100.0)
    ask(masked, "a-1", "shared")
    assert masked.settle().slots("n")["a-1"]["mode"] == "Profile"

    masked.slot("a-2", kernelsPerSecond=0.0)
    ask(masked, "a-1", "exclusive")
    masked.settle()
    masked.slot("a-2", kernelsPerSecond=50.0)

    assert masked.settle().slots("n")["a-1"]["mode"] == "Profile"


def test_a_pod_under_a_ceiling_is_not_profiled_and_is_told_why(masked):
    masked.slot("a-1", ceiling="30:333333333333333")
    ask(masked, "a-1", "exclusive")

    assert masked.settle().slots("n")["a-1"]["mode"] == "Enforce"
    (refusal,) = [event for event in masked.events if event.reason == "ProfileRefused"]
    assert "30 of 60 CUs, and a profile needs the whole GPU" in refusal.message


def test_a_wish_without_the_label_that_it_is_watched_by_is_none(masked):
    """Whoever takes the label away first has nobody told of the annotation's end."""
    ask(masked, "a-1", "shared")
    assert masked.settle().slots("n")["a-1"]["mode"] == "Profile"

    ask(masked, "a-1", "shared", label=False)

    assert masked.settle().slots("n")["a-1"]["mode"] != "Profile"


def ask(stage, name, how, *, label=True):
    """The annotation and the label that `kubectl eclip profile` sets."""
    pod = stage.objects["Pod", "team", name]
    wish = {"eclip.dev/profile": how} if how else {}
    labels = {key: value for key, value in pod["metadata"].get("labels", {}).items() if key != "eclip.dev/profile"}
    stage.put({**pod, "metadata": {**pod["metadata"], "annotations": wish, "labels": labels | (wish if label else {})}})
