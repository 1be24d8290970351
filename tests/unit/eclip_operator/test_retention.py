"""When lookup tables are deleted."""

from hypothesis import given
from hypothesis import strategies as st

from eclip_operator.retention import Retention


def test_a_table_is_due_ten_minutes_after_nobody_names_it_any_more():
    seen = Retention({}).look({"a", "b"}, {"b"}, now=100.0)

    assert seen.due(699.0) == ()
    assert seen.due(700.0) == ("a",)


def test_a_table_that_is_named_again_starts_anew():
    seen = Retention({}).look({"a"}, set(), now=0.0).look({"a"}, {"a"}, now=300.0).look({"a"}, set(), now=590.0)

    assert seen.due(700.0) == ()
    assert seen.due(1190.0) == ("a",)


@given(
    st.lists(st.tuples(st.sets(st.sampled_from("abc")), st.sets(st.sampled_from("abc")), st.floats(0, 500)), max_size=9)
)
def test_what_is_due_was_there_and_unnamed_for_the_whole_time(looks):
    seen, now, since = Retention({}), 0.0, {}
    for present, named, pause in looks:
        now += pause
        seen = seen.look(present, named, now)
        since = {name: since.get(name, now) for name in present - named}
        assert set(seen.due(now)) == {name for name, start in since.items() if now - start >= 600}


def test_tables_of_any_spec_are_wanted_and_others_are_not(stage, make_policy, make_profile, make_workload):
    stage.put(make_profile("alex"), make_policy("p", make_workload("a", ("alex",))))
    stage.node("n", "aa")
    stage.pod("a-1", "n", "aa")
    table = stage.settle().slots("n")["a-1"]["table"]
    assert stage.mind.wanted_tables() == {table}

    stage.remove("ColocationPolicy", "p", "team")
    stage.settle()

    assert stage.mind.wanted_tables() == set()
