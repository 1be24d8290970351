"""Which hardware queues may go on: more busy queues than slots take turns, and a mask call stops them all. Pure.

The rules are those of the emulated chip (native/emulator/chip_slots.cpp), written a second time: a queue is busy while
it has unfinished packets, a busy queue keeps its slot until its packets are done or the quantum is over, and after a
quantum the slots go to those that come next in turn.
"""

import math
from collections.abc import Iterable

NEVER = math.inf


class Gate:
    """The slots of one chip. Queues are numbered from 0 over all workers."""

    def __init__(self, queues: int, slots: int, quantum_micros: float) -> None:
        self._queues, self._slots, self._quantum = queues, slots, quantum_micros
        self._busy: set[int] = set()
        self._resident: set[int] = set()
        self._next_turn = 0
        self._frozen = False
        self.rotation = NEVER
        """When the quantum is over; `NEVER` while all busy queues have a slot."""
        self.thaw = NEVER
        """When the chip goes on after a mask call; `NEVER` while nothing stops it."""

    def may_run(self, queue: int) -> bool:
        """Whether the queue has a slot now."""
        return queue in self._resident

    def busy(self, queues: Iterable[int], now: float) -> None:
        """Packets arrived on these queues."""
        self._busy.update(queues)
        self._reside(now)

    def idle(self, queue: int, now: float) -> None:
        """The queue's last packet is done."""
        self._busy.discard(queue)
        self._reside(now)

    def stop(self, now: float, micros: float) -> None:
        """A mask call: no queue goes on for this long."""
        if micros <= 0:
            return
        self.thaw = now + micros if self.thaw == NEVER else max(self.thaw, now + micros)
        self._frozen = True
        self._reside(now)

    def turn(self, now: float) -> None:
        """A quantum or a stop is over."""
        if self.thaw <= now:
            self.thaw, self._frozen = NEVER, False
        if self.rotation <= now:
            self.rotation = NEVER
            self._resident.clear()
        self._reside(now)

    def _reside(self, now: float) -> None:
        free = 0 if self._frozen else self._slots
        kept = sorted(self._resident & self._busy)[:free]
        self._resident = set(kept)
        first = self._next_turn
        for queue in ((first + offset) % self._queues for offset in range(self._queues)):
            if len(self._resident) >= free:
                break
            if queue in self._busy and queue not in self._resident:
                self._resident.add(queue)
                self._next_turn = queue + 1
        if len(self._busy) <= self._slots:
            self.rotation = NEVER
        elif self.rotation == NEVER:
            self.rotation = now + self._quantum
