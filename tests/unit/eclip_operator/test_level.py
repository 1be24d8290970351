"""The state that the operator wants depends on what is, not on the order in which it came to be."""

import copy

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclip_operator import reading

WORKLOADS = ("a", "b", "c")
PODS = [("n", "aa", "a-1"), ("n", "aa", "b-1"), ("n", "bb", "a-2"), ("m", "cc", "b-2"), ("m", "cc", "a-3")]


def objects(stage_type, make_policy, make_profile, make_workload):
    """A small cluster, as raw objects."""
    stage = stage_type()
    stage.put(make_profile("alex"), make_profile("vgg", scale=2.0), make_profile("alex", namespace="zoo"))
    stage.put(
        make_policy("old", make_workload("a", ("alex",)), age=3, strategy="static-split"),
        make_policy("young", make_workload("b", ("vgg",), weight=3), make_workload("a", ("vgg",)), age=1),
        make_policy("far", make_workload("c", ("alex",), weight=9), namespace="zoo", age=2),
    )
    stage.node("n", "aa", "bb")
    stage.node("m", "cc")
    for node, gpu, name in PODS:
        stage.pod(name, node, gpu)
    stage.pod("c-1", "n", "bb", namespace="zoo")
    return stage


def outcome(stage):
    """All that the operator has written; how long plans took is left out."""
    kinds = ("NodeColocation", "ColocationPolicy", "Node")
    found = {key: copy.deepcopy(raw) for key, raw in stage.objects.items() if key[0] in kinds}
    for raw in found.values():
        for gpu in raw.get("spec", {}).get("gpus", ()):
            gpu.get("plan", {}).pop("solveMillis", None)
    return found


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_of_events_with_steps_in_between_leads_to_the_same_state(
    new_stage, make_policy, make_profile, make_workload, data
):
    reference = objects(new_stage, make_policy, make_profile, make_workload)
    raws = [copy.deepcopy(raw) for raw in reference.objects.values() if raw["kind"] != "Pod"]
    pods = {key: raw for key, raw in reference.objects.items() if raw["kind"] == "Pod"}
    expected = outcome(reference.settle())

    stage = new_stage()
    stage.objects.update(pods)
    for raw in data.draw(st.permutations(raws)):
        stage.put(raw)
        if data.draw(st.booleans()):
            stage.step()

    assert outcome(stage.settle()) == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_objects_that_come_and_go_leave_no_trace(new_stage, make_policy, make_profile, make_workload, data):
    expected = outcome(objects(new_stage, make_policy, make_profile, make_workload).settle())

    stage = objects(new_stage, make_policy, make_profile, make_workload)
    passing = make_policy("passing", *(make_workload(name, ("vgg",)) for name in WORKLOADS), age=9)
    for _ in range(data.draw(st.integers(1, 3))):
        stage.put(copy.deepcopy(passing))
        if data.draw(st.booleans()):
            stage.step()
        stage.remove("ColocationPolicy", "passing", "team")
        if data.draw(st.booleans()):
            stage.step()

    assert outcome(stage.settle()) == expected


def test_a_mind_that_starts_on_a_finished_cluster_has_nothing_to_do(
    new_stage, make_policy, make_profile, make_workload
):
    first = objects(new_stage, make_policy, make_profile, make_workload).settle()

    second = new_stage()
    second.put(*copy.deepcopy(list(first.objects.values())))
    second.settle()

    assert second.specs == []
    assert second.events == []
    assert outcome(second) == outcome(first)


def test_figures_alone_cause_nothing(new_stage, make_policy, make_profile, make_workload):
    stage = objects(new_stage, make_policy, make_profile, make_workload).settle()
    stage.slot("a-1", kernelsPerSecond=10.0)
    stage.settle()

    stage.slot("a-1", kernelsPerSecond=1200.0, p95Micros=800.0, counters={"launches": 10**9})

    assert not stage.mind.stale


def test_figures_reach_the_policy_when_they_are_asked_for(new_stage, make_policy, make_profile, make_workload):
    stage = new_stage()
    stage.put(make_profile("alex"))
    stage.put(make_policy("p", make_workload("a", ("alex",), latency={"p95Micros": 5000.0})))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.settle()
    assert stage.condition("p", "ObjectiveMet")["reason"] == "NotMeasured"

    stage.slot("a-1", p95Micros=700.0)
    stage.mind.refresh()
    stage.settle()
    assert stage.condition("p", "ObjectiveMet")["status"] == "True"

    stage.slot("a-1", p95Micros=7000.0)
    stage.mind.refresh()
    stage.settle()
    late = stage.condition("p", "ObjectiveMet")
    assert (late["status"], late["reason"]) == ("False", "Missed")
    assert "7000 us" in late["message"]
    assert "5000 us" in late["message"]
    assert [event.reason for event in stage.events if event.reason in ("Met", "Missed")] == ["Met", "Missed"]


