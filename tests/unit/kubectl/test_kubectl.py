"""`kubectl eclip` over a kubectl that answers from files."""

import json
from typing import Any, get_args

import pytest
import yaml

from eclip.api.node import Why
from eclip.api.node_status import SlotReason, SlotState
from eclip.cli import kubectl_main
from eclip.kubectl import advice, profiling

Cluster = Any  # of conftest.py
AGENT = {
    "metadata": {"name": "eclip-node-x", "namespace": "eclip"},
    "spec": {"containers": [{"name": "plugin"}, {"name": "agent", "args": ["--state=/srv/eclip", "--port=9401"]}]},
}


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert kubectl_main(words) == code, capsys.readouterr().err
    return capsys.readouterr().out


def test_status_shows_nodes_and_every_slot(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(answer(capsys, "status", "-o", "json"))

    assert [(slot["pod"], slot["state"], slot["reason"]) for slot in found["slots"]] == [
        ("team/web", "Enforced", None),
        ("team/other", "NotEnforced", "NoHandshake"),
    ]
    assert found["nodes"][0]["used"] == 2
    text = answer(capsys, "status")
    assert "NotEnforced NoHandshake" in " ".join(text.split()) or "NoHandshake" in text


def test_explain_says_what_was_decided_and_what_to_do(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "explain", "web", "-o", "table")

    assert "workload web of policy team/vision" in text
    assert "kernel-groups, 2 masked streams, at most 1.0 % from the optimum" in text
    assert "1.30 times the 4000 µs" in text
    assert "5.20 ms of 6.00 ms" in text
    assert "team/other (NotEnforced)" in text
    cluster.put("pod-other", {"metadata": {"name": "other", "namespace": "team"}})
    assert "never loaded our library" in answer(capsys, "explain", "other")


def test_a_pod_without_a_share_is_told_how_to_get_one(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert kubectl_main(["explain", "nobody", "-n", "team"]) == 2
    assert "has no share of a GPU" in capsys.readouterr().err


def test_what_kubectl_says_is_passed_on_in_one_line(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert kubectl_main(["explain", "unknown"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("kubectl eclip: kubectl get: Error from server (NotFound)")
    assert said.count("\n") == 1


def test_the_flags_for_the_cluster_reach_kubectl(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, "status", "--context", "prod", "--kubeconfig", "c.yaml")

    assert cluster.asked[0][:4] == ["--context=prod", "--kubeconfig=c.yaml", "get", "nodecolocations"]


def test_top_answers_once(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(answer(capsys, "top", "-o", "json"))["slots"][0]["kernelsPerSecond"] == 1234.0


def policy(**workload: Any) -> dict[str, Any]:
    first = {
        "name": "web",
        "podSelector": {"matchLabels": {"app": "web"}},
        "profileRefs": [{"name": "web"}],
        **workload,
    }
    plain = {"name": "plain", "podSelector": {"matchLabels": {"app": "plain"}}}
    return {"metadata": {"name": "vision", "namespace": "team"}, "spec": {"workloads": [first, plain]}}


def profile_object(cluster: Cluster) -> dict[str, Any]:
    return {**yaml.safe_load(cluster.measured("web")), "metadata": {"name": "web", "namespace": "team"}}


def test_a_dry_run_plans_for_the_clusters_gpus_and_changes_nothing(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.put("colocationpolicies-vision", policy())
    cluster.put_list("kernelprofiles", profile_object(cluster))

    (found,) = json.loads(answer(capsys, "plan", "vision", "-o", "json"))["gpus"]

    assert (found["product"], found["nodes"], found["unmasked"]) == ("MI50", ["node-a"], ["plain"])
    assert [worker["name"] for worker in found["plan"]["workers"]] == ["web"]
    assert {words[0] for words in cluster.asked} == {"get"}
    assert "without masks" in answer(capsys, "plan", "vision")


def test_an_objective_that_no_plan_keeps_is_infeasible(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.put("colocationpolicies-vision", policy(latency={"p95Micros": 1}))
    cluster.put_list("kernelprofiles", profile_object(cluster))

    answer(capsys, "plan", "vision", code=3)


def ready_to_profile(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, *slots: Any) -> None:
    cluster.put_list("pods", AGENT)
    cluster.put_list("nodecolocations", cluster.node(*slots).wire())
    monkeypatch.setattr(profiling, "POLL_S", 0.0)


def test_a_profile_is_asked_for_read_checked_applied_and_the_wish_taken_back(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"))
    cluster.says("empty 0\n", "measuring 40\n", f"complete 100\n{cluster.measured()}")

    answer(capsys, "profile", "web")

    (made,) = cluster.applied
    assert made["metadata"] == {"name": "web-mi50", "namespace": "team"}
    assert (made["spec"]["origin"], len(made["spec"]["kernels"])) == ("Measured", 4)
    verbs = [words[0] for words in cluster.asked]
    assert verbs.index("annotate") < verbs.index("apply")
    assert [words for words in cluster.asked if words[0] in ("annotate", "label")] == [
        ["annotate", "pod", "web", "--namespace=team", "--overwrite", "eclip.dev/profile=exclusive"],
        ["label", "pod", "web", "--namespace=team", "--overwrite", "eclip.dev/profile=exclusive"],
        ["annotate", "pod", "web", "--namespace=team", "eclip.dev/profile-"],
        ["label", "pod", "web", "--namespace=team", "eclip.dev/profile-"],
    ]
    assert next(words for words in cluster.asked if words[0] == "exec")[1:] == [
        "eclip-node-x", "--namespace=eclip", "--container=agent", "--", "eclip-node-agent", "--state=/srv/eclip",
        "profile", "e11b50000000001-s00", "alloc0",
    ]  # fmt: skip


def test_a_busy_neighbour_refuses_a_profile_unless_it_may_be_shared(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"), cluster.slot(1, "busy"))
    cluster.says("empty 0\n", f"complete 100\n{cluster.measured()}")

    assert kubectl_main(["profile", "web"]) == 2
    assert "in use by team/busy" in capsys.readouterr().err
    assert {words[0] for words in cluster.asked} == {"get"}
    found = yaml.safe_load(answer(capsys, "profile", "web", "--shared", "--dry-run"))

    assert found["spec"]["origin"] == "MeasuredShared"
    assert cluster.applied == []


def test_what_an_earlier_run_left_is_not_taken_for_the_profile(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"))
    old = f"complete 100\n{cluster.measured('old')}"
    cluster.says(old, old, "measuring 10\n", "failed 10\nno sequence of kernels repeats\x1b[2J")

    assert kubectl_main(["profile", "web"]) == 1
    said = capsys.readouterr().err
    assert "no sequence of kernels repeats" in said
    assert "\x1b" not in said
    assert cluster.applied == []
    assert cluster.asked[-1][0] == "label"


def test_a_profile_may_say_the_same_as_the_one_before(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"))
    same = f"complete 100\n{cluster.measured()}"
    cluster.says(same, same, "measuring 10\n", same)

    assert kubectl_main(["profile", "web", "--patience", "1"]) == 0
    assert len(cluster.applied) == 1


def test_a_profile_that_is_none_is_refused_and_the_wish_taken_back(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"))
    cluster.says("empty 0\n", "complete 100\nkind: Secret\n")

    assert kubectl_main(["profile", "web"]) == 2
    assert cluster.applied == []
    assert cluster.asked[-1][-1] == "eclip.dev/profile-"


def test_a_wish_that_is_not_granted_says_where_to_look(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_to_profile(cluster, monkeypatch, cluster.slot(0, "web"))
    cluster.says("empty 0\n")

    assert kubectl_main(["profile", "web", "--patience", "0"]) == 1
    assert "did not put it in profile mode" in capsys.readouterr().err


def test_every_state_and_reason_is_explained() -> None:
    assert {state.value for state in SlotState} - {"NotEnforced"} == set(advice.STATES)
    assert {reason.value for reason in SlotReason} | set(get_args(Why)) == set(advice.REASONS)
