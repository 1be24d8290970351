"""The agent between kubelet, API server, slot folders and programs that run under the interposer."""

import json
import re
import time
from typing import Any

import pytest

from eclip.node import NODE_CONFIG, RECORD
from eclip.node.record import Injection
from eclip.slot import stats

Node = Any  # of conftest.py
FIRST, SECOND = 0x0111111111111111, 0x0222222222222222


def redirected(node: Node, folder: Any) -> int:
    return sum(client.current.redirected for client in node.clients(folder) if client.alive)


def enforced(node: Node, number: int = 0, name: str = "web") -> Any:
    """A pod with a running program under a table."""
    folder = node.pod(number, name)
    node.run(folder)
    node.until(lambda: node.api.node, "the node's object")
    node.want((folder, node.api.put_table(node.chain_table())))
    node.until_state(folder, "Enforced")
    return folder


def test_a_table_reaches_the_program_and_its_masks_come_back(node: Node) -> None:
    folder = node.pod(0, "web")
    node.start_agent()
    node.until_state(folder, "Pending")
    node.run(folder)

    node.want((folder, node.api.put_table(node.chain_table())))

    slot = node.until(lambda: (found := node.until_state(folder, "Enforced")).masks and found, "masks read back")
    assert slot.masks == (f"15:{FIRST:x}",)
    assert (slot.pod.namespace, slot.pod.name, slot.container) == ("team", "web", "main")
    assert slot.generation == 1
    assert [owner.kind for owner in node.api.node.metadata.owner_references] == ["Node"]


def test_the_object_is_made_without_a_word_of_its_spec_and_again_when_it_is_deleted(node: Node) -> None:
    node.start_agent()
    node.until(lambda: node.api.status.summary.gpus, "a status")
    assert node.api.get("nodecolocations/node-a").get("spec", {}).get("gpus", []) == []

    node.api.delete("nodecolocations/node-a")

    node.until(lambda: node.api.status.summary.gpus, "a new object with a status")


