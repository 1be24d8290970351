"""One GPU of a run: carries out what `lifecycle` decides, publishes plans and the active set, keeps the readings."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from eclip import planning
from eclip.documents import colocation
from eclip.errors import EclipError
from eclip.gpu import masks
from eclip.host import entry, lifecycle, mix, readings, wants
from eclip.host.background import Background
from eclip.host.chip import Chip
from eclip.host.claim import Claim
from eclip.host.lifecycle import Life, MakePlan, MakeSlot, Phase, RemoveSlot, Start, Stop, Wanted
from eclip.host.meter import MemoryWatch
from eclip.host.processes import Processes
from eclip.host.slots import Slots
from eclip.plan import MixPlan
from eclip.slot import activity, table

Say = Callable[[str], None]
HOLD_S = 5.0
"""Between two tries of what the file system refuses."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A colocation file that was found good: it can be planned, and its programs are there."""

    question: mix.Mix
    wanted: Mapping[str, Wanted]
    strategy: str
    plan: MixPlan | None
    """The plan for all of them; None without workloads."""


@dataclass(frozen=True, slots=True)
class Record:
    """What stays known of a workload after it is gone."""

    life: Life
    proof: readings.Proof
    """The last one that says yes or no."""
    workers: tuple[str, ...]
    pid: int | None
    """Of the program that was started last."""


