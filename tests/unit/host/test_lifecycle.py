"""What `eclip run` does next, decided without any process."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from eclip.host import lifecycle as lc


def wanted(*names: str, **changes: object) -> dict[str, lc.Wanted]:
    return {name: replace(lc.Wanted(name, launch=f"run {name}", planning=1), **changes) for name in names}  # type: ignore[arg-type]


def lives(phase: lc.Phase, *names: str, **fields: object) -> dict[str, lc.Life]:
    return {name: lc.Life(f"run {name}", phase, **fields) for name in names}  # type: ignore[arg-type]


def planned(desired: dict[str, lc.Wanted]) -> lc.Planned:
    return lc.mix_identity(desired, tuple(desired))


def test_a_new_workload_gets_its_slot_first():
    assert lc.decide(wanted("a"), {}, (), 0) == (lc.MakeSlot("a"),)


def test_new_programs_start_once_their_plan_is_there():
    desired = wanted("a", "b")
    new = lives(lc.Phase.NEW, "a", "b")

    assert lc.decide(desired, new, (), 0) == (lc.MakePlan(("a", "b")),)
    assert lc.decide(desired, new, planned(desired), 0) == (lc.Start("a"), lc.Start("b"))


def test_a_restart_waits_for_no_plan():
    desired = wanted("a", "b")
    both = {**lives(lc.Phase.NEW, "a"), **lives(lc.Phase.WAITING, "b", retry_at=1.0)}

    assert lc.decide(desired, both, (), 1) == (lc.MakePlan(("a", "b")), lc.Start("b"))


def test_nothing_is_done_when_all_is_as_wanted():
    desired = wanted("a", "b")

    assert lc.decide(desired, lives(lc.Phase.RUNNING, "a", "b"), planned(desired), 0) == ()


def test_a_changed_weight_makes_a_new_plan_and_restarts_nothing():
    before = planned(wanted("a", "b"))

    actions = lc.decide(wanted("a", "b", planning=2), lives(lc.Phase.RUNNING, "a", "b"), before, 0)

    assert actions == (lc.MakePlan(("a", "b")),)


def test_a_removed_workload_is_stopped_then_its_slot_goes_then_the_rest_is_planned_anew():
    desired = wanted("a")
    both = planned(wanted("a", "b"))
    running = lives(lc.Phase.RUNNING, "a", "b")

    assert lc.decide(desired, running, both, 0) == (lc.Stop("b"), lc.MakePlan(("a",)))
    stopped = {**lives(lc.Phase.RUNNING, "a"), **lives(lc.Phase.DONE, "b")}
    assert lc.decide(desired, stopped, planned(desired), 1) == (lc.RemoveSlot("b"),)


def test_a_changed_command_restarts_this_workload_in_a_new_slot_and_no_other():
    desired = {**wanted("a"), **wanted("b", launch="run b differently")}

    assert lc.decide(desired, lives(lc.Phase.RUNNING, "a", "b"), planned(desired), 0) == (lc.Stop("b"),)
    gone = {**lives(lc.Phase.RUNNING, "a"), **lives(lc.Phase.DONE, "b")}
    assert lc.decide(desired, gone, planned(desired), 0) == (lc.RemoveSlot("b"),)
    assert lc.decide(desired, lives(lc.Phase.RUNNING, "a"), planned(desired), 0) == (lc.MakeSlot("b"),)


def test_a_program_that_ignores_the_request_to_end_is_ended_by_force():
    stubborn = lives(lc.Phase.STOPPING, "a", since=100.0)

    assert lc.decide({}, stubborn, (), 100.0 + lc.GRACE_S - 0.1) == ()
    assert lc.decide({}, stubborn, (), 100.0 + lc.GRACE_S) == (lc.Stop("a", force=True),)


def test_a_workload_that_is_done_for_good_leaves_the_mix():
    desired = wanted("a", "b")
    actual = {**lives(lc.Phase.RUNNING, "a"), **lives(lc.Phase.DONE, "b")}

    assert lc.decide(desired, actual, planned(desired), 0) == (lc.MakePlan(("a",)),)


def test_a_failed_program_waits_keeps_its_place_and_starts_again_when_its_time_has_come():
    desired = wanted("a", "b")
    waiting = lc.ended(lives(lc.Phase.RUNNING, "b", since=0.0)["b"], lc.Restart.ON_FAILURE, -9, 5.0)
    actual = {**lives(lc.Phase.RUNNING, "a"), "b": waiting}

    assert lc.decide(desired, actual, planned(desired), 5.5) == ()
    assert lc.decide(desired, actual, planned(desired), 5.0 + lc.FIRST_RETRY_S) == (lc.Start("b"),)


def test_each_failure_in_a_row_doubles_the_wait_until_the_program_is_given_up():
    life = lives(lc.Phase.RUNNING, "a")["a"]
    waits = []
    while life.phase is not lc.Phase.DONE:
        life = lc.ended(lc.started(life, 0.0), lc.Restart.ON_FAILURE, 1, 1.0)
        waits.append(life.retry_at - 1.0)

    assert waits[:-1] == [1.0, 2.0, 4.0, 8.0]
    assert life.failures == lc.MOST_FAILURES


def test_a_healthy_run_clears_the_record_of_failures():
    life = replace(lives(lc.Phase.RUNNING, "a")["a"], failures=4, since=0.0)

    assert lc.ended(life, lc.Restart.ON_FAILURE, 1, lc.HEALTHY_S).failures == 1


def test_the_restart_policy_is_kept():
    life = lives(lc.Phase.RUNNING, "a")["a"]
    again = {
        (policy, code): lc.ended(life, policy, code, 1.0).phase is lc.Phase.WAITING
        for policy in lc.Restart
        for code in (0, 1)
    }

    assert again == {
        (lc.Restart.NEVER, 0): False,
        (lc.Restart.NEVER, 1): False,
        (lc.Restart.ON_FAILURE, 0): False,
        (lc.Restart.ON_FAILURE, 1): True,
        (lc.Restart.ALWAYS, 0): True,
        (lc.Restart.ALWAYS, 1): True,
    }


def test_a_program_that_was_told_to_stop_is_not_started_again():
    life = lc.stopping(lives(lc.Phase.RUNNING, "a")["a"], 1.0)

    assert lc.ended(life, lc.Restart.ALWAYS, -15, 2.0).phase is lc.Phase.DONE


def test_an_adopted_workload_takes_part_and_is_never_started():
    desired = wanted("a", launch=None)
    adopted = {"a": lc.Life(None, lc.Phase.ADOPTED)}

    assert lc.decide(desired, adopted, (), 0) == (lc.MakePlan(("a",)),)
    assert not lc.finished(adopted)


@given(
    st.lists(
        st.sampled_from(["want a", "want b", "drop a", "drop b", "change b", "die a", "die b", "tick"]), max_size=30
    )
)
def test_whatever_happens_what_is_wanted_runs_in_the_end_and_nothing_else_does(events):
    """Every state leads to the wanted one by carrying out the actions, however the states came about."""
    desired: dict[str, lc.Wanted] = {}
    world = _World()
    for event in events:
        verb, _, name = event.partition(" ")
        if verb == "want":
            desired[name] = lc.Wanted(name, f"run {name}", 1)
        elif verb == "drop":
            desired.pop(name, None)
        elif verb == "change" and name in desired:
            desired[name] = lc.Wanted(name, "another", 1)
        elif verb == "die":
            world.die(name)
        world.now += 0.5
        world.carry_out(lc.decide(desired, world.lives, world.planned, world.now), desired)
    for _ in range(200):
        world.now += 1.0
        world.carry_out(lc.decide(desired, world.lives, world.planned, world.now), desired)
    given_up = {name for name, life in world.lives.items() if life.phase is lc.Phase.DONE}

    assert set(world.lives) == set(desired)
    assert {name for name, life in world.lives.items() if life.phase is lc.Phase.RUNNING} == set(desired) - given_up
    assert world.planned == lc.mix_identity(desired, tuple(name for name in desired if name not in given_up))


class _World:
    """Carries the actions out at once; a program that is told to stop ends by the next action."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lives: dict[str, lc.Life] = {}
        self.planned: lc.Planned = ()

    def carry_out(self, actions: tuple[lc.Action, ...], desired: dict[str, lc.Wanted]) -> None:
        for action in actions:
            match action:
                case lc.MakeSlot(name):
                    assert name not in self.lives
                    self.lives[name] = lc.Life(desired[name].launch)
                case lc.RemoveSlot(name):
                    assert self.lives[name].phase not in (lc.Phase.RUNNING, lc.Phase.STOPPING)
                    del self.lives[name]
                case lc.Start(name):
                    self.lives[name] = lc.started(self.lives[name], self.now)
                case lc.Stop(name):
                    stopping = lc.stopping(self.lives[name], self.now)
                    self.lives[name] = lc.ended(stopping, lc.Restart.ON_FAILURE, -15, self.now)
                case lc.MakePlan(names):
                    self.planned = lc.mix_identity(desired, names)

    def die(self, name: str) -> None:
        life = self.lives.get(name)
        if life and life.phase is lc.Phase.RUNNING:
            self.lives[name] = lc.ended(life, lc.Restart.ON_FAILURE, 1, self.now)
