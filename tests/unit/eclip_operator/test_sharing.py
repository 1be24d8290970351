"""What a GPU gets: who governs which pod, whose strategy holds, weights, limits, profiles."""

import base64

import pytest

from eclip.slot import table

TWO_ENGINES = "30:333333333333333"


def test_pods_without_a_policy_share_the_gpu_unmasked(stage):
    stage.node("n", "aa")
    stage.pod("x-1", "n", "aa")
    stage.pod("x-2", "n", "aa")

    slots = stage.settle().slots("n")

    assert {name: (slot["mode"], slot["why"]) for name, slot in slots.items()} == {
        "x-1": ("Unmasked", "NoPolicy"),
        "x-2": ("Unmasked", "NoPolicy"),
    }
    assert stage.solved == []


def test_a_policy_without_profiles_is_accepted_and_ready_and_its_pods_are_unmasked(stage, make_policy, make_workload):
    stage.put(make_policy("p", make_workload("a")))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", state="Unmasked")

    slots = stage.settle().slots("n")

    assert slots["a-1"]["mode"] == "Unmasked"
    assert stage.condition("p", "Accepted")["status"] == "True"
    assert stage.condition("p", "Ready")["status"] == "True"
    assert stage.condition("p", "ProfilesResolved")["reason"] == "ProfileMissing"


