"""Makes plans in a process of its own, so that the event loop never waits for one."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from eclip_operator import metrics, questions
from eclip_operator.questions import Answer, Outcome, Question, Refusal

log = logging.getLogger(__name__)
TIME_LIMIT_S = 5.0
"""For a plan with all its variants; the best one until then counts."""

Done = Callable[[Question, Outcome], None]


class Solver:
    """Questions go in, answers come back through `done`. Each is worked on once, however often it is asked."""

    def __init__(self, done: Done, processes: int = 1) -> None:
        self._done = done
        self._processes = processes
        self._pool = self._fresh()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> int:
        """Questions that are not answered yet."""
        return len(self._tasks)

    def ask(self, question: Question, texts: Mapping[str, str]) -> None:
        """Have a question answered; `texts` as `solving.answer` takes them."""
        key = questions.key(question)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._work(key, question, dict(texts)))

    def keep(self, wanted: set[str]) -> None:
        """Give up the questions whose answers nobody waits for any more."""
        for key, task in list(self._tasks.items()):
            if key not in wanted:
                task.cancel()
                del self._tasks[key]

    def close(self) -> None:
        """End the processes, at once."""
        self.keep(set())
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self, key: str, question: Question, texts: Mapping[str, str]) -> None:
        started = time.monotonic()
        outcome = await self._solved(question, texts)
        metrics.solve_seconds.observe(time.monotonic() - started)
        _count(question, outcome)
        if self._tasks.get(key) is asyncio.current_task():
            del self._tasks[key]
        self._done(question, outcome)

    async def _solved(self, question: Question, texts: Mapping[str, str]) -> Outcome:
        for _ in range(2):
            pool = self._pool
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(pool, _answer, question, texts)
            except BrokenProcessPool:
                log.exception("the solver's process has died")
                if self._pool is pool:
                    self._pool = self._fresh()
            except Exception:
                log.exception("a mix cannot be planned")
                break
        return Refusal("Invalid", "the planner failed on this mix; the operator's log says how")

    def _fresh(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_load)
        # The first question finds the planner loaded.
        pool.submit(_load)
        return pool


def _load() -> None:
    """In the solver's process: the planner, which the operator itself never needs in its memory."""
    from eclip_operator import solving  # noqa: F401, PLC0415


def _answer(question: Question, texts: Mapping[str, str]) -> Outcome:
    from eclip_operator import solving  # noqa: PLC0415

    return solving.answer(question, texts, TIME_LIMIT_S)


def _count(question: Question, outcome: Outcome) -> None:
    strategy = str(dict(getattr(question, "options", ())).get("strategy", "profile"))
    result = "planned" if isinstance(outcome, Answer) else outcome.reason
    metrics.plans.labels(strategy, result).inc()
    if isinstance(outcome, Answer) and outcome.plan:
        metrics.plan_gap_ratio.observe(outcome.plan.gap)
