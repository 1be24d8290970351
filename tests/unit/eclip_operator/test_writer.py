"""In which order writes go out, which of them are left out, and what is done when the API server refuses."""

import asyncio
import json
import time

import pytest
from running import running

from eclip.api.node import GpuSpec, NodeSpec, SlotSpec
from eclip.api.policy import PolicyStatus
from eclip.bucket import Bucket
from eclip_operator import writer
from eclip_operator.cluster import ApiError
from eclip_operator.events import Event
from eclip_operator.inputs import KubeNode, Ref
from eclip_operator.reconciler import LabelWrite, SpecWrite, StatusWrite
from eclip_operator.writer import Writer

WITHIN_S = 10


class Server:
    """Remembers what is applied and deleted; refuses what it is told to."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.bodies: dict[str, dict] = {}
        self.refuse: dict[str, list[int]] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def apply(self, path, body):
        await self.gate.wait()
        name = path.rsplit("v1alpha1/", maxsplit=1)[-1]
        if self.refuse.get(name):
            raise ApiError(path, self.refuse[name].pop(0), "no")
        self.applied.append(name)
        self.bodies[name] = body
        return {"kind": "NodeColocation", **body}

    async def delete(self, path):
        self.applied.append(f"delete {path.rsplit('/', maxsplit=1)[-1]}")


def spec(node: str, *tables: str, strategy: str = "kernel-groups") -> SpecWrite:
    slots = tuple(SlotSpec(slot=f"aa-s{n:02d}", allocation="x", mode="Enforce", table=t) for n, t in enumerate(tables))
    return SpecWrite(node, f"uid-{node}", NodeSpec(gpus=(GpuSpec(id="aa", strategy=strategy, slots=slots),)))


def event(name: str, text: str = "text", about: str = "aa-s00") -> Event:
    return Event("Pod", "v1", "team", name, f"uid-{name}", "Planned", text, about)


def working(server, known=()):
    """A writer at work."""
    found = {name: json.dumps({"metadata": {"name": name}}) for name in known}
    return running(Writer(server, found.__getitem__, set(), lambda _: None))


async def done(one, server, count):
    """Until so much has been written and nothing waits."""
    async with asyncio.timeout(WITHIN_S):
        while len(server.applied) < count or one.waiting:
            await asyncio.sleep(0.005)


def test_tables_come_before_the_spec_that_names_them_and_each_only_once():
    async def play():
        server = Server()
        async with working(server, "ab") as one:
            await one.put([spec("n", "a", "b"), spec("m", "a")])
            await done(one, server, 4)
        return server.applied

    applied = asyncio.run(play())

    assert sorted(applied) == ["lookuptables/a", "lookuptables/b", "nodecolocations/m", "nodecolocations/n"]
    assert applied.index("lookuptables/a") < applied.index("nodecolocations/m")
    assert max(applied.index("lookuptables/a"), applied.index("lookuptables/b")) < applied.index("nodecolocations/n")


def test_a_table_that_is_refused_keeps_its_spec_back_until_it_is_there(monkeypatch):
    monkeypatch.setattr(writer, "BACKOFF_S", (0.01,))

    async def play():
        server = Server()
        server.refuse["lookuptables/a"] = [503, 500, 0]
        async with working(server, "a") as one:
            await one.put([spec("n", "a")])
            await done(one, server, 2)
        return server.applied

    assert asyncio.run(play()) == ["lookuptables/a", "nodecolocations/n"]


def test_of_several_writes_that_wait_for_one_object_only_the_newest_is_made():
    async def play():
        server = Server()
        server.gate.clear()
        async with working(server) as one:
            await one.put([spec("n", strategy="first")])
            await asyncio.sleep(0.05)
            for strategy in ("second", "third", "fourth"):
                await one.put([spec("n", strategy=strategy)])
            server.gate.set()
            await done(one, server, 2)
        return server

    server = asyncio.run(play())

    assert server.applied == ["nodecolocations/n"] * 2
    assert server.bodies["nodecolocations/n"]["spec"]["gpus"][0]["strategy"] == "fourth"


def test_a_write_that_failed_never_replaces_a_newer_one(monkeypatch):
    monkeypatch.setattr(writer, "BACKOFF_S", (0.05,))

    async def play():
        server = Server()
        server.refuse["nodecolocations/n"] = [503]
        async with working(server) as one:
            await one.put([spec("n", strategy="old")])
            while server.refuse["nodecolocations/n"]:
                await asyncio.sleep(0.005)
            await one.put([spec("n", strategy="new")])
            await done(one, server, 1)
            await asyncio.sleep(0.1)
        return server

    server = asyncio.run(play())

    assert server.bodies["nodecolocations/n"]["spec"]["gpus"][0]["strategy"] == "new"


def test_specs_come_before_all_else_and_events_last(monkeypatch):
    monkeypatch.setattr(writer, "WORKERS", 1)

    async def play():
        server = Server()
        async with working(server) as one:
            await one.put(
                [
                    event("p"),
                    StatusWrite(Ref("team", "p"), PolicyStatus()),
                    LabelWrite(KubeNode("n", "uid"), {}),
                    spec("n"),
                ]
            )
            await done(one, server, 4)
        return [name.split("/")[-2] for name in server.applied]

    assert asyncio.run(play()) == ["nodecolocations", "nodes", "p", "events"]


@pytest.mark.parametrize("code", [404, 409])
def test_what_is_gone_is_not_tried_again(code):
    async def play():
        server = Server()
        server.refuse["nodecolocations/n"] = [code]
        async with working(server) as one:
            await one.put([spec("n")])
            async with asyncio.timeout(WITHIN_S):
                while one.waiting:
                    await asyncio.sleep(0.005)
        return server.applied

    assert asyncio.run(play()) == []


def test_a_spec_is_never_written_to_another_object_of_its_name():
    async def play():
        server = Server()
        async with working(server) as one:
            await one.put([spec("n")])
            await done(one, server, 1)
        return server.bodies["nodecolocations/n"]["metadata"]

    assert asyncio.run(play()) == {"name": "n", "uid": "uid-n"}


def test_a_table_that_was_deleted_is_made_again_for_the_next_spec():
    async def play():
        server = Server()
        async with working(server, "a") as one:
            await one.put([spec("n", "a")])
            await done(one, server, 2)
            await one.delete_table("a")
            await one.put([spec("n", "a", strategy="other")])
            await done(one, server, 5)
        return server.applied

    assert asyncio.run(play())[2:] == ["delete a", "lookuptables/a", "nodecolocations/n"]


def test_events_are_written_in_a_burst_and_then_a_few_a_second_and_hold_up_nothing_else():
    async def play():
        server = Server()
        async with working(server) as one:
            one._events = Bucket.full(burst=3.0, per_second=50.0)
            await one.put(event(f"e{number}") for number in range(6))
            async with asyncio.timeout(WITHIN_S):
                while len(server.applied) < 3:
                    await asyncio.sleep(0.005)
            await one.put([LabelWrite(KubeNode("n", "uid"), {})])
            await done(one, server, 7)
        return server.applied

    applied = asyncio.run(play())

    assert len(applied) == 7
    assert "/api/v1/nodes/n" in applied[3:6]


def test_of_events_that_wait_only_the_latest_decision_about_the_same_thing_is_told():
    async def play():
        server = Server()
        async with working(server) as one:
            one._events = Bucket(burst=10.0, per_second=10.0, tokens=0.0, at=time.monotonic())
            for text in ("first", "second", "third"):
                await one.put([event("p", text), event("p", f"{text} of s01", "aa-s01"), event("q", text)])
            await done(one, server, 3)
        return [(body["involvedObject"]["name"], body["message"]) for body in server.bodies.values()]

    assert asyncio.run(play()) == [("p", "third"), ("p", "third of s01"), ("q", "third")]


def test_of_too_many_events_the_oldest_are_dropped(monkeypatch):
    monkeypatch.setattr(writer, "MOST_EVENTS", 2)

    async def play():
        server = Server()
        async with working(server) as one:
            await one.put(event(name) for name in "abcd")
            await done(one, server, 2)
        return [body["involvedObject"]["name"] for body in server.bodies.values()]

    assert asyncio.run(play()) == ["c", "d"]


def test_where_specs_follow_one_another_events_wait_but_for_a_few(monkeypatch):
    monkeypatch.setattr(writer, "PRESSED_S", 3600.0)

    async def play():
        server = Server()
        async with working(server) as one:
            one._events = Bucket.full(burst=20.0, per_second=1e-9)
            await one.put([spec("n"), *(event(f"e{number}") for number in range(20))])
            async with asyncio.timeout(WITHIN_S):
                while len(server.applied) < 3 or one.waiting > 18:
                    await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)
        return server.applied

    applied = asyncio.run(play())

    assert applied[0] == "nodecolocations/n"
    assert len(applied) == 3
