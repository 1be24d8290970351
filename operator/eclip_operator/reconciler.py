"""Inputs in, differences out: what has to be fetched, solved and written to make the cluster as it should be. Pure.

Level-triggered: what it asks for depends on the inputs that it has been given last, not on their order. It only
remembers which nodes and policies a change can have touched, so that a thousand quiet nodes cost nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from eclip.api.conditions import Condition, NodeCondition
from eclip.api.node import NodeSpec
from eclip.api.policy import PolicyStatus
from eclip_operator import events, labels, questions, reading
from eclip_operator.events import Event
from eclip_operator.facts import Fact, facts
from eclip_operator.inputs import KubeNode, NodeReport, Pod, PodKey, Policy, Profile, Ref, World
from eclip_operator.mixes import mixes
from eclip_operator.nodes import Intent, intent, profiled, programmed
from eclip_operator.questions import Answer, Outcome, Question
from eclip_operator.statuses import status

IDLE_PLANS = 64
"""Plans that are kept though no mix asks for them: pods come and go."""


@dataclass(frozen=True, slots=True)
class SpecWrite:
    """A node's object is to get this spec. The tables that it names come first."""

    node: str
    uid: str
    spec: NodeSpec


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """A policy is to get this status."""

    policy: Ref
    status: PolicyStatus


