"""The event loop: kernels start and finish in virtual time, and between two events all speeds are constant. Pure.

Every worker runs its kernels in order, one at a time, as the interposer's barriers make them (`contention.predict`). An
event is the end of a worker's waiting (an arrival, barriers, the front end) or of its kernel; `due` holds the moment of
each worker's next one. When the set of running kernels changes, only kernels whose speed changed get a new moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from eclip.contention import Chip
from eclip.errors import InputError
from eclip.simulate.gate import NEVER, Gate
from eclip.simulate.seats import Worker, seat
from eclip.simulate.sharing import Sharing


@dataclass(slots=True)
class Played:
    """What happened. Times in GPU microseconds, lists by worker."""

    arrivals: list[list[float]]
    """Of every finished request."""
    ends: list[list[float]]
    begin: float = 0.0
    """When every worker had finished its first request: what came before is not looked at."""
    end: float = 0.0
    microjoules: float = 0.0
    """From `begin` to `end`, idle power included."""
    busy_cu_micros: float = 0.0
    events: int = 0
    sets: int = 0
    """Different sets of kernels that ran together."""


def play(chip: Chip, workers: Sequence[Worker], requests: int, seed: int, *, interference: float = 0.0) -> Played:
    """Plays until every worker has finished `requests` requests after all have finished one; all go on until then.

    `interference`: see `Sharing`.

    Raises:
        InputError: no worker, no request, or a worker without kernels.
    """
    if not workers or requests < 1 or not all(worker.loop.steps for worker in workers):
        raise InputError(f"a simulation needs a worker, kernels for each, and one request or more, not {requests}")
    return _Player(Sharing(chip, interference), chip, workers, requests, seed).run()


class _Player:
    def __init__(self, sharing: Sharing, chip: Chip, workers: Sequence[Worker], requests: int, seed: int) -> None:
        self.wanted, count = requests, len(workers)
        self.sharing = sharing
        *before, queues = accumulate((len(worker.streams) for worker in workers), initial=0)
        dispatch = chip.launch_micros + chip.stream_micros * (queues - count)
        self.seats = [
            seat(worker, first, dispatch, self.sharing, Random(f"{seed}/{index}"))
            for index, (worker, first) in enumerate(zip(workers, before, strict=True))
        ]
        calls = any(any(one.masks) for one in self.seats)
        crowded = queues > chip.queue_slots
        self.gate = Gate(queues, chip.queue_slots, chip.quantum_micros) if calls or crowded else None
        self.due = [0.0] * count + [NEVER, NEVER]
        """By worker; then the end of the quantum, and that of a mask call."""
        self.running = [0] * count
        self.speeds = [0.0] * count
        self.played = Played([[] for _ in workers], [[] for _ in workers])
        self.cold = self.open = count
        self.counted = [0] * count
        for index, one in enumerate(self.seats):
            self._send(index, one.first)

    def run(self) -> Played:
        """Until everybody is done."""
        count, due, running, speeds, played = len(self.seats), self.due, self.running, self.speeds, self.played
        shared = self.sharing(running)
        now = 0.0
        while self.open:
            at = min(due)
            who = due.index(at)
            played.microjoules += shared.watts * (at - now)
            played.busy_cu_micros += shared.busy_cus * (at - now)
            now = at
            if who >= count:
                self._turn(now)
            elif running[who]:
                self._finish(who, now)
            else:
                self._start(who, now)
            shared = self.sharing(running)
            for index, speed in enumerate(shared.speeds):
                old = speeds[index]
                if speed != old and running[index]:
                    due[index] = now + (due[index] - now) * old / speed
                    speeds[index] = speed
            played.events += 1
        played.end, played.sets = now, self.sharing.solved
        return played

    def _send(self, who: int, now: float) -> None:
        """The next request, when the last one is done."""
        one = self.seats[who]
        one.step = 0
        one.arrival = now if one.times is None else next(one.times)
        self.due[who] = max(now, one.arrival) + one.gap + one.waits[0]

    def _start(self, who: int, now: float) -> None:
        """The step's packet is at the head of its queue."""
        one = self.seats[who]
        step = one.step
        if self.gate is not None and not self._admitted(self.gate, who, now):
            return
        self.running[who] = one.loads[step]
        self.speeds[who] = 1.0
        self.due[who] = now + one.micros[step]

    def _finish(self, who: int, now: float) -> None:
        one = self.seats[who]
        step = one.step
        self.running[who] = 0
        one.step = step + 1
        if self.gate is not None:
            one.masked = False
            if one.leaves[step]:
                self.gate.idle(one.queues[step], now)
                self._move(self.gate, now)
        if step + 1 < len(one.waits):
            self.due[who] = now + one.waits[step + 1]
        else:
            self._done(who, now)

    def _done(self, who: int, now: float) -> None:
        """A request is."""
        one, played = self.seats[who], self.played
        one.entered = False
        played.arrivals[who].append(one.arrival)
        played.ends[who].append(now)
        if not self.cold:
            self.counted[who] += 1
            self.open -= self.counted[who] == self.wanted
        elif len(played.ends[who]) == 1:
            self.cold -= 1
            if not self.cold:
                played.begin, played.microjoules, played.busy_cu_micros = now, 0.0, 0.0
        self._send(who, now)

    def _admitted(self, gate: Gate, who: int, now: float) -> bool:
        """Whether the step may begin; if not, it is seen to that it will."""
        one = self.seats[who]
        if not one.entered:
            one.entered = True
            gate.busy(one.queues, now)
        call = 0.0 if one.masked else one.masks[one.step]
        if call:
            one.masked = True
            gate.stop(now, call)
            self.due[who] = now + call
        elif not gate.may_run(one.queues[one.step]):
            one.parked = one.micros[one.step]
            self.due[who] = NEVER
        self._move(gate, now)
        return not call and one.parked is None

    def _turn(self, now: float) -> None:
        assert self.gate is not None
        self.gate.turn(now)
        self._move(self.gate, now)

    def _move(self, gate: Gate, now: float) -> None:
        """Kernels of queues that lost their slot stop where they are, those of queues that gained one go on."""
        for index, one in enumerate(self.seats):
            resident = gate.may_run(one.queues[min(one.step, len(one.queues) - 1)])
            if self.running[index] and not resident:
                one.parked = (self.due[index] - now) * self.speeds[index]
                self.running[index], self.due[index] = 0, NEVER
            elif one.parked is not None and resident:
                self.running[index], self.speeds[index] = one.loads[one.step], 1.0
                self.due[index] = now + one.parked
                one.parked = None
        self.due[-2:] = gate.rotation, gate.thaw
