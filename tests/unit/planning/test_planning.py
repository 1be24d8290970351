"""From profiles to plans: sizes, streams, variants, classes, and what is refused."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from eclip import planning
from eclip.documents.profile import KernelCall, KernelProfile
from eclip.errors import InfeasibleError, InputError
from eclip.gpu import budgets, masks, products
from eclip.planning import Options, Workload, streams
from eclip.slot import records

GPU = products.gpu_for("MI50")
PRODUCT = products.product("MI50")
FLAT = (210.0, 204.0, 201.0, 200.0)
STEEP = (800.0, 400.0, 267.0, 200.0)


def profile(*kernels: tuple[float, ...], sizes: tuple[int, ...] = (15, 30, 45, 60), **fixed: Any) -> KernelProfile:
    calls = tuple(KernelCall(f"k{index}", (240, 1, 1), (256, 1, 1), micros) for index, micros in enumerate(kernels))
    return KernelProfile(**{"name": "p", "product": "MI50", "compute_units": 60, "origin": "Modelled",
                            "sizes": sizes, "kernels": calls, **fixed})  # fmt: skip


PHASES = profile(*[FLAT] * 4, *[STEEP] * 4)
REVERSED = profile(*[STEEP] * 4, *[FLAT] * 4)


def plan(*workers: Workload, **options: Any) -> Any:
    return planning.make_plan(GPU, PRODUCT, workers, Options(**options))


def pair(**first: Any) -> tuple[Workload, Workload]:
    return Workload("a", PHASES, **first), Workload("b", REVERSED)


def test_groups_cover_all_kernels_and_streams_have_their_sizes() -> None:
    for worker in plan(*pair()).full.workers:
        firsts = [group.first for group in worker.groups]
        lasts = [group.last for group in worker.groups]

        assert firsts == [0, *(last + 1 for last in lasts[:-1])]
        assert lasts[-1] == 7
        assert {group.compute_units for group in worker.groups} - {60} == {s.compute_units for s in worker.streams}
        assert all(stream.cu_set.bit_count() == stream.compute_units for stream in worker.streams)
        assert worker.switches == len(worker.groups) - 1 <= 14


def test_with_both_costs_zero_and_the_absolute_basis_the_objective_is_the_papers() -> None:
    full = plan(*pair(), hop_micros=0.0, stream_micros=0.0, basis="absolute").full

    assert full.objective == pytest.approx(sum(worker.objective_micros for worker in full.workers), rel=1e-12)
    assert full.gap <= 1e-9


def test_the_prediction_is_not_the_formula() -> None:
    """Whole GPU twice: alpha says twice the time; kernels that use few CUs hardly disturb each other."""
    worker = plan(*pair(), strategy="whole-gpu").full.workers[0]

    assert worker.objective_micros == pytest.approx(2 * worker.solo_micros)
    assert worker.solo_micros <= worker.predicted_micros < worker.objective_micros


def test_every_set_of_up_to_four_workers_has_a_plan_and_alone_means_the_whole_gpu() -> None:
    made = plan(*(Workload(name, PHASES) for name in "abc"))

    assert set(made.variants) == {frozenset(part) for part in ("abc", "ab", "ac", "bc", "a", "b", "c")}
    for name in "abc":
        (alone,) = made.variants[frozenset(name)].workers
        assert alone.streams == ()
        assert [group.compute_units for group in alone.groups] == [60]


def test_five_workers_have_plans_for_all_for_all_but_one_and_for_each_alone() -> None:
    made = plan(*(Workload(name, profile(FLAT)) for name in "abcde"))

    assert sorted(map(len, made.variants)) == [1] * 5 + [4] * 5 + [5]


def test_equal_mixes_are_planned_once_whatever_their_names() -> None:
    first, again = plan(*pair()), plan(Workload("x", PHASES), Workload("y", REVERSED))

    assert again.full.solve_millis == first.full.solve_millis
    assert [worker.name for worker in again.full.workers] == ["x", "y"]
    assert again.full.workers[0].groups == first.full.workers[0].groups


def test_a_limit_bounds_the_size_of_every_kernel_even_alone() -> None:
    made = plan(*pair(limits=(30, 45)))

    for active in (frozenset("ab"), frozenset("a")):
        worker = next(worker for worker in made.variants[active].workers if worker.name == "a")
        assert {group.compute_units for group in worker.groups} <= {30, 45}


def test_a_stream_budget_bounds_the_masked_streams_of_the_mix() -> None:
    full = plan(*pair(), max_streams=1).full

    assert sum(len(worker.streams) for worker in full.workers) <= 1


def test_a_workload_may_have_its_own_switch_budget() -> None:
    a, b = plan(Workload("a", PHASES, max_switches=0), Workload("b", REVERSED), max_switches=3).full.workers

    assert a.switches == 0
    assert 0 < b.switches <= 3


def test_a_latency_objective_holds_by_the_formula_and_is_paid_by_the_mate() -> None:
    free = plan(*pair(), hop_micros=0.0).full
    held = plan(*pair(latency_micros=1650.0), hop_micros=0.0).full

    assert free.workers[0].objective_micros > 1650.0
    assert held.workers[0].objective_micros <= 1650.0 * (1 + 1e-9)
    assert held.workers[1].objective_micros > free.workers[1].objective_micros


@pytest.mark.parametrize(("workers", "expected"), [(2, {15, 30, 45, 60}), (3, {30, 45, 60})])
def test_paper_sizes_depend_on_the_number_of_workers(workers: int, expected: set[int]) -> None:
    full = plan(*(Workload(name, PHASES) for name in "abc"[:workers]), sizes="paper").full

    assert {group.compute_units for worker in full.workers for group in worker.groups} <= expected


def test_a_list_of_sizes_is_all_that_workers_may_use() -> None:
    full = plan(*pair(), sizes=(30, 60)).full

    assert {group.compute_units for worker in full.workers for group in worker.groups} <= {30, 60}


def test_a_best_effort_worker_takes_what_leaves_the_realtime_objective_feasible() -> None:
    """Beside an objective that needs 45 CUs it gets 15; without one it still yields to the realtime worker."""
    steep = profile(*[STEEP] * 4)
    realtime = Workload("a", steep, latency_micros=1080.0)
    a, b = plan(realtime, Workload("b", steep, best_effort=True)).full.workers

    assert a.average_compute_units >= 45
    assert b.average_compute_units == 15
    assert a.objective_micros <= 1080.0

    fair = plan(Workload("a", steep), Workload("b", steep)).full.workers
    yielding = plan(Workload("a", steep), Workload("b", steep, best_effort=True)).full.workers
    assert yielding[0].objective_micros < fair[0].objective_micros


def test_a_best_effort_worker_alone_has_the_whole_gpu() -> None:
    made = plan(Workload("a", PHASES), Workload("b", PHASES, best_effort=True))

    assert [group.compute_units for group in made.variants[frozenset("b")].workers[0].groups] == [60]


def test_a_best_effort_worker_that_leaves_no_plan_is_infeasible() -> None:
    steep = profile(*[STEEP] * 4)
    with pytest.raises(InfeasibleError, match="worker a: latency objective 801"):
        plan(Workload("a", steep, latency_micros=801.0), Workload("b", steep, best_effort=True))


def test_streams_of_a_part_of_the_mix_are_those_that_exist_where_they_share_no_more() -> None:
    made = plan(*(Workload(name, PHASES) for name in "abc"), strategy="static-split", sizes=(15, 60))
    full = {worker.name: worker.streams for worker in made.full.workers}

    assert all(worker.streams == full[worker.name] for worker in made.variants[frozenset("ab")].workers)


@pytest.mark.parametrize(
    ("workers", "options", "message"),
    [
        ((), {}, "at least one worker"),
        ((Workload("a", PHASES), Workload("a", PHASES)), {}, "two workers are called 'a'"),
        ((Workload("a", PHASES),), {"strategy": "magic"}, "strategy 'magic' is not known.*kernel-groups"),
        ((Workload("a", PHASES),), {"solver": "gurobi"}, "solver 'gurobi'"),
        ((Workload("a", PHASES),), {"objective": "joy"}, "objective 'joy'"),
        ((Workload("a", PHASES),), {"max_streams": -2}, "stream budget -2 must not be negative"),
        ((Workload("a", PHASES),), {"sizes": (20, 60)}, "size 20 is not in profile p"),
        ((Workload("a", PHASES),), {"objective": "latency"}, "latency objective for at least one worker"),
        (tuple(Workload(n, PHASES) for n in "abcd"), {"sizes": "paper"}, "2 and 3 workers, not 4"),
        ((Workload("a", profile((2.0, 1.0), sizes=(60, 120), compute_units=120, product="MI100")),), {}, "120 CUs"),
        (
            (Workload("a", profile((2.0, 1.0), sizes=(20, 60))), Workload("b", profile((2.0, 1.0), sizes=(20, 60)))),
            {"strategy": "static-split"},
            "20",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(workers: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(*workers, **options)


@pytest.mark.parametrize(
    ("worker", "options", "message"),
    [
        (Workload("a", PHASES, limits=(16, 29)), {}, "worker a: no size lies within its limit 16:29.* 1 CUs off"),
        (Workload("a", PHASES, latency_micros=100.0), {}, "worker a: latency objective 100.0 us is impossible"),
        (Workload("a", PHASES), {"strategy": "static-split", "max_streams": 1}, "at least 2 masked streams"),
    ],
)
def test_what_cannot_hold_is_infeasible_with_the_users_names(worker: Any, options: Any, message: str) -> None:
    with pytest.raises(InfeasibleError, match=message):
        plan(worker, Workload("b", PHASES), **options)


def test_both_solvers_can_be_asked_for() -> None:
    small = (Workload("a", profile(FLAT, STEEP)), Workload("b", profile(STEEP, FLAT)))

    assert plan(*small, solver="pulp").full.objective == pytest.approx(plan(*small).full.objective, rel=1e-6)


def test_a_time_limit_ends_the_search_with_a_valid_gap() -> None:
    full = plan(*pair(), time_limit_s=0.0).full

    assert full.lower_bound <= plan(*pair()).full.objective * (1 + 1e-12)


@pytest.mark.parametrize("name", sorted(products.PRODUCTS))
def test_every_product_gets_plans_of_masks_that_it_can_make(name: str) -> None:
    """For one to four workers: all sets of four have plans."""
    gpu, product = products.gpu_for(name), products.product(name)
    total = gpu.compute_units
    sizes = product.default_sizes(gpu)
    phases = [[1000.0 * total / size for size in sizes], [1000.0 + total - size for size in sizes]] * 3
    kernels = profile(*map(tuple, phases), sizes=sizes, product=name, compute_units=total)
    made = planning.make_plan(gpu, product, [Workload(f"w{index}", kernels) for index in range(4)], Options())

    assert {len(active) for active in made.variants} == {1, 2, 3, 4}
    for variant in made.variants.values():
        for worker in variant.workers:
            for stream in worker.streams:
                masks.check(stream.cu_set, gpu)
            for small, large in itertools.pairwise(worker.streams):
                assert small.cu_set & ~large.cu_set == 0


def test_sizes_that_cannot_be_nested_give_way_to_the_best_that_can() -> None:
    """MI250X: 26 CUs are two engines of 13, 28 are two of 14, and neither holds the other."""
    gpu, product = products.gpu_for("MI250X"), products.product("MI250X")
    at_26, at_28 = (300.0, 900.0, 290.0), (900.0, 300.0, 290.0)
    kernels = profile(*[at_26, at_28] * 4, sizes=(26, 28, 110), product="MI250X", compute_units=110)
    workers = [Workload(f"w{index}", kernels) for index in range(4)]
    full = planning.make_plan(gpu, product, workers, Options(hop_micros=0.0, stream_micros=0.0)).full

    for worker in full.workers:
        assert {stream.compute_units for stream in worker.streams} in ({26}, {28})
    assert 0 < full.lower_bound <= full.objective
    assert full.gap <= 1e-6


PHASED = profile((800.0, 640.0, 600.0, 590.0), (800.0, 400.0, 390.0, 380.0), (800.0, 700.0, 300.0, 290.0))


def held(made: Any, names: set[str]) -> int:
    """Masked streams that a process of these workers creates."""
    every = [worker for variant in made.variants.values() for worker in variant.workers if worker.name in names]
    return len({stream.cu_set for worker in every for stream in worker.streams})


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many masked streams a process can hold."""

    def hold(count: int) -> None:
        planning._cached.cache_clear()
        monkeypatch.setattr(streams, "PROCESS_STREAMS", count)

    return hold


