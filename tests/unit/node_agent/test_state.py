"""In force or not, and why."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclip.api.node_status import SlotReason, SlotState
from eclip_node_agent import state
from eclip_node_agent.state import Evidence, Verdict

Make = Any  # of conftest.py


def judged(**evidence: Any) -> tuple[str, str | None]:
    verdict = state.verdict(Evidence(**{"wanted": "Enforce", "generation": 2, **evidence}))
    return verdict.state.value, verdict.reason.value if verdict.reason else None


def test_masks_that_were_read_back_are_enforced(make: Make) -> None:
    assert judged(clients=[make.client(make.counters(2), streams=(make.good,))]) == ("Enforced", None)


def test_a_plan_that_leaves_a_worker_the_whole_gpu_is_enforced_without_a_mask(make: Make) -> None:
    assert judged(clients=[make.client(make.counters(2))]) == ("Enforced", None)


def test_the_masks_of_the_last_plan_hold_until_the_next_one_is_acknowledged(make: Make) -> None:
    assert judged(clients=[make.client(make.counters(1), streams=(make.good,))]) == ("Enforced", None)
    assert judged(clients=[make.client(make.counters(0))]) == ("Pending", None)


def test_without_a_program_a_slot_is_pending(make: Make) -> None:
    assert judged() == ("Pending", None)
    assert judged(clients=[make.client(make.counters(2), alive=False)]) == ("Pending", None)
    assert judged(silent_users=None) == ("Pending", None)
    assert judged(wanted=None, generation=0) == ("Pending", None)


@pytest.mark.parametrize("stream", ["wide", "refused"])
def test_a_mask_that_the_runtime_does_not_honour_is_no_mask(make: Make, stream: str) -> None:
    streams = (make.good, getattr(make, stream))

    assert judged(clients=[make.client(make.counters(2), streams=streams)]) == ("NotEnforced", "TableRefused")


def test_a_refused_table_is_told_and_of_another_format_as_another_version(make: Make) -> None:
    refusal = {"tables_refused": 1, "refused_generation": 2}
    malformed = make.client(make.counters(1), refused_why="malformed", **refusal)
    newer = make.client(make.counters(1), refused_why="format", **refusal)
    past = make.client(make.counters(2), tables_refused=1, refused_generation=1)

    assert judged(clients=[malformed]) == ("NotEnforced", "TableRefused")
    assert judged(clients=[newer]) == ("NotEnforced", "VersionMismatch")
    assert judged(clients=[past]) == ("Enforced", None)


def test_one_process_that_refuses_speaks_for_the_slot(make: Make) -> None:
    good = make.client(make.counters(2), streams=(make.good,))

    assert judged(clients=[good, make.client(make.counters(2), mode="observe", index=1)])[1] == "UserDisabled"
    assert judged(clients=[good, make.client(make.counters(0), index=1)])[0] == "Pending"


def test_what_the_user_or_the_runtime_disabled_is_told_apart(make: Make) -> None:
    assert judged(clients=[make.client(make.counters(0), mode="observe")]) == ("NotEnforced", "UserDisabled")
    assert judged(clients=[make.client(make.counters(0), mode="off", hooks=0)]) == ("NotEnforced", "UserDisabled")
    assert judged(clients=[make.client(make.counters(0), mode="off", hooks=9)]) == ("NotEnforced", "HooksIncomplete")


def test_one_cu_count_for_a_process_is_told_once_a_plan_is_in_force(make: Make) -> None:
    single = make.client(make.counters(2), mode="single-mask", streams=(make.good,))
    good = make.client(make.counters(2), streams=(make.good,), index=1)

    assert judged(clients=[good, single]) == ("SingleMask", None)
    assert judged(clients=[make.client(make.counters(0), mode="single-mask")]) == ("Pending", None)
    assert judged(clients=[make.client(make.counters(2), mode="single-mask", streams=(make.wide,))])[0] == "NotEnforced"


def test_bypass_and_a_missing_library_are_told(make: Make) -> None:
    good = make.client(make.counters(2), streams=(make.good,))

    assert judged(silent_users=True) == ("NotEnforced", "NoHandshake")
    assert judged(silent_users=True, clients=[good]) == ("NotEnforced", "NoHandshake")
    assert judged(library=False) == ("NotEnforced", "LibraryNotLoaded")


def test_whoever_needs_no_masks_shares_unmasked(make: Make) -> None:
    assert judged(wanted="Unmasked") == ("Unmasked", None)
    assert judged(wanted="Unmasked", silent_users=True, library=False) == ("Unmasked", None)
    assert judged(wanted=None, generation=0, clients=[make.client(make.counters(0))]) == ("Unmasked", None)
    assert judged(wanted="Profile", clients=[make.client(make.counters(2), mode="profile")]) == ("Unmasked", None)


def test_damage_comes_before_everything_else(make: Make) -> None:
    good = {"clients": [make.client(make.counters(2), streams=(make.good,))]}

    assert judged(lost=True, tampered=True, **good) == ("NotEnforced", "SlotLost")
    assert judged(foreign=True, tampered=True, **good) == ("NotEnforced", "VersionMismatch")
    assert judged(tampered=True, wanted="Unmasked", **good) == ("NotEnforced", "StatsTampered")


@given(
    st.sampled_from([None, "Enforce", "Profile", "Unmasked"]),
    st.integers(0, 3),
    st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    st.sampled_from([None, True, False]),
)
def test_a_reason_goes_with_not_enforced_and_with_nothing_else(
    wanted: Any, generation: int, flags: tuple[bool, ...], silent: bool | None
) -> None:
    lost, foreign, tampered, library, refused = flags
    found = state.verdict(Evidence(wanted, generation, (), lost, foreign, tampered, library, refused, silent))

    assert (found.reason is not None) == (found.state is SlotState.NOT_ENFORCED)
    assert isinstance(found, Verdict)
    assert found.reason is None or found.reason in SlotReason


def test_a_table_is_acknowledged_when_every_living_program_runs_under_it(make: Make) -> None:
    late = make.client(make.counters(1), index=1)

    assert state.acknowledged([make.client(make.counters(2)), late]) == 1
    assert state.acknowledged([make.client(make.counters(2)), make.client(make.counters(1), alive=False)]) == 2
    assert state.acknowledged([]) == 0
