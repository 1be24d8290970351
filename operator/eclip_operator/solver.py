"""Makes plans in processes of their own, so that the event loop never waits for one."""

import asyncio
import logging
import os
import pickle
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from eclip_operator import metrics, planner, questions
from eclip_operator.questions import Answer, Outcome, Question, Refusal

log = logging.getLogger(__name__)
TIME_LIMIT_S = 5.0
"""For a plan with all its variants; the best one until then counts."""
STUCK_S = 120.0
"""A planner that has been at one question for so long is ended: its limit is kept to between steps only."""
TRIES = 2
MOST_PROCESSES = 2
"""Each takes some 60 MB."""

Done = Callable[[Question, Outcome], None]


@dataclass(slots=True)
class _Waiting:
    question: Question
    texts: Mapping[str, str]
    urgent: bool = False
    started: bool = False


class Solver:
    """Questions go in, answers come back through `done`. Each is worked on once, however often it is asked."""

    def __init__(self, done: Done, processes: int | None = None) -> None:
        self._done = done
        self._processes = processes or min(MOST_PROCESSES, len(os.sched_getaffinity(0)))
        self._waiting: dict[str, _Waiting] = {}
        self._news = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Questions that are not answered yet."""
        return len(self._waiting)

    def ask(self, question: Question, texts: Mapping[str, str], *, urgent: bool = False) -> None:
        """Have a question answered.

        Args:
            texts: as `solving.answer` takes them.
            urgent: somebody has no plan at all until then; such questions are worked on first.
        """
        one = self._waiting.setdefault(questions.key(question), _Waiting(question, texts))
        one.urgent |= urgent
        self._news.set()

    def keep(self, wanted: set[str]) -> None:
        """Give up the questions whose answers nobody waits for any more."""
        self._waiting = {key: one for key, one in self._waiting.items() if key in wanted}

    async def run(self) -> None:
        """Works until it is cancelled; its processes end then."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._processes):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        """One process, and the questions for it."""
        process = await _start()
        try:
            while True:
                key, one = await self._next()
                started, outcome, tries = time.monotonic(), None, 0
                while outcome is None and tries < TRIES:
                    outcome, tries = await _ask(process, one), tries + 1
                    if outcome is None:
                        await _end(process)
                        process = await _start()
                metrics.solve_seconds.observe(time.monotonic() - started)
                self._settle(key, one, outcome)
        finally:
            await asyncio.shield(_end(process))

    async def _next(self) -> tuple[str, _Waiting]:
        while True:
            idle = [
                (not one.urgent, number, key)
                for number, (key, one) in enumerate(self._waiting.items())
                if not one.started
            ]
            if idle:
                *_, key = min(idle)
                self._waiting[key].started = True
                return key, self._waiting[key]
            self._news.clear()
            await self._news.wait()

    def _settle(self, key: str, one: _Waiting, outcome: Outcome | None) -> None:
        if self._waiting.get(key) is one:
            del self._waiting[key]
        outcome = outcome or Refusal("Invalid", "the planner failed on this mix; the operator's log says how")
        _count(one.question, outcome)
        self._done(one.question, outcome)


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", planner.__name__, stdin=PIPE, stdout=PIPE)


async def _ask(process: Process, one: _Waiting) -> Outcome | None:
    """The answer; None if the process has failed, and is of no use any more."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STUCK_S):
            process.stdin.write(planner.framed((one.question, one.texts, TIME_LIMIT_S)))
            await process.stdin.drain()
            (length,) = planner.LENGTH.unpack(await process.stdout.readexactly(planner.LENGTH.size))
            outcome: Outcome = pickle.loads(await process.stdout.readexactly(length))
            return outcome
    except TimeoutError:
        log.error("the planner has been at one mix for %g s; it is ended", STUCK_S)
    except (OSError, asyncio.IncompleteReadError):
        log.error("the planner's process has died")
    return None


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _count(question: Question, outcome: Outcome) -> None:
    strategy = str(dict(getattr(question, "options", ())).get("strategy", "profile"))
    result = "planned" if isinstance(outcome, Answer) else outcome.reason
    metrics.plans.labels(strategy, result).inc()
    if isinstance(outcome, Answer) and outcome.plan:
        metrics.plan_gap_ratio.observe(outcome.plan.gap)