@pytest.mark.parametrize("count", [6, 3])
def test_the_streams_of_one_process_fit_its_slot_over_all_variants(room: Callable[[int], None], count: int) -> None:
    """6: parts of the mix make do with streams that exist. 3: the plan for all workers takes fewer, too."""
    names = set("abcd")
    apart = tuple(Workload(name, PHASED) for name in sorted(names))
    free = plan(*apart, hop_micros=0.0, stream_micros=0.0)
    assert held(free, names) > 6

    room(count)
    together = tuple(replace(worker, process="server") for worker in apart)
    made = plan(*together, hop_micros=0.0, stream_micros=0.0)
    room(budgets.PROCESS_STREAMS)

    assert 0 < held(made, names) <= count
    assert made.full.lower_bound <= free.full.objective <= made.full.objective


def test_a_process_that_cannot_hold_its_streams_is_named(room: Callable[[int], None]) -> None:
    room(2)
    workers = tuple(Workload(name, profile(FLAT), process="server", limits=(15, 45)) for name in "abc")
    with pytest.raises(InfeasibleError, match="process server: its plans use 3 masked streams, one process holds at"):
        plan(*workers, strategy="static-split")
    room(budgets.PROCESS_STREAMS)


def test_a_slot_has_room_for_as_many_streams_as_a_plan_may_give_a_process() -> None:
    assert budgets.PROCESS_STREAMS == records.STREAMS


