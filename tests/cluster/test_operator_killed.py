"""The operator is killed just before and just after each of its writes. What it leaves behind is never wrong, and what
the next one makes of it is what an unharmed one makes."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from kube.bare import Api, BareApi, Raw, bare_api
from kube.commands import until
from kube.operating import (
    OURS,
    OperatorProcess,
    namespace,
    node,
    pod,
    policy,
    profile,
    put,
    report,
    slot,
    start_operator,
    workload,
)
from kube.tripwire import Tripwire, tripwire

pytestmark = pytest.mark.timeout(1800)
CONVERGES_WITHIN_S = 90.0
MOST_WRITES = 60
LEFT_OUT = ("solveMillis", "lastTransitionTime", "uid")
"""What differs between two runs that did the same."""


@pytest.fixture(scope="module")
def bare() -> Iterator[BareApi]:
    """An API server of our own."""
    with bare_api() as started:
        yield started


class Watcher:
    """Follows all NodeColocations; remembers the tables that a spec named while they were not there."""

    def __init__(self, bare: BareApi) -> None:
        self.seen = 0
        self.missing: list[str] = []
        self._api = bare.api
        self._tables = bare.api
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        since = self._api.request("GET", f"{OURS}/nodecolocations")["metadata"]["resourceVersion"]
        try:
            for event in self._api.watch(f"{OURS}/nodecolocations", since):
                self._look(event["object"])
        except urllib3.exceptions.HTTPError:
            return

    def _look(self, raw: Raw) -> None:
        for gpu in raw.get("spec", {}).get("gpus", ()):
            for one in gpu["slots"]:
                if "table" in one:
                    self.seen += 1
                    if self._tables.get(f"{OURS}/lookuptables/{one['table']}") is None:
                        self.missing.append(f"{raw['metadata']['name']}: {one['table']}")


class Script:
    """The change: a policy comes for two pods on a GPU, and then another strategy."""

    def __init__(self, api: Api, number: int) -> None:
        self.api, self.home, self.node = api, f"team-{number}", f"node-{number}"
        # Long enough not to be part of a table's name by chance.
        self.gpu = f"{0xFEEDFACE0000 + number:x}"

    def begin(self) -> None:
        """All that is there before the policy."""
        namespace(self.api, self.home)
        put(self.api, profile("alexnet-b8", self.home))
        node(self.api, self.node)
        uids = [pod(self.api, name, self.home, self.node, "alexnet") for name in ("one", "two")]
        slots = [slot(self.gpu, n, self.home, name, uids[n]) for n, name in enumerate(("one", "two"))]
        report(self.api, self.node, {self.gpu: slots})

    def edit(self, strategy: str) -> None:
        """The user's policy."""
        put(self.api, policy("p", self.home, [workload("alexnet", "alexnet-b8")], strategy=strategy))

    def done(self, strategy: str) -> bool:
        """Whether the operator has nothing more to do."""
        spec = self._get(f"{OURS}/nodecolocations/{self.node}")["spec"]
        status = self._get(f"{OURS}/namespaces/{self.home}/colocationpolicies/p").get("status", {})
        labels = self._get(f"/api/v1/nodes/{self.node}")["metadata"].get("labels", {})
        programmed = [gpu["strategy"] for gpu in spec.get("gpus", ()) if gpu.get("plan")] == [strategy]
        told = [gpu["strategy"] for gpu in status.get("gpus", ())] == [strategy]
        ready = {one["type"]: one["reason"] for one in status.get("conditions", ())}.get("Programmed") == "Programmed"
        return programmed and told and ready and "eclip.dev/gpu.product" in labels

    def result(self) -> Any:
        """All objects that the operator wrote, as they are in every run that did the same."""
        found = {
            "spec": self._get(f"{OURS}/nodecolocations/{self.node}")["spec"],
            "policy": self._get(f"{OURS}/namespaces/{self.home}/colocationpolicies/p")["status"],
            "labels": self._get(f"/api/v1/nodes/{self.node}")["metadata"]["labels"],
        }
        return self._plain(found)

    def untouched(self) -> list[str]:
        """Objects that bear a finalizer or an annotation, which must not be."""
        paths = [f"{OURS}/nodecolocations/{self.node}", f"{OURS}/namespaces/{self.home}/colocationpolicies/p"]
        paths += [f"/api/v1/nodes/{self.node}", f"/api/v1/namespaces/{self.home}/pods/one"]
        paths += [f"{OURS}/namespaces/{self.home}/kernelprofiles/alexnet-b8"]
        found = {path: self._get(path)["metadata"] for path in paths}
        return [path for path, metadata in found.items() if "finalizers" in metadata or "annotations" in metadata]

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._plain(one) for key, one in value.items() if key not in LEFT_OUT}
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        if isinstance(value, str):
            return value.replace(self.home, "HOME").replace(self.node, "NODE").replace(self.gpu, "GPU")
        return value

    def _get(self, path: str) -> Raw:
        found = self.api.get(path)
        assert found is not None, path
        return found


class Runs:
    """One operator after another, all of them behind the wire."""

    def __init__(self, wire: Tripwire, folder: Path) -> None:
        self.wire, self.folder = wire, folder
        self.operator = self._start()
        self.started = 1

    def _start(self) -> OperatorProcess:
        self.wire.open()
        operator = start_operator(self.folder, self.wire.server)
        operator.await_ready()
        return operator

    def play(self, script: Script, at: int | None, *, after: bool) -> None:
        """The whole script, with the operator killed at one of its writes, and started again."""
        script.begin()
        self.wire.arm(self.operator.process.pid, at, after=after)
        for strategy in ("kernel-groups", "static-split"):
            script.edit(strategy)
            until(f"the policy with {strategy} is in force", lambda s=strategy: self._goes_on(script, s), within=180.0)

    def _goes_on(self, script: Script, strategy: str) -> bool:
        if not self.operator.alive:
            self.operator = self._start()
            self.started += 1
        return script.done(strategy)


@pytest.fixture
def runs(bare: BareApi, tmp_path: Path) -> Iterator[Runs]:
    """The first operator is ready."""
    with tripwire(bare) as wire:
        started = Runs(wire, tmp_path)
        try:
            yield started
        finally:
            started.operator.kill()


def test_killed_at_any_write_it_ends_where_an_unharmed_one_does(bare: BareApi, runs: Runs) -> None:
    watcher = Watcher(bare)
    unharmed = Script(bare.api, 0)
    runs.play(unharmed, None, after=False)
    expected, writes = unharmed.result(), len(runs.wire.writes)

    number = 0
    for after in (False, True):
        for at in range(1, MOST_WRITES):
            number += 1
            script = Script(bare.api, number)
            runs.play(script, at, after=after)
            assert script.result() == expected, f"killed {'after' if after else 'before'} write {at}"
            assert script.untouched() == []
            if not runs.wire.sprung:
                break

    assert runs.started > writes, "every write was a place to die at"
    assert watcher.seen > 2 * number
    assert watcher.missing == []
