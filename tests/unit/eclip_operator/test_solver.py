"""Plans are made in a process of their own: the loop goes on meanwhile."""

import asyncio

import pytest

from eclip_operator import reading
from eclip_operator.questions import Answer, Chip, MixQuestion, ProfilingQuestion, Refusal, Seat, Worker
from eclip_operator.solver import Solver

pytestmark = pytest.mark.timeout(120)
WITHIN_S = 90
OPTIONS = (("strategy", "kernel-groups"), ("objective", "fairness"), ("basis", "normalised"), ("solver", "exact"))
SHAPE = (((16, 16), (15, 15)),)


@pytest.fixture
def chip(stage):
    """An MI50."""
    stage.node("n", "aa")
    gpu = stage.mind.reports["n"].gpus[0]
    return Chip(gpu.product, gpu.gfx, gpu.active)


@pytest.fixture
def texts(make_profile):
    """A profile, by digest."""
    one = reading.profile(make_profile("alex"))
    return {one.digest: one.text}


def question(chip, texts, latency=None):
    (digest,) = texts
    return MixQuestion(chip, (Seat("a", (Worker("alex", digest),), 1.0, latency_micros=latency),) * 2, OPTIONS)


def ask(*asked, twice=False):
    """The answers, in the order of asking, and how often the loop turned meanwhile."""

    async def play():
        answers, turns = {}, 0
        one = Solver(lambda asked, outcome: answers.setdefault(asked, []).append(outcome))
        try:
            for what, known in asked:
                one.ask(what, known)
                if twice:
                    one.ask(what, known)
            async with asyncio.timeout(WITHIN_S):
                while one.waiting:
                    turns += 1
                    await asyncio.sleep(0.002)
        finally:
            one.close()
        return [answers[what] for what, _ in asked], turns

    return asyncio.run(play())


def test_the_loop_turns_while_a_plan_is_made(chip, texts):
    ((answers,), turns) = ask((question(chip, texts), texts))

    assert isinstance(answers[0], Answer)
    assert len(answers[0].seats) == 2
    assert turns > 20


def test_a_question_that_is_asked_twice_is_answered_once(chip, texts):
    ((answers,), _) = ask((question(chip, texts), texts), twice=True)

    assert len(answers) == 1


def test_refusals_come_back_as_answers_do(chip, texts):
    ((infeasible,), _) = ask((question(chip, texts, latency=1.0), texts))
    unknown = ProfilingQuestion(Chip("MI9", "gfx906", SHAPE))
    ((invalid,), _) = ask((unknown, {}))

    assert infeasible[0].reason == "Infeasible"
    assert invalid == [Refusal("Invalid", invalid[0].message)]
    assert "MI9" in invalid[0].message


def test_a_profile_that_is_not_there_makes_a_refusal_and_no_crash(chip, texts):
    ((answers,), _) = ask((question(chip, texts), {}))

    assert answers[0].reason == "Invalid"


def test_a_process_that_dies_is_replaced(chip, texts):
    async def play():
        answers = []
        one = Solver(lambda _, outcome: answers.append(outcome))
        try:
            for _ in range(2):
                one.ask(question(chip, texts), texts)
                async with asyncio.timeout(WITHIN_S):
                    while one.waiting:
                        await asyncio.sleep(0.01)
                for process in one._pool._processes.values():
                    process.kill()
        finally:
            one.close()
        return answers

    assert [type(one) for one in asyncio.run(play())] == [Answer, Answer]


def test_questions_that_nobody_poses_any_more_are_given_up(chip, texts):
    async def play():
        answers = []
        one = Solver(lambda _, outcome: answers.append(outcome))
        try:
            one.ask(question(chip, texts), texts)
            one.keep(set())
            assert one.waiting == 0
            await asyncio.sleep(0.05)
        finally:
            one.close()
        return answers

    assert asyncio.run(play()) == []
