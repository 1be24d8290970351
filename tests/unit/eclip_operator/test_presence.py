"""When an agent counts as lost, and what is believed of its node then."""

import pytest

from eclip_operator import reading
from eclip_operator.presence import Presence

NOBODY = frozenset()
BOTH = {"n": False, "m": False}


def test_an_agent_is_lost_once_it_has_been_missed_for_the_grace():
    seen = Presence().look(BOTH, frozenset({"m"}), 100.0)

    assert seen.lost(114.9, 15.0) == NOBODY
    assert seen.lost(115.0, 15.0) == {"n"}


def test_a_restart_within_the_grace_changes_nothing():
    down = Presence().look(BOTH, frozenset({"m"}), 100.0)
    up = down.look(BOTH, frozenset({"n", "m"}), 110.0)
    again = up.look(BOTH, frozenset({"m"}), 112.0)

    assert again.lost(120.0, 15.0) == NOBODY


def test_an_agent_is_found_as_soon_as_it_is_ready():
    lost = Presence().look(BOTH, NOBODY, 0.0)

    assert lost.look(BOTH, frozenset({"n"}), 20.0).lost(20.0, 15.0) == {"m"}


def test_who_was_told_lost_stays_so_for_an_operator_that_starts():
    assert Presence().look({"n": True, "m": False}, NOBODY, 50.0).lost(50.0, 15.0) == {"n"}


@pytest.mark.parametrize(
    ("statuses", "node"),
    [
        ([{"name": "agent", "ready": True}, {"name": "plugin", "ready": False}], "n"),
        ([{"name": "agent", "ready": False}, {"name": "plugin", "ready": True}], None),
        (None, None),
    ],
    ids=["ready", "not-ready", "not-started"],
)
def test_the_agents_own_container_has_to_be_ready(statuses, node):
    raw = {"metadata": {"name": "x"}, "spec": {"nodeName": "n"}, "status": {"containerStatuses": statuses}}

    assert reading.agent(raw) == node


@pytest.fixture
def served(stage, make_policy, make_profile, make_workload):
    """An enforced pod with a latency objective that it keeps."""
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",), latency={"p95Micros": 100000.0})))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa", state="Enforced", p95Micros=900.0)
    return stage.settle()


def verdicts(stage):
    return {kind: (stage.condition("p", kind)["status"], stage.condition("p", kind)["reason"]) for kind in KINDS}


KINDS = ("Enforced", "ObjectiveMet", "Ready")
FINE = {"Enforced": ("True", "Enforced"), "ObjectiveMet": ("True", "Met"), "Ready": ("True", "Ready")}


def test_of_a_lost_agents_node_nothing_is_believed_and_its_object_says_so(served):
    assert verdicts(served) == FINE

    served.mind.put_lost(frozenset({"n"}))
    served.settle()

    assert verdicts(served) == {
        "Enforced": ("Unknown", "AgentLost"),
        "ObjectiveMet": ("Unknown", "AgentLost"),
        "Ready": ("False", "AgentLost"),
    }
    assert agent_ready(served) == ("False", "AgentLost")
    assert ("NodeColocation", "n", "AgentLost") in {(event.kind, event.name, event.reason) for event in served.events}
    assert served.slots("n")["a-1"]["mode"] == "Enforce"


def test_all_is_as_before_once_the_agent_is_back(served):
    served.mind.put_lost(frozenset({"n"}))
    served.settle()

    served.mind.put_lost(frozenset())
    served.settle()

    assert verdicts(served) == FINE
    assert agent_ready(served) == ("True", "Ready")


def test_an_object_of_which_nothing_was_ever_missed_has_no_word_about_it(served):
    assert agent_ready(served) is None


def test_until_agents_are_known_what_the_object_says_holds(served, new_stage):
    served.mind.put_lost(frozenset({"n"}))
    served.settle()
    later = new_stage()
    later.mind.lost = None
    later.put(*served.objects.values())
    later.settle()
    assert verdicts(later)["Enforced"] == ("Unknown", "AgentLost")

    later.mind.put_lost(frozenset())
    later.settle()

    assert verdicts(later) == FINE
    assert agent_ready(later) == ("True", "Ready")


def agent_ready(stage):
    conditions = stage.objects["NodeColocation", "", "n"]["status"].get("conditions", ())
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == "AgentReady"), None)