class SharedGpu:
    """The workloads of one GPU."""

    def __init__(self, name: int | str, chip: Chip, root: Path, logs: Path, *, holder: str, say: Say) -> None:
        self.name = name
        self.chip = chip
        self.claim = Claim(root, chip.key, f"GPU {name}", holder)
        self.lives: dict[str, Life] = {}
        self.plan: MixPlan | None = None
        self.last_plan: MixPlan | None = None
        self.last_strategy = ""
        self.records: dict[str, Record] = {}
        self.ledger: readings.Ledger = {}
        self.proofs: dict[str, readings.Proof] = {}
        self.pulses: dict[str, activity.Activity] = {}
        self.processes = Processes(logs)
        self.intent: Intent | None = None
        self._memory = MemoryWatch(chip.gpu.vram_bytes)
        self._slots = Slots(root)
        self._planned: lifecycle.Planned = ()
        self._hold_until = 0.0
        self._say = say
        self._plans: dict[lifecycle.Planned, MixPlan] = {}
        self._solving: tuple[lifecycle.Planned, Background[MixPlan]] | None = None
        self._models: dict[str, tuple[str, ...]] = {}
        """Workers by workload, in the order of the table that its slot has."""

    def intend(self, spec: colocation.Colocation) -> Intent:
        """Check all of a file's part for this GPU, and plan for it, without changing anything; any thread may ask.

        Raises:
            EclipError: what is wrong with it, or that no plan satisfies it.
        """
        question = mix.of(spec, self.name)
        if not question.workloads:
            return Intent(question, {}, spec.strategy, None)
        for workload in spec.on(self.name):
            if not workload.command and workload.name not in self.lives:
                self._slots.made_by_others(workload.name)
        plain = wants.of(spec, question, self.name, {})
        made = self._plans.get(_key(plain)) or self._solve(question)
        start_masks = self._start_masks(question, made) if spec.strategy == wants.STATIC_ENV else {}
        return Intent(question, wants.of(spec, question, self.name, start_masks), spec.strategy, made)

    def follow(self, intent: Intent | None) -> None:
        """From now on make this come true. None: end everything."""
        self.intent = intent
        if intent and intent.plan:
            self._remember(_key(intent.wanted), intent.plan)

    @property
    def wanted(self) -> Mapping[str, Wanted]:
        """What is to run."""
        return self.intent.wanted if self.intent else {}

    def step(self, now: float) -> None:
        """Notice what ended, do what can be done, and publish who is busy."""
        for name, code in self.processes.ended():
            self._ended(name, code, now)
        for action in lifecycle.decide(self.wanted, self.lives, self._planned, now):
            if isinstance(action, MakeSlot | MakePlan) and now < self._hold_until:
                continue
            try:
                self._carry_out(action, now)
            except EclipError as error:
                if not self.processes.any:
                    raise
                # A full disk, for one: no reason to end programs that run.
                self._say(f"{error}; tried again in {HOLD_S:.0f} s")
                self._hold_until = now + HOLD_S
        self._publish_active()

    def stop_all(self, *, force: bool) -> None:
        """Signal every program, whatever its grace period."""
        for name in self.lives:
            self.processes.stop(name, force=force)

    def look(self) -> None:
        """Read all statistics into the ledger."""
        for name in self.lives:
            self._look_at(name)
        if self.chip.meter and (warning := self._memory.note(self.chip.meter.reading().vram_used_bytes)):
            self._say(f"GPU {self.name}: {warning}")

    @property
    def workers(self) -> tuple[str, ...]:
        """All that ever took part, in the order of their coming."""
        seen = [source.worker for source in self.ledger]
        return tuple(dict.fromkeys([worker for models in self._models.values() for worker in models] + seen))

    def models(self, workload: str) -> tuple[str, ...]:
        """The workers of a workload, in the order of its table."""
        return (
            tuple(self.intent.question.slots[workload])
            if self.intent and workload in self.intent.question.slots
            else ()
        )

    def _look_at(self, name: str) -> None:
        clients = self._slots.clients(name)
        self.ledger = readings.noted(self.ledger, self.models(name), clients)
        proof = self.proofs[name] = readings.proof(clients, self._slots.generation(name))
        self._keep(name, proof)

    def _keep(self, name: str, proof: readings.Proof) -> None:
        before = self.records.get(name)
        said = before.proof if before and proof.in_force is None else proof
        workers = self.models(name) or (before.workers if before else ())
        pid = self.processes.pid(name) or (before.pid if before else None)
        self.records[name] = Record(self.lives[name], said, workers, pid)

    def _carry_out(self, action: lifecycle.Action, now: float) -> None:
        match action:
            case MakeSlot(name):
                adopted = self.wanted[name].launch is None
                self._slots.make(name, adopt=adopted)
                self.lives[name] = Life(self.wanted[name].launch, Phase.ADOPTED if adopted else Phase.NEW, since=now)
            case MakePlan(names):
                self._replan(names)
            case Start(name):
                self._start(name, now)
            case Stop(name, force):
                self.processes.stop(name, force=force)
                self.lives[name] = lifecycle.stopping(self.lives[name], now)
            case RemoveSlot(name):
                self._leave(name)

    def _leave(self, name: str) -> None:
        self._look_at(name)
        mine = self._models.pop(name, ())
        workers = self.plan.workers if self.plan else ()
        self._slots.release(name, sum(1 << bit for bit, worker in enumerate(workers) if worker in mine))
        self.pulses = {worker: pulse for worker, pulse in self.pulses.items() if worker not in mine}
        del self.lives[name]

    def _start(self, name: str, now: float) -> None:
        launch = self.wanted[name].launch
        assert isinstance(launch, wants.Launch)
        base = {**os.environ, **self.chip.environment, **dict(launch.environment)}
        mode = entry.Mode.OBSERVE if self.intent and self.intent.strategy == wants.STATIC_ENV else entry.Mode.ENFORCE
        way_in = entry.Entry(self._slots.folder(name), entry.library(), mode, self._queues(name))
        self.lives[name] = lifecycle.started(self.lives[name], now)
        try:
            self.processes.start(name, launch.command, {**base, **way_in.environment(base)}, launch.folder)
        except EclipError as error:
            self._say(str(error))
            self._ended(name, 127, now)

    def _queues(self, name: str) -> int:
        assert self.intent
        return sum(max(1, len(kernels.streams)) for kernels in self.intent.question.slots[name].values())

    def _ended(self, name: str, code: int, now: float) -> None:
        self._look_at(name)
        life = self.lives[name]
        restart = self.wanted[name].restart if name in self.wanted else lifecycle.Restart.NEVER
        self.lives[name] = lifecycle.ended(life, restart, code, now)
        how = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        after = self.lives[name]
        if after.phase is Phase.WAITING:
            self._say(f"{name} {how}, starts again in {after.retry_at - now:.0f} s")
        elif life.phase is not Phase.STOPPING:
            self._say(f"{name} {how}")
        self._keep(name, readings.last_proof(self._slots.clients(name), self._slots.generation(name)))

    def _replan(self, names: tuple[str, ...]) -> None:
        wanted = {name: self.wanted[name] for name in names}
        if not names or not self.intent:
            self._planned, self.plan = _key(wanted), None
            return
        gone = frozenset(self.wanted) - frozenset(names)
        question = self.intent.question.without(gone)
        try:
            made = self._solved(_key(wanted), question)
        except EclipError as error:
            self._planned = _key(wanted)
            self._say(f"no new plan, the old one stays in force: {error}")
            return
        if made is None:
            return  # asked again at the next step
        for name in names:
            self._slots.publish(name, table.encode(self.chip.gpu, question.slots[name], made))
            self._models[name] = tuple(question.slots[name])
        self._planned = _key(wanted)
        self.plan = self.last_plan = made
        self.last_strategy = self.intent.strategy
        self._say(f"planned for {', '.join(made.workers)}: {_told(made)}")

    def _solved(self, key: lifecycle.Planned, question: mix.Mix) -> MixPlan | None:
        """The plan for a mix, or None while it is being made: watching goes on meanwhile."""
        if key in self._plans:
            return self._plans[key]
        if self._solving is None or self._solving[0] != key:
            self._solving = key, Background(lambda: self._solve(question))
        if not self._solving[1].done:
            return None
        solving, self._solving = self._solving[1], None
        return self._remember(key, solving.result())

    def _solve(self, question: mix.Mix) -> MixPlan:
        return planning.make_plan(self.chip.gpu, self.chip.product, question.workloads, question.options)

    def _remember(self, key: lifecycle.Planned, made: MixPlan) -> MixPlan:
        self._plans = {**dict(list(self._plans.items())[-7:]), key: made}
        return made

    def _start_masks(self, question: mix.Mix, made: MixPlan) -> dict[str, str]:
        """HSA_CU_MASK of every workload whose part of the plan is one masked stream."""
        parts = {worker.name: worker for worker in made.full.workers}
        found = {}
        for name, models in question.slots.items():
            sets = {stream.cu_set for worker in models for stream in parts[worker].streams}
            if len(sets) == 1:
                found[name] = masks.format_hsa_cu_mask({0: sets.pop()})
        return found

    def _publish_active(self) -> None:
        if not self.plan:
            return
        now = self.chip.clock()
        silence = {
            worker.name: activity.idle_after(worker.predicted_micros, self.chip.time_scale)
            for worker in self.plan.full.workers
        }
        for name in self.lives:
            for worker, launches in zip(self.models(name), self._slots.launches(name), strict=False):
                if worker in silence:
                    seen = self.pulses.get(worker, activity.Activity())
                    self.pulses[worker] = activity.observe(seen, launches, now, silence[worker])
        seen_all = [self.pulses.get(worker, activity.Activity()) for worker in self.plan.workers]
        self._slots.set_active(activity.active_set(seen_all))


def _key(wanted: Mapping[str, Wanted]) -> lifecycle.Planned:
    return lifecycle.mix_identity(wanted, tuple(wanted))


def _told(made: MixPlan) -> str:
    full = made.full
    return ", ".join(
        f"{worker.name} {worker.average_compute_units:.0f} CUs in {len(worker.groups)} groups"
        for worker in full.workers
    )
