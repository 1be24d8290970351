"""From what the colocation file wants and what is there: what to do next. Pure; level-triggered, so that a missed event
costs nothing. The supervisor carries the actions out and asks again.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
HEALTHY_S = 60.0
"""A program that ran this long starts again with a clean record."""
MOST_FAILURES = 5
"""Failures in a row, each before HEALTHY_S, after which a program is given up (as systemd does)."""
GRACE_S = 10.0
"""Time between SIGTERM and SIGKILL."""


class Restart(StrEnum):
    """When a program that ended is started again."""

    ON_FAILURE = "OnFailure"
    NEVER = "Never"
    ALWAYS = "Always"


class Phase(StrEnum):
    """Where a workload is in its life."""

    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"
    WAITING = "waiting"
    DONE = "done"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workload of the colocation file."""

    name: str
    launch: Hashable | None
    """Whatever identifies how the program is started; a change restarts it. None: somebody else starts it."""
    planning: Hashable
    """Whatever a plan depends on; a change makes a new plan and restarts nothing."""
    restart: Restart = Restart.ON_FAILURE


@dataclass(frozen=True, slots=True)
class Life:
    """A workload as it is. Times in seconds of one monotonic clock."""

    launch: Hashable | None
    phase: Phase = Phase.NEW
    since: float = 0.0
    """When the phase began."""
    retry_at: float = 0.0
    failures: int = 0
    """In a row."""
    starts: int = 0
    exit_code: int | None = None
    """Of the last run; negative: the signal that ended it."""

    @property
    def on_the_gpu(self) -> bool:
        """True while it takes part in the mix; a program that waits for its restart keeps its place."""
        return self.phase is not Phase.DONE


@dataclass(frozen=True, slots=True)
class MakeSlot:
    """A slot folder is needed."""

    name: str


@dataclass(frozen=True, slots=True)
class RemoveSlot:
    """The slot is no longer needed; nothing runs in it."""

    name: str


@dataclass(frozen=True, slots=True)
class MakePlan:
    """The mix changed. May take its time; new programs wait for it, so that their first launch finds a table."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Start the program."""

    name: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the program, by force after the grace period."""

    name: str
    force: bool = False


Action = MakeSlot | RemoveSlot | MakePlan | Start | Stop
Planned = tuple[tuple[str, Hashable], ...]
"""Names and planning identities of the mix that the tables in force are for."""


def decide(wanted: Mapping[str, Wanted], lives: Mapping[str, Life], planned: Planned, now: float) -> tuple[Action, ...]:
    """Everything that can be done now. Empty: nothing to do until something ends or time passes."""
    leaving = {name: life for name, life in lives.items() if _leaves(wanted.get(name), life)}
    actions: list[Action] = []
    for name, life in leaving.items():
        actions += _take_away(name, life, now)
    actions += [MakeSlot(name) for name in wanted if name not in lives]
    staying = {name: lives[name] for name in wanted if name in lives and name not in leaving}
    mix = tuple(name for name, life in staying.items() if life.on_the_gpu)
    in_force = mix_identity(wanted, mix) == planned
    if len(staying) == len(wanted) and not in_force:
        actions.append(MakePlan(mix))
    return (*actions, *(Start(name) for name, life in staying.items() if _due(life, now, in_force)))


def mix_identity(wanted: Mapping[str, Wanted], mix: Sequence[str]) -> Planned:
    """What tells one mix from another, as far as plans go."""
    return tuple((name, wanted[name].planning) for name in mix)


def started(life: Life, now: float) -> Life:
    """The program runs."""
    return replace(life, phase=Phase.RUNNING, since=now, starts=life.starts + 1, exit_code=None)


def stopping(life: Life, now: float) -> Life:
    """The program was asked to end."""
    return replace(life, phase=Phase.STOPPING, since=now)


def ended(life: Life, restart: Restart, exit_code: int, now: float) -> Life:
    """The program ended by itself (or was ended): wait for the next start, or done."""
    failed = exit_code != 0
    failures = (0 if now - life.since >= HEALTHY_S else life.failures) + 1 if failed else 0
    again = restart is Restart.ALWAYS or (restart is Restart.ON_FAILURE and failed)
    if life.phase is Phase.STOPPING or not again or failures >= MOST_FAILURES:
        return replace(life, phase=Phase.DONE, since=now, exit_code=exit_code, failures=failures)
    delay = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2 ** max(0, failures - 1))
    return replace(life, phase=Phase.WAITING, since=now, retry_at=now + delay, exit_code=exit_code, failures=failures)


def finished(lives: Mapping[str, Life]) -> bool:
    """True when no workload will ever launch a kernel again."""
    return all(life.phase is Phase.DONE for life in lives.values())


def _leaves(wanted: Wanted | None, life: Life) -> bool:
    return wanted is None or wanted.launch != life.launch


def _take_away(name: str, life: Life, now: float) -> list[Action]:
    if life.phase is Phase.RUNNING:
        return [Stop(name)]
    if life.phase is Phase.STOPPING:
        return [Stop(name, force=True)] if now - life.since >= GRACE_S else []
    return [RemoveSlot(name)]


def _due(life: Life, now: float, planned: bool) -> bool:
    return (life.phase is Phase.NEW and planned) or (life.phase is Phase.WAITING and now >= life.retry_at)
