"""Plans are made in processes of their own: the loop goes on meanwhile."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from running import running

from eclip_operator import questions, reading
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


def solving(done, processes=1):
    """A solver at work."""
    return running(Solver(done, processes))


async def settled(one):
    """Until nothing waits; how often the loop turned meanwhile."""
    turns = 0
    async with asyncio.timeout(WITHIN_S):
        while one.waiting:
            turns += 1
            await asyncio.sleep(0.002)
    return turns


def children():
    """Processes that this one has started."""
    return {
        pid
        for path in Path("/proc/self/task").glob("*/children")
        for pid in path.read_text().split()
        if "eclip_operator.planner" in Path(f"/proc/{pid}/cmdline").read_text()
    }


def ask(*asked, twice=False):
    """The answers, in the order of asking, and how often the loop turned meanwhile."""

    async def play():
        answers = {}
        async with solving(lambda asked, outcome: answers.setdefault(asked, []).append(outcome)) as one:
            for what, known in asked:
                one.ask(what, known)
                if twice:
                    one.ask(what, known)
            turns = await settled(one)
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


def test_a_process_that_dies_is_replaced_and_its_question_answered(chip, texts):
    async def play():
        answers = []
        async with solving(lambda _, outcome: answers.append(outcome)) as one:
            one.ask(question(chip, texts), texts)
            async with asyncio.timeout(WITHIN_S):
                while not children():
                    await asyncio.sleep(0.01)
            for pid in children():
                os.kill(int(pid), signal.SIGKILL)
            await settled(one)
        return answers

    assert [type(one) for one in asyncio.run(play())] == [Answer]


def test_no_process_is_left_behind(chip, texts):
    ask((question(chip, texts), texts))

    assert children() == set()


def test_urgent_questions_come_first(chip, texts):
    async def play():
        answers = []
        one = Solver(lambda asked, _: answers.append(asked), 1)
        for latency in (None, 1e9, 2e9):
            one.ask(question(chip, texts, latency), texts, urgent=latency == 2e9)
        # Known as urgent only later.
        one.ask(question(chip, texts, 1e9), texts, urgent=True)
        async with running(one):
            await settled(one)
        return [asked.seats[0].latency_micros for asked in answers]

    assert asyncio.run(play()) == [1e9, 2e9, None]


def test_questions_that_nobody_poses_any_more_are_given_up(chip, texts):
    async def play():
        answers = []
        one = Solver(lambda asked, _: answers.append(asked), 1)
        one.ask(question(chip, texts), texts)
        one.ask(question(chip, texts, 1e9), texts)
        one.keep({questions.key(question(chip, texts, 1e9))})
        async with running(one):
            await settled(one)
        return [asked.seats[0].latency_micros for asked in answers]

    assert asyncio.run(play()) == [1e9]