def test_a_pod_with_other_labels_touches_the_node_that_names_it_and_no_other(
    new_stage, make_policy, make_profile, make_workload
):
    stage = new_stage()
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    for node in ("n", "m"):
        stage.node(node, f"{node == 'n':d}a")
        stage.pod(f"a-{node}", node, f"{node == 'n':d}a")
    stage.settle()
    (key,) = stage.mind.pod_keys("team", "a-n")
    known = stage.mind.pods[key]

    stage.mind.put_pod(key, reading.relabelled(known, {"uid": known.uid, "labels": {"app": "other"}}))

    assert stage.mind.stale_nodes == 1
    stage.settle()
    assert [slot["mode"] for slot in (stage.slots("n")["a-n"], stage.slots("m")["a-m"])] == ["Unmasked", "Enforce"]

    stage.leave("a-n", "n")
    stage.settle()
    stage.mind.put_pod(key, known)
    assert stage.mind.stale_nodes == 0


def test_measured_slowdown_is_mean_time_over_time_alone(new_stage, make_policy, make_profile, make_workload):
    stage = new_stage()
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", state="Enforced", meanMicros=900.0, p95Micros=9000.0)
    stage.settle()

    (plan,) = stage.objects["ColocationPolicy", "team", "p"]["status"]["gpus"]
    assert plan["measuredSlowdown"] == 2.0


def test_on_an_emulated_gpu_nothing_counts_as_measured(new_stage, make_policy, make_profile, make_workload):
    stage = new_stage()
    stage.put(make_profile("alex"))
    stage.put(make_policy("p", make_workload("a", ("alex",), latency={"p95Micros": 5000.0})))
    stage.node("n", "aa")
    report = copy.deepcopy(stage.objects["NodeColocation", "", "n"])
    report["status"]["gpus"][0]["emulated"] = True
    stage.put(report)
    stage.pod("a-1", "n", "aa", state="Enforced", meanMicros=90000.0, p95Micros=90000.0)
    stage.settle()

    status = stage.objects["ColocationPolicy", "team", "p"]["status"]
    objective = stage.condition("p", "ObjectiveMet")
    assert (objective["status"], objective["reason"]) == ("Unknown", "Emulated")
    assert "measuredSlowdown" not in status["gpus"][0]
    assert (status["workloads"][0].get("p95Micros"), status["workloads"][0]["objectiveMet"]) == (None, "Unknown")
    assert stage.condition("p", "Ready")["status"] == "True"


def test_equal_nodes_cost_one_solve(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",)), make_workload("b", ("alex",))))
    for number in range(12):
        stage.node(f"n{number}", f"{number:x}a")
        # The order of slots is no part of the mix.
        for name in ("a", "b") if number % 2 else ("b", "a"):
            stage.pod(f"{name}-{number}", f"n{number}", f"{number:x}a")

    stage.settle()

    assert len(stage.solved) == 1
    tables = {slot["table"] for number in range(12) for slot in stage.slots(f"n{number}").values()}
    assert len(tables) == 2


def test_until_a_new_plan_is_there_the_old_one_stays(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    before = copy.deepcopy(stage.settle().spec("n"))

    stage.pod("a-2", "n", "aa")
    stage.mind.put_pod(next(key for key in _named(stage, "a-2")), _read(stage, "a-2"))
    step = stage.mind.step(stage.now)

    assert step.specs == ()
    assert len(step.questions) == 1
    assert stage.spec("n") == before
    stage.mind.put_outcome(step.questions[0], stage.answer(step.questions[0]))
    assert len(stage.settle().slots("n")) == 2


def test_masks_are_released_in_the_step_after_their_policy_is_gone(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.settle()

    stage.remove("ColocationPolicy", "p", "team")
    stage.step()

    assert (stage.slots("n")["a-1"]["mode"], stage.slots("n")["a-1"]["why"]) == ("Unmasked", "NoPolicy")


def test_who_leaves_is_planned_without_and_who_comes_back_finds_the_old_plan(
    stage, make_policy, make_profile, make_workload
):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.pod("a-2", "n", "aa")
    both = {slot["table"] for slot in stage.settle().slots("n").values()}

    stage.leave("a-2", "n")
    stage.settle()
    assert list(stage.slots("n")) == ["a-1"]
    assert stage.slots("n")["a-1"]["table"] not in both

    stage.pod("a-2", "n", "aa")
    solved = len(stage.solved)
    assert {slot["table"] for slot in stage.settle().slots("n").values()} == both
    assert len(stage.solved) == solved


def test_a_change_of_labels_moves_a_pod(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",)), make_workload("b")))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    assert stage.settle().slots("n")["a-1"]["workload"] == "a"

    pod = copy.deepcopy(stage.objects["Pod", "team", "a-1"])
    pod["metadata"]["labels"]["app"] = "b"
    stage.put(pod)

    slot = stage.settle().slots("n")["a-1"]
    assert (slot["workload"], slot["mode"]) == ("b", "Unmasked")


def test_a_node_whose_pods_are_not_known_yet_is_left_alone(new_stage, make_policy, make_profile, make_workload):
    first = objects(new_stage, make_policy, make_profile, make_workload).settle()
    second = new_stage()
    second.put(*(copy.deepcopy(raw) for raw in first.objects.values() if raw["kind"] != "Pod"))

    step = second.mind.step(second.now)

    assert step.specs == ()
    assert len(step.pods) == len(PODS) + 1


def _named(stage, name):
    for report in stage.mind.reports.values():
        for gpu in report.gpus:
            yield from (one.key for one in gpu.occupants if one.pod == name)


def _read(stage, name):
    return reading.pod(stage.objects["Pod", "team", name])