FRONT = 0x0333333333333333
"""Two engines of an MI50: 30 CUs."""


def test_every_stream_of_every_variant_lies_within_the_workers_ceiling() -> None:
    back = masks.whole(GPU) & ~FRONT
    made = plan(*pair(ceiling=FRONT), Workload("c", PHASES, ceiling=back), Workload("d", REVERSED))

    for variant in made.variants.values():
        for worker in variant.workers:
            inside = {"a": FRONT, "c": back}.get(worker.name, masks.whole(GPU))
            assert all(stream.cu_set & ~inside == 0 for stream in worker.streams)
            assert {group.compute_units for group in worker.groups} <= {15, 30, 45, 60}
            own = masks.within(GPU, worker.ceiling).bit_count()
            assert {group.compute_units for group in worker.groups} - {own} == {s.compute_units for s in worker.streams}
    alone = made.variants[frozenset("a")].workers[0]
    assert (alone.streams, {group.compute_units for group in alone.groups}) == ((), {30})


def test_one_ceiling_for_both_is_predicted_to_cost_more_than_two_apart() -> None:
    steep = profile(*[STEEP] * 6)
    back = masks.whole(GPU) & ~FRONT
    same = plan(Workload("a", steep, ceiling=FRONT), Workload("b", steep, ceiling=FRONT), strategy="whole-gpu").full
    apart = plan(Workload("a", steep, ceiling=FRONT), Workload("b", steep, ceiling=back), strategy="whole-gpu").full

    for worker, other in zip(same.workers, apart.workers, strict=True):
        assert other.predicted_micros == pytest.approx(6 * 400, rel=0.02)
        assert worker.predicted_micros > 1.8 * other.predicted_micros
    assert same.alpha == 1.0