@dataclass(frozen=True, slots=True)
class LabelWrite:
    """A Node is to have exactly these labels of us."""

    node: KubeNode
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class AgentWrite:
    """A node's object is to say whether its agent is lost."""

    node: str
    uid: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next."""

    pods: tuple[PodKey, ...] = ()
    questions: tuple[Question, ...] = ()
    """That are not answered yet."""
    urgent: frozenset[Question] = frozenset()
    """Those of them that somebody waits for who has no plan at all."""
    hits: int = 0
    """Mixes whose plan was there already."""
    specs: tuple[SpecWrite, ...] = ()
    statuses: tuple[StatusWrite, ...] = ()
    labels: tuple[LabelWrite, ...] = ()
    agents: tuple[AgentWrite, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass
class Reconciler:
    """The operator's mind."""

    policies: dict[Ref, Policy] = field(default_factory=dict)
    profiles: dict[Ref, Profile] = field(default_factory=dict)
    reports: dict[str, NodeReport] = field(default_factory=dict)
    nodes: dict[str, KubeNode] = field(default_factory=dict)
    pods: dict[PodKey, Pod | None] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    """LookupTables that are there."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    lost: frozenset[str] | None = frozenset()
    """Nodes whose agent's pod is gone or not ready. None: nobody knows yet, and what the objects say holds."""
    _intents: dict[str, Intent] = field(default_factory=dict)
    _facts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    _homes: dict[PodKey, set[str]] = field(default_factory=dict)
    """Nodes that name a pod."""
    _stale_nodes: set[str] = field(default_factory=set)
    _stale_policies: set[Ref] = field(default_factory=set)
    _moved: set[str] = field(default_factory=set)
    """Nodes of which only figures have changed."""

    @property
    def world(self) -> World:
        """All inputs as they are."""
        return World(self.policies, self.profiles, self.reports, self.nodes, self.pods)

    @property
    def stale(self) -> bool:
        """Whether a step could find something to do."""
        return bool(self._stale_nodes or self._stale_policies)

    @property
    def stale_nodes(self) -> int:
        """How many nodes the next step would look at."""
        return len(self._stale_nodes)

    @property
    def asked(self) -> set[str]:
        """Keys of all questions that some node poses."""
        return {key for intended in self._intents.values() for key in intended.asks}

    def see(self, kind: str, raw: reading.Raw) -> None:
        """An object of the cluster as it is now. InputError for one that its CRD would not let in."""
        metadata = raw["metadata"]
        match kind:
            case "ColocationPolicy":
                policy = reading.policy(raw)
                self.put_policy(policy.ref, policy)
            case "KernelProfile":
                profile = reading.profile(raw)
                self.put_profile(profile.ref, profile)
            case "NodeColocation":
                self.put_report(metadata["name"], reading.report(raw))
            case "Node":
                self.put_node(metadata["name"], reading.node(raw))
            case "LookupTable":
                self.tables.add(metadata["name"])
            case "Pod":
                for key in self.pod_keys(metadata["namespace"], metadata["name"]):
                    self.put_pod(key, reading.pod(raw))

    def gone(self, kind: str, namespace: str, name: str) -> None:
        """An object that is not there any more. Of a pod nothing follows: its node's object will tell."""
        match kind:
            case "ColocationPolicy":
                self.put_policy(Ref(namespace, name), None)
            case "KernelProfile":
                self.put_profile(Ref(namespace, name), None)
            case "NodeColocation":
                self.put_report(name, None)
            case "Node":
                self.put_node(name, None)
            case "LookupTable":
                self.table_gone(name)

    def pod_keys(self, namespace: str, name: str) -> list[PodKey]:
        """Those of the known pods that have this name."""
        return [key for key in self.pods if (key.namespace, key.name) == (namespace, name)]

    def put_policy(self, ref: Ref, policy: Policy | None) -> None:
        """A policy as it is now; None: it is gone."""
        old = self.policies.get(ref)
        _put(self.policies, ref, policy)
        if policy is not None and old != policy:
            self._stale_policies.add(ref)
        if policy is None or old is None or (old.spec, old.age) != (policy.spec, policy.age):
            self._touch_namespace(ref.namespace)

    def put_profile(self, ref: Ref, profile: Profile | None) -> None:
        """A kernel profile as it is now; None: it is gone."""
        old = self.profiles.get(ref)
        _put(self.profiles, ref, profile)
        if old != profile:
            self._touch_namespace(ref.namespace)
            self._stale_policies.update(other for other in self.policies if other.namespace == ref.namespace)

    def put_report(self, name: str, report: NodeReport | None) -> None:
        """A node's object as it is now; None: it is gone."""
        old = self.reports.get(name)
        _put(self.reports, name, report)
        if old == report:
            self._moved.add(name)
            return
        for key in old.pods if old else ():
            self._homes[key].discard(name)
            if not self._homes[key]:
                del self._homes[key]
        for key in report.pods if report else ():
            self._homes.setdefault(key, set()).add(name)
        self._stale_nodes.add(name)

    def put_node(self, name: str, node: KubeNode | None) -> None:
        """A Node as it is now; None: it is gone."""
        old = self.nodes.get(name)
        _put(self.nodes, name, node)
        if old != node:
            self._stale_nodes.add(name)

    def put_lost(self, lost: frozenset[str]) -> None:
        """Nodes whose agent's pod is gone or not ready, for longer than a restart takes."""
        before = {name for name, report in self.reports.items() if report.lost} if self.lost is None else self.lost
        self._stale_nodes.update(lost ^ before)
        self.lost = lost

    def put_pod(self, key: PodKey, pod: Pod | None) -> None:
        """A pod that was looked for; None: it is not there."""
        if key in self.pods and self.pods[key] == pod:
            return
        self.pods[key] = pod
        self._stale_nodes.update(self._homes.get(key, ()))

    def put_outcome(self, question: Question, outcome: Outcome) -> None:
        """A question was answered."""
        key = questions.key(question)
        self.outcomes[key] = outcome
        self._stale_nodes.update(name for name, held in self._intents.items() if key in held.asks)

    def table_gone(self, name: str) -> None:
        """A LookupTable is not there any more. Specs that name it will have it made again."""
        self.tables.discard(name)
        self._stale_nodes.update(node for node, held in self._intents.items() if name in held.spec.tables)

    def refresh(self) -> None:
        """Look at the nodes again of which only figures have changed, so that policies show them."""
        self._stale_nodes.update(self._moved)
        self._moved.clear()

    def step(self, now: datetime, most: int = 1_000_000, *, judge: bool = True) -> Step:
        """What is to be done after all that was put since the last step.

        Args:
            most: nodes to look at; others follow with the next step.
            judge: whether policies are told, too, once no node is left.
        """
        taken = sorted(self._stale_nodes)[:most]
        steps = [self._node_step(name, now) for name in taken]
        self._stale_nodes.difference_update(taken)
        statuses, told = self._status_step(now) if judge and not self._stale_nodes else ((), ())
        specs = tuple(spec for one in steps for spec in one.specs)
        return Step(
            pods=_distinct(key for one in steps for key in one.pods),
            questions=_distinct(question for one in steps for question in one.questions),
            urgent=frozenset(question for one in steps for question in one.urgent),
            hits=sum(one.hits for one in steps),
            specs=specs,
            statuses=statuses,
            labels=tuple(label for one in steps for label in one.labels),
            agents=tuple(agent for one in steps for agent in one.agents),
            events=(*(event for one in steps for event in one.events), *told),
        )

    def table(self, name: str) -> str:
        """The JSON of a LookupTable that a step has named. KeyError if no answer has it."""
        for outcome in self.outcomes.values():
            if isinstance(outcome, Answer) and name in outcome.tables:
                return outcome.tables[name]
        raise KeyError(name)

    def wanted_tables(self) -> set[str]:
        """All tables that any spec names, or should name."""
        named = {name for held in self._intents.values() for name in held.spec.tables}
        return named | {name for report in self.reports.values() for name in report.spec.tables}

    def forget(self) -> None:
        """Drop pods that no node names any more, and the oldest of the plans that no node asks for."""
        self.pods = {key: pod for key, pod in self.pods.items() if key in self._homes}
        asked = self.asked
        idle = [key for key in self.outcomes if key not in asked]
        for key in idle[:-IDLE_PLANS]:
            del self.outcomes[key]

    def _node_step(self, name: str, now: datetime) -> Step:
        report, node = self.reports.get(name), self.nodes.get(name)
        written = self._label_step(node, report)
        if report is None:
            self._intents.pop(name, None)
            self._settle_facts(name, ())
            return written
        mine = mixes(report, self.world, profiled(report.spec))
        before = self._intents[name].mixes if name in self._intents else ()
        intended = self._intents[name] = intent(report, node, mine, self.outcomes)
        lost = self._is_lost(report, node)
        self._settle_facts(name, facts(report, mine, self.outcomes, lost=lost))
        change = intended.spec != report.spec
        told = (*written.events, *events.of_refusals(before, mine))
        if lost != report.lost:
            told = (*told, events.of_agent(report, lost=lost))
        if change:
            told = (*told, *events.of_node(report, intended.spec, mine))
        asked = tuple(one for key, one in intended.asks.items() if key not in self.outcomes)
        return replace(
            written,
            pods=tuple(key for mix in mine for key in mix.unknown),
            questions=asked,
            urgent=frozenset(asked) & frozenset(mix.question for mix in mine if not programmed(mix, report.spec)),
            hits=sum(key in self.outcomes for key in intended.asks),
            specs=(SpecWrite(name, report.uid, intended.spec),) if change else (),
            agents=(_agent_write(report, now, lost=lost),) if lost != report.lost else (),
            events=told,
        )

    def _is_lost(self, report: NodeReport, node: KubeNode | None) -> bool:
        if node is not None and not node.ready:
            return True
        return report.lost if self.lost is None else report.name in self.lost

    def _label_step(self, node: KubeNode | None, report: NodeReport | None) -> Step:
        if node is None:
            return Step()
        wanted = labels.wanted(report)
        if wanted == labels.present(node):
            return Step()
        return Step(labels=(LabelWrite(node, wanted),), events=(events.of_labels(node, wanted),))

    def _status_step(self, now: datetime) -> tuple[tuple[StatusWrite, ...], tuple[Event, ...]]:
        stale = sorted(ref for ref in self._stale_policies if ref in self.policies)
        self._stale_policies.clear()
        if not stale:
            return (), ()
        by_policy: dict[Ref, list[Fact]] = {ref: [] for ref in stale}
        for fact in (fact for mine in self._facts.values() for fact in mine):
            for ref in (fact.policy, *fact.losers):
                if ref in by_policy:
                    by_policy[ref].append(fact)
        writes: list[StatusWrite] = []
        told: list[Event] = []
        for ref in stale:
            policy = self.policies[ref]
            new = status(policy, by_policy[ref], self.profiles, now)
            if new != policy.status:
                writes.append(StatusWrite(ref, new))
                told += events.of_policy(policy, new)
        return tuple(writes), tuple(told)

    def _settle_facts(self, name: str, new: tuple[Fact, ...]) -> None:
        old = self._facts.get(name, ())
        if old != new:
            self._stale_policies.update(ref for fact in (*old, *new) for ref in (fact.policy, *fact.losers))
        _put(self._facts, name, new or None)

    def _touch_namespace(self, namespace: str) -> None:
        for key, names in self._homes.items():
            if key.namespace == namespace:
                self._stale_nodes |= names


def _agent_write(report: NodeReport, now: datetime, *, lost: bool) -> AgentWrite:
    reason, message = events.agent_text(lost=lost)
    condition = Condition(
        type=NodeCondition.AGENT_READY.value,
        status="False" if lost else "True",
        reason=reason,
        message=message,
        last_transition_time=now,
    )
    return AgentWrite(report.name, report.uid, condition)


_K = TypeVar("_K")
_V = TypeVar("_V")


def _put(where: dict[_K, _V], key: _K, value: _V | None) -> None:
    if value is None:
        where.pop(key, None)
    else:
        where[key] = value


def _distinct(items: Iterable[_K]) -> tuple[_K, ...]:
    return tuple(dict.fromkeys(items))
