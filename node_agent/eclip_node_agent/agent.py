"""The agent's loop: one thread that looks, decides with the pure parts, and acts; everything slow waits elsewhere."""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from eclip.api import names
from eclip.api.node import SlotSpec
from eclip.api.node_status import NodeStatus
from eclip.node.record import Injection
from eclip.node.report import Report
from eclip.slot.activity import Activity
from eclip_node_agent import active, bypass, conditions, housekeeping, reports, slots, state, view, wishes
from eclip_node_agent import occupants as seating
from eclip_node_agent.active import Pulse, Worker
from eclip_node_agent.api_server import ApiServer
from eclip_node_agent.devices import Devices
from eclip_node_agent.kubelet import Kubelet
from eclip_node_agent.meters import Meters
from eclip_node_agent.metrics import Snapshot
from eclip_node_agent.occupants import Occupant
from eclip_node_agent.reports import Scene, Seen
from eclip_node_agent.slots import Seat, Slots
from eclip_node_agent.state import Evidence
from eclip_node_agent.store import Shelf, Store
from eclip_node_agent.watchers import Watchers
from eclip_node_agent.writing import Writing

log = logging.getLogger(__name__)
TICK_S = 0.02
"""How late a change of the active set may be noticed."""
SHARE = 4.0
"""A round that took long is followed by a rest that is so many times longer: a full node gets a slower agent, not one
that takes its processor."""
SCAN_S = 0.25
"""Between two looks at the folders, unless there is news."""
LOOK_S = 0.5
"""Between two full readings of the statistics."""
SWEEP_S = 5.0
METER_S = 5.0
STUCK_S = 30.0
"""A round takes milliseconds."""
SILENCE_S = 15.0
"""How long kubelet's first answer is waited for before a status is written without it."""