def test_a_neighbour_without_a_ceiling_is_placed_beside_it() -> None:
    a, b = plan(
        Workload("a", PHASES, ceiling=FRONT, limits=(30, 60)), Workload("b", PHASES, limits=(30, 30))
    ).full.workers
    assert a.streams == ()
    assert [stream.cu_set for stream in b.streams] == [masks.whole(GPU) & ~FRONT]


@pytest.mark.parametrize("strategy", planning.STRATEGIES)
def test_every_strategy_can_be_had_under_ceilings(strategy: str) -> None:
    cut = FRONT | 0xCC  # two engines, and four CUs more, of which nobody has a profile
    full = plan(Workload("a", PHASES, ceiling=cut), Workload("b", REVERSED, ceiling=FRONT), strategy=strategy).full
    for worker, ceiling in zip(full.workers, (cut, FRONT), strict=True):
        assert all(stream.cu_set & ~FRONT == 0 for stream in worker.streams)
        assert max(group.compute_units for group in worker.groups) <= ceiling.bit_count()
    if strategy == "whole-gpu":
        assert [{group.compute_units for group in worker.groups} for worker in full.workers] == [{34}, {30}]


def test_a_ceiling_without_a_whole_engine_leaves_the_own_stream() -> None:
    row = (1 << 20) - 1  # five CUs of every engine
    for strategy in ("kernel-groups", "static-split"):
        a = plan(Workload("a", PHASES, ceiling=row), Workload("b", PHASES), strategy=strategy).full.workers[0]
        assert (a.streams, {group.compute_units for group in a.groups}) == ((), {20})


@pytest.mark.parametrize(
    ("worker", "why"),
    [
        ({"ceiling": 0x3FF}, "worker a: needs at least 15 CUs, its ceiling leaves it 10 CUs; raise the ceiling"),
        ({"ceiling": FRONT, "limits": (40, 60)}, "worker a: needs at least 45 CUs, its ceiling leaves it 30 CUs"),
    ],
)
def test_a_ceiling_that_is_too_low_is_told_with_both_numbers(worker: Any, why: str) -> None:
    with pytest.raises(InfeasibleError, match=why):
        plan(Workload("a", PHASES, **worker), Workload("b", PHASES))