def test_workers_of_a_mix_get_a_table_each_and_a_bit_of_their_own(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    for number in range(3):
        stage.pod(f"a-{number}", "n", "aa")

    slots = stage.settle().slots("n")

    assert sorted(slot["workers"][0]["bit"] for slot in slots.values()) == [0, 1, 2]
    assert len({slot["table"] for slot in slots.values()}) == 3
    for name, slot in slots.items():
        decoded = stage.decoded(slot["table"])
        assert [model.worker for model in decoded.models] == [slot["workers"][0]["bit"]], name
        assert decoded.compute_units == 60


def test_a_policy_does_not_reach_pods_of_another_namespace(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", namespace="other")

    slots = stage.settle().slots("n")

    assert slots["a-1"]["why"] == "NoPolicy"
    assert stage.condition("p", "Programmed")["reason"] == "NoPods"


def test_of_two_policies_the_older_has_the_pod_and_the_other_is_told_how_many_and_which(
    stage, make_policy, make_profile, make_workload
):
    stage.put(
        make_profile("alex"),
        make_policy("young", make_workload("a", ("alex",)), make_workload("b", ("alex",)), age=1),
        make_policy("old", make_workload("a", ("alex",)), age=2),
    )
    stage.node("n", "aa", "bb")
    for number in range(4):
        stage.pod(f"a-{number}", "n", "aa")
    stage.pod("b-1", "n", "bb")

    slots = stage.settle().slots("n")

    assert {slots[f"a-{number}"]["policy"] for number in range(4)} == {"team/old"}
    assert slots["b-1"]["policy"] == "team/young"
    conflict = stage.condition("young", "Conflicted")
    assert conflict["status"] == "True"
    assert "4 pods" in conflict["message"]
    assert "team/a-0, team/a-1, team/a-2 and 1 more" in conflict["message"]
    assert "team/old" in conflict["message"]
    assert stage.condition("young", "Accepted")["status"] == "True"
    assert stage.condition("old", "Conflicted")["status"] == "False"


def test_a_policy_that_loses_all_its_pods_is_not_accepted(stage, make_policy, make_workload):
    stage.put(make_policy("b", make_workload("x")), make_policy("a", make_workload("x")))
    stage.node("n", "aa")
    stage.pod("x-1", "n", "aa")

    stage.settle()

    # Of equal age: the name decides.
    assert stage.condition("a", "Accepted")["status"] == "True"
    assert (stage.condition("b", "Accepted")["status"], stage.condition("b", "Ready")["reason"]) == (
        "False",
        "Conflicted",
    )


def test_the_oldest_policy_of_a_gpu_gives_the_strategy_and_the_others_say_so(
    stage, make_policy, make_profile, make_workload
):
    stage.put(make_profile("alex"), make_profile("alex", namespace="zoo"))
    stage.put(
        make_policy("mine", make_workload("a", ("alex",)), strategy="static-split", age=1),
        make_policy("theirs", make_workload("b", ("alex",)), namespace="zoo", strategy="model-wise", age=2),
    )
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.pod("b-1", "n", "aa", namespace="zoo")

    stage.settle()

    (gpu,) = stage.spec("n")["gpus"]
    assert (gpu["policy"], gpu["strategy"], gpu["plan"]["strategy"]) == ("zoo/theirs", "model-wise", "model-wise")
    overridden = stage.condition("mine", "StrategyOverridden")
    assert overridden["status"] == "True"
    assert "zoo/theirs (model-wise)" in overridden["message"]
    assert stage.condition("theirs", "StrategyOverridden", namespace="zoo")["status"] == "False"


@pytest.mark.parametrize("weight", [1, 10, 100])
def test_the_weights_of_one_namespace_change_no_plan_of_another(
    new_stage, make_policy, make_profile, make_workload, weight
):
    def seats(theirs):
        stage = new_stage()
        stage.put(make_profile("alex"), make_profile("alex", namespace="zoo"))
        stage.put(
            make_policy("mine", make_workload("a", ("alex",))),
            make_policy("theirs", make_workload("b", ("alex",), weight=theirs), namespace="zoo"),
        )
        stage.node("n", "aa")
        stage.pod("a-1", "n", "aa")
        stage.pod("a-2", "n", "aa")
        stage.pod("b-1", "n", "aa", namespace="zoo")
        stage.settle()
        return stage.solved[-1].seats

    assert seats(weight) == seats(1)


def test_weights_inside_a_namespace_count_and_add_up_to_its_workers(stage, make_policy, make_profile, make_workload):
    stage.put(
        make_profile("alex"), make_policy("p", make_workload("a", ("alex",), weight=3), make_workload("b", ("alex",)))
    )
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.pod("b-1", "n", "aa")

    stage.settle()

    weights = {seat.workload: seat.weight for seat in stage.solved[-1].seats}
    assert weights == {"a": 1.5, "b": 0.5}


def test_settings_of_a_worker_come_from_its_own_policy(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_profile("alex", namespace="zoo"))
    mine = make_workload("a", ("alex",), latency={"p95Micros": 5000.0}, computeUnits={"min": 30}, maxSwitches=2)
    theirs = make_workload("b", ("alex",), **{"class": "BestEffort"})
    stage.put(make_policy("mine", mine, age=1), make_policy("theirs", theirs, namespace="zoo", age=2))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    stage.pod("b-1", "n", "aa", namespace="zoo")

    stage.settle()

    first, second = stage.solved[-1].seats
    assert (first.latency_micros, first.limits, first.max_switches, first.best_effort) == (5000.0, (30, 60), 2, False)
    assert (second.latency_micros, second.limits, second.best_effort) == (None, None, True)
    assert stage.slots("n")["a-1"]["objectiveP95Micros"] == 5000.0


def test_the_profile_of_the_gpus_product_is_taken_and_a_missing_one_is_told_by_product(
    stage, make_policy, make_profile, make_workload
):
    stage.put(make_profile("alex-mi50"), make_profile("alex-mi100", product="MI100", units=120))
    stage.put(make_policy("p", make_workload("a", ("alex-mi50", "alex-mi100"))))
    stage.node("n", "aa")
    stage.node("m", "bb", product="MI100")
    stage.node("o", "cc", product="MI210")
    stage.pod("a-1", "n", "aa")
    stage.pod("a-2", "m", "bb")
    stage.pod("a-3", "o", "cc")

    stage.settle()

    assert stage.slots("n")["a-1"]["mode"] == "Enforce"
    assert stage.decoded(stage.slots("m")["a-2"]["table"]).compute_units == 120
    assert stage.slots("o")["a-3"]["why"] == "ProfileMismatch"
    told = stage.condition("p", "ProfilesResolved")
    assert (told["status"], told["reason"]) == ("False", "ProfileMismatch")
    assert "MI210 with 104 CUs" in told["message"]


def test_a_profile_that_does_not_exist_is_named_and_its_arrival_masks_the_pods(
    stage, make_policy, make_profile, make_workload
):
    stage.put(make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    assert stage.settle().slots("n")["a-1"]["why"] == "ProfileMissing"
    assert "alex" in stage.condition("p", "ProfilesResolved")["message"]

    stage.put(make_profile("alex"))

    assert stage.settle().slots("n")["a-1"]["mode"] == "Enforce"
    assert stage.condition("p", "ProfilesResolved")["status"] == "True"


def test_a_pod_of_several_models_is_several_workers_in_one_table(stage, make_policy, make_profile, make_workload):
    both = make_workload("a")
    both["profileRefs"] = [{"name": "alex", "model": "small"}, {"name": "vgg", "model": "large"}]
    stage.put(make_profile("alex"), make_profile("vgg", scale=3.0), make_policy("p", both))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")

    slot = stage.settle().slots("n")["a-1"]

    assert [(worker["model"], worker["bit"]) for worker in slot["workers"]] == [("small", 0), ("large", 1)]
    assert [model.worker for model in stage.decoded(slot["table"]).models] == [0, 1]


def test_a_plan_that_cannot_be_is_told_with_both_numbers_and_the_gpu_is_shared_unmasked(
    stage, make_policy, make_profile, make_workload
):
    hasty = make_workload("a", ("alex",), latency={"p95Micros": 10.0})
    stage.put(make_profile("alex"), make_policy("p", hasty))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")

    slots = stage.settle().slots("n")

    assert (slots["a-1"]["mode"], slots["a-1"]["why"]) == ("Unmasked", "Infeasible")
    told = stage.condition("p", "Programmed")
    assert (told["status"], told["reason"]) == ("False", "Infeasible")
    assert "10.0 us" in told["message"]
    assert "450.0 us" in told["message"]
    assert stage.condition("p", "Ready")["reason"] == "Infeasible"
    assert [event.kind for event in stage.events if event.reason == "Infeasible"] == [
        "NodeColocation",
        "Pod",
        "ColocationPolicy",
    ]


def test_a_ceiling_below_what_a_worker_needs_is_told_with_both_numbers(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",), computeUnits={"min": 40})))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", ceiling=TWO_ENGINES)

    stage.settle()

    message = stage.spec("n")["gpus"][0]["message"]
    assert "45 CUs" in message
    assert "30 CUs" in message


def test_pods_with_and_without_a_ceiling_keep_to_their_own_cus(stage, make_policy, make_profile, make_workload):
    """Containers keep the ceiling that they were made with, so that old and new ones differ."""
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", ceiling=TWO_ENGINES)
    stage.pod("a-2", "n", "aa", ceiling="30:ccccccccccccccc")
    stage.pod("a-3", "n", "aa")

    slots = stage.settle().slots("n")

    tables = [table.decode(base64.b64decode(stage.table(slots[f"a-{i}"]["table"])["spec"]["table"])) for i in (1, 2, 3)]
    inside = [0x333333333333333, 0xCCCCCCCCCCCCCCC, (1 << 60) - 1]
    assert any(found.streams for found in tables)
    for found, allowed in zip(tables, inside, strict=True):
        assert all(stream.cu_set & ~allowed == 0 for stream in found.streams)
    (question,) = {*stage.solved}
    assert {seat.ceiling for seat in question.seats} == {0x333333333333333, 0xCCCCCCCCCCCCCCC, None}


def test_plans_keep_to_a_ceiling(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", ceiling=TWO_ENGINES)

    slot = stage.settle().slots("n")["a-1"]

    assert all(int(group.split("@")[1]) <= 30 for group in slot["groups"].split())


def test_a_gpu_selector_leaves_other_gpus_alone(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",)), gpuSelector={"nodes": ["m"]}))
    stage.node("n", "aa")
    stage.node("m", "bb")
    stage.pod("a-1", "n", "aa")
    stage.pod("a-2", "m", "bb")

    stage.settle()

    assert stage.slots("n")["a-1"]["why"] == "NoPolicy"
    assert stage.slots("m")["a-2"]["mode"] == "Enforce"


def test_a_pod_that_is_not_what_its_node_says_is_not_believed(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.node("m", "bb")
    stage.pod("a-1", "n", "aa")
    stage.pod("a-2", "n", "aa")
    stage.objects["Pod", "team", "a-1"]["spec"]["nodeName"] = "m"
    stage.objects["Pod", "team", "a-2"]["metadata"]["uid"] = "another"

    slots = stage.settle().slots("n")

    assert {slot["why"] for slot in slots.values()} == {"NoPolicy"}
    assert stage.condition("p", "Programmed")["reason"] == "NoPods"


def test_tables_are_what_their_names_say(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")

    name = stage.settle().slots("n")["a-1"]["table"]

    raw = stage.table(name)
    assert raw["metadata"]["name"] == name
    assert table.decode(base64.b64decode(raw["spec"]["table"])).product == "MI50"
    assert raw["spec"]["groups"][0]["groups"] == stage.slots("n")["a-1"]["groups"].split()