class Agent:
    """One node's agent. `run` works until `stop`."""

    def __init__(
        self, node: str, version: str, *, store: Store, devices: Devices, watchers: Watchers, bell: threading.Event
    ) -> None:
        """`bell` is rung when there is news."""
        self.snapshot = Snapshot(node, version)
        self._version = version
        self._store, self._devices, self._watchers, self._bell = store, devices, watchers, bell
        self._slots = Slots()
        self._keeper = housekeeping.Keeper(store, self._slots)
        self._meters = Meters()
        self._writing = Writing()
        self._shelf = Shelf({}, {})
        self._report: Report | None = None
        self._wanted: dict[str, SlotSpec] = {}
        """By the spec, by allocation."""
        self._occupants: dict[str, Occupant] = {}
        self._busy: dict[Worker, Activity] = {}
        self._over = False
        self._turned = time.monotonic()
        self._began = time.monotonic()
        self._due = dict.fromkeys(("scan", "look", "sweep", "meter"), float("-inf"))

    def alive(self) -> bool:
        """Whether the loop still turns."""
        return time.monotonic() - self._turned < STUCK_S

    def ready(self) -> bool:
        """Whether it has seen its node."""
        return self.alive() and self._report is not None

    def stop(self) -> None:
        """Ends `run`, from any thread or a signal."""
        self._over = True
        self._bell.set()

    def run(self, api: ApiServer, kubelet: Kubelet) -> None:
        """Until `stop`. What goes wrong in one round is tried again in the next."""
        try:
            while not self._over:
                took = time.monotonic() - self._turned
                news = self._bell.wait(max(TICK_S, SHARE * took))
                self._bell.clear()
                self._turned = time.monotonic()
                try:
                    self.step(api, kubelet, time.monotonic(), news=news)
                except OSError as error:  # the file system, for one; pods go on without us
                    log.error("%s; tried again", error)
                    self._bell.wait(LOOK_S)
        finally:
            self._slots.close()

    def step(self, api: ApiServer, kubelet: Kubelet, now: float, *, news: bool) -> None:
        """One round."""
        if self._is_due("scan", SCAN_S, now) or news:
            self._scan(api, kubelet, now)
        if self._is_due("look", LOOK_S, now) or news:
            self._look(api, kubelet, now)
        self._beat(now)
        if self._is_due("sweep", SWEEP_S, now):
            self._keeper.sweep(self._shelf, self._occupants, kubelet.answer, self._report)

    def _is_due(self, what: str, every_s: float, now: float) -> bool:
        if now - self._due[what] < every_s:
            return False
        self._due[what] = now
        return True

    def _scan(self, api: ApiServer, kubelet: Kubelet, now: float) -> None:
        self._shelf = self._store.shelf()
        self._report = self._store.report()
        self._slots.meet(self._shelf.complete)
        self._seat(api, kubelet)
        if api.current:
            spec = api.current.spec
            self._wanted = wishes.wanted(spec)
            self._keeper.follow_config(spec.config or names.DEFAULT_NODE_CONFIG)
            here = (self._wanted[name] for name in self._slots.seats if name in self._wanted)
            api.ask(frozenset(slot.table for slot in here if slot.table))
        for name, seat in self._slots.seats.items():
            slots.program(seat, self._wanted.get(name), api.tables, api.missing)
        self._slots.guard(now)

    def _seat(self, api: ApiServer, kubelet: Kubelet) -> None:
        before = self._occupants or _remembered(api)
        aged = [(found.record.slot, name, found.age) for name, found in self._shelf.complete.items()]
        if kubelet.answer:
            self._occupants = seating.occupants(aged, kubelet.answer.listing, before)
        else:  # kubelet is away since before we began: what was said last holds
            self._occupants = {name: who for name, who in before.items() if name in self._shelf.complete}

    def _beat(self, now: float) -> None:
        seats = [self._slots.seats[name] for name in self._occupants if name in self._slots.seats]
        pulses = view.by_gpu(
            (seat.allocation.record.gpu, pulse)
            for seat in seats
            for pulse in _pulses(seat, self._wanted.get(seat.name))
        )
        self._busy = active.observed(self._busy, (pulse for every in pulses.values() for pulse in every), now)
        bits = view.active_sets(self._busy, pulses)
        for seat in seats:
            if seat.live and seat.allocation.record.gpu in bits:
                seat.live.set_active(bits[seat.allocation.record.gpu])

    def _look(self, api: ApiServer, kubelet: Kubelet, now: float) -> None:
        self._slots.look(tuple(name for name in self._occupants if name in self._slots.seats), now)
        seen = self._seen(kubelet, now)
        gpus = self._devices.gpus()
        scene = Scene(self._report, gpus, seen, self._devices.groups())
        statuses = reports.gpu_statuses(scene)
        self.snapshot = replace(
            self.snapshot,
            gpus=statuses,
            seen=seen,
            meters=self._meters.read() if self._is_due("meter", METER_S, now) else self.snapshot.meters,
            restored=sum(seat.restored for seat in self._slots.seats.values()),
            status_writes=api.writes,
            api_failures=api.failures,
            kubelet_failures=kubelet.failures,
            connected=api.connected,
        )
        if api.current and (kubelet.answer or now - self._began >= SILENCE_S):
            full = self._status(api, kubelet, scene)
            self._writing.offer(full, api, now)

    def _status(self, api: ApiServer, kubelet: Kubelet, scene: Scene) -> NodeStatus:
        assert api.current
        generation, now = api.current.metadata.generation, datetime.now(UTC)
        gpus = reports.gpu_statuses(scene)
        seats = [self._slots.seats[name] for name in self._occupants if name in self._slots.seats]
        found = conditions.conditions(
            conditions.View(
                report=self._report,
                plugin_runs=self._report is not None,
                kubelet_answers=self._keeper.fresh(kubelet.answer),
                gpus=gpus,
                troubles=[seat.trouble for seat in seats if seat.trouble],
                waiting=[seat.allocation.record.slot for seat in seats if seat.waiting],
            ),
            now,
            generation,
        )
        before = self._writing.written or api.current.status
        return reports.status(scene, gpus, found, before, version=self._version, generation=generation, now=now)

    def _seen(self, kubelet: Kubelet, now: float) -> tuple[Seen, ...]:
        seats = {name: self._slots.seats[name] for name in self._occupants if name in self._slots.seats}
        uids = self._watchers.pod_uids()
        pods = {name: uids.get((who.namespace, who.pod)) for name, who in self._occupants.items()}
        silent = self._watchers.silent(
            self._report.source if self._report else None,
            [bypass.Seat(name, pods[name], seat.handshakes) for name, seat in seats.items()],
            {name: seat.live.stats_inode for name, seat in seats.items() if seat.live},
            now,
        )
        there = tuple(
            self._one(seat, self._wanted.get(name), pods[name], None if silent is None else name in silent, now)
            for name, seat in seats.items()
        )
        listing = kubelet.answer.listing if kubelet.answer else {}
        on_disk = [found.record.slot for found in self._shelf.complete.values()]
        return there + view.lost(seating.lost(on_disk, listing), self._occupants.values())

    def _one(self, seat: Seat, wanted: SlotSpec | None, uid: str | None, silent: bool | None, now: float) -> Seen:
        record = seat.allocation.record
        generation = seat.live.generation if seat.live else 0
        verdict = state.verdict(
            Evidence(
                wanted=wishes.mode(wanted),
                generation=generation,
                clients=seat.clients,
                lost=seat.live is None and not seat.foreign,
                foreign=seat.foreign,
                tampered=seat.tampered(now),
                library=record.injection is not Injection.NONE,
                refused=seat.trouble is not None,
                silent_users=silent,
            )
        )
        return Seen(
            slot=record.slot,
            allocation=seat.name,
            gpu=record.gpu,
            occupant=self._occupants.get(seat.name),
            pod_uid=uid,
            verdict=verdict,
            ceiling=record.reach,
            acknowledged=min(generation, state.acknowledged(seat.clients)),
            clients=seat.clients,
            sums=seat.tally.of_generation,
            total=seat.tally.total,
            figures=seat.figures,
        )


def _remembered(api: ApiServer) -> Mapping[str, Occupant]:
    """Who sat where when the status was written last: what an agent that has just started adopts."""
    gpus = api.current.status.gpus if api.current else ()
    return {
        slot.allocation: Occupant(slot.pod.namespace, slot.pod.name, slot.container)
        for gpu in gpus
        for slot in gpu.slots
        if slot.pod and slot.container
    }


def _pulses(seat: Seat, wanted: SlotSpec | None) -> tuple[Pulse, ...]:
    made = seat.in_force.table
    if made is None or not made.models:
        return ()
    predicted = [
        worker.solo_micros * worker.predicted_slowdown if worker.solo_micros and worker.predicted_slowdown else None
        for worker in (wanted.workers if wanted else ())
    ]
    launches, marked = slots.pulse(seat), seat.marked
    return tuple(
        Pulse(
            (seat.name, index),
            model.worker,
            launches[index] if index < len(launches) else 0,
            active.request_micros(
                seat.figures.mean_micros, marked, predicted[index] if index < len(predicted) else None
            ),
        )
        for index, model in enumerate(made.models)
    )