def test_an_object_that_nobody_has_touched_for_long_is_watched_from_a_version_that_is_known(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    before = len(node.api.requests)
    node.api.forget()
    node.until(lambda: len(node.api.requests) >= before + 2, "a new list and a new watch")
    node.want((folder, node.api.put_table(node.chain_table(SECOND))))

    node.until(lambda: (found := node.api.slot(folder.name)) and found.generation == 2, "the edit")
    assert node.api.refused == 0


def test_an_edit_is_acknowledged_by_the_program_within_a_second_and_a_request(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)
    waits = []

    for round_ in range(10):
        name = node.api.put_table(node.chain_table((SECOND, FIRST)[round_ % 2]))
        began = time.monotonic()
        node.want((folder, name))
        node.until(
            lambda wanted=round_ + 2: all(c.current.generation == wanted for c in node.clients(folder) if c.alive),
            f"generation {round_ + 2}",
        )
        waits.append(time.monotonic() - began)

    assert sorted(waits)[5] < 1.0, waits


def test_the_same_plan_again_is_no_new_generation(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)
    again = node.api.put_table(node.chain_table())

    node.want((folder, again), (folder.with_name("nobody"), None))
    node.until(lambda: node.api.status.observed_generation == node.api.node.metadata.generation, "the spec to be seen")

    assert node.api.slot(folder.name).generation == 1


def test_masks_are_released_while_the_program_runs_and_its_requests_are_counted_still(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    node.want((folder, None))

    node.until_state(folder, "Unmasked")
    node.until(lambda: node.api.slot(folder.name).generation == 2, "the release to be acknowledged")
    assert redirected(node, folder) == 0
    node.until(lambda: node.clients(folder)[0].current.models[0].requests, "requests without masks")


def test_a_pod_without_a_policy_is_unmasked(node: Node) -> None:
    folder = node.pod(0, "web")
    node.start_agent()
    node.run(folder)

    node.until_state(folder, "Unmasked")


def test_whoever_comes_is_seen_within_a_second_and_whoever_goes_leaves(node: Node) -> None:
    node.start_agent()
    node.until(lambda: node.api.status.summary.gpus, "a status")
    began = time.monotonic()

    folder = node.pod(1, "late")
    node.until_state(folder, "Pending")
    took = time.monotonic() - began
    del node.kubelet.pods["team", "late", "main"]
    node.until(lambda: node.api.slot(folder.name) is None, "the slot to be free")

    assert took < 5, took
    assert folder.exists(), "an allocation stays for ten minutes"


def test_a_new_allocation_of_the_same_name_is_a_new_occupant(node: Node) -> None:
    node.start_agent()
    old = enforced(node)

    new = node.pod(0, "web")

    node.until_state(new, "Pending")
    assert node.api.slot(old.name) is None


def test_a_program_that_never_loads_the_library_is_told(node: Node) -> None:
    folder = node.pod(0, "static")
    node.start_agent()
    node.until_state(folder, "Pending")
    node.want((folder, node.api.put_table(node.chain_table())))

    node.run(folder, inject=False)

    node.until_state(folder, "NotEnforced", "NoHandshake")


def test_a_second_program_that_bypasses_us_is_told(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)
    mine = node.programs[folder.name]

    node.run(folder, inject=False)

    node.until_state(folder, "NotEnforced", "NoHandshake")
    node.programs["mine"] = mine


def test_a_program_that_wants_one_cu_count_is_told(node: Node) -> None:
    folder = node.pod(0, "web")
    node.start_agent()
    node.until(lambda: node.api.node, "the node's object")
    node.want((folder, node.api.put_table(node.chain_table())))

    node.run(folder, ECLIP_SINGLE_MASK="1")

    node.until_state(folder, "SingleMask")


@pytest.mark.parametrize("mode", ["observe", "off"])
def test_a_program_that_the_user_keeps_out_is_told(node: Node, mode: str) -> None:
    folder = node.pod(0, "web")
    node.start_agent()
    node.until(lambda: node.api.node, "the node's object")
    node.want((folder, node.api.put_table(node.chain_table())))

    node.run(folder, ECLIP_MODE=mode)

    node.until_state(folder, "NotEnforced", "UserDisabled")


def test_a_container_that_was_given_no_library_is_told(node: Node) -> None:
    folder = node.pod(0, "web", injection=Injection.NONE)
    node.start_agent()
    node.until(lambda: node.api.node, "the node's object")

    node.want((folder, node.api.put_table(node.chain_table())))

    node.until_state(folder, "NotEnforced", "LibraryNotLoaded")


def test_a_table_that_is_missing_or_for_another_gpu_is_told_and_the_old_one_stays(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    node.want((folder, "0" * 40))
    node.until_state(folder, "NotEnforced", "TableRefused")
    programmed = {condition.type: condition for condition in node.api.status.conditions}["Programmed"]
    assert (programmed.status, programmed.reason) == ("False", "TableMissing")
    assert redirected(node, folder)

    node.want((folder, node.api.put_table(node.chain_table(), name="not-its-address")))
    node.until(lambda: any(c.reason == "TableInvalid" for c in node.api.status.conditions), "TableInvalid")
    assert stats.read(folder / "stats")[0].current.generation == 1


def test_an_idle_mate_leaves_the_active_set(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)
    control = folder / "config" / "control"
    node.until(lambda: int.from_bytes(control.read_bytes()[16:24], "little") == 1, "the program to be busy")

    node.programs[folder.name].kill()

    # Nobody is busy: the plan for all waits for whoever comes.
    node.until(lambda: not any(client.alive for client in node.clients(folder)), "the program to be gone")
    node.until_state(folder, "Pending")


def test_the_node_config_is_left_for_the_plugin(node: Node) -> None:
    node.start_agent()
    node.until(lambda: node.api.node, "the node's object")

    node.api.want(node.gpu, config="big")

    path = node.state / NODE_CONFIG
    node.until(lambda: path.exists() and path.read_text().strip() == "big", "the name of the config")


def test_metrics_name_pods_and_units(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    text = node.until(
        lambda: (found := node.metrics()) and re.search(r"eclip_slot_requests_total\{.*\} [1-9]", found) and found,
        "requests in metrics",
    )

    pod = f'container="main",gpu="{node.gpu}",namespace="team",node="node-a",pod="web"'
    assert f'eclip_slot_state{{{pod},reason="",slot="{folder.parent.name}",state="Enforced"}} 1.0' in text
    assert "eclip_slot_request_seconds_bucket" in text
    assert f'eclip_gpu_shares_used{{gpu="{node.gpu}",node="node-a",product="MI50"}} 1.0' in text


def test_status_is_written_at_a_bounded_rate_whatever_happens(node: Node) -> None:
    node.start_agent()
    node.until(lambda: node.api.status.summary.gpus, "a status")
    began = time.monotonic()

    while time.monotonic() - began < 6:
        number = int((time.monotonic() - began) * 5) % 4
        node.kubelet.pods = {}
        node.pod(number, f"pod-{number}")
        time.sleep(0.2)

    seconds = time.monotonic() - began
    assert len([at for at, _ in node.api.writes if at >= began]) <= 5 + seconds / 2 + 1


def test_nothing_that_a_program_says_of_itself_is_told_as_text(node: Node) -> None:
    node.start_agent()
    folder = enforced(node)

    node.until(lambda: node.api.writes, "a status")

    assert "chain" not in json.dumps(node.api.writes)
    assert "chain" not in node.said
    assert "chain" not in node.metrics()
    assert (folder / RECORD).exists()
