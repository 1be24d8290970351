"""How often the status is written."""

import random

from hypothesis import given
from hypothesis import strategies as st

from eclip.api import NodeColocation
from eclip.api.node_status import GpuStatus, Health, NodeStatus, SlotState, SlotStatus
from eclip.api.objects import Metadata
from eclip.gpu import products
from eclip_node_agent import pace
from eclip_node_agent.writing import Writing


class Server:
    def __init__(self) -> None:
        self.current: NodeColocation | None = NodeColocation(metadata=Metadata(name="n", uid="1"))
        self.written: list[NodeStatus] = []

    def report(self, status: NodeStatus) -> None:
        self.written.append(status)


def status(state: SlotState = SlotState.PENDING, p95: float | None = None, kernels: float | None = None) -> NodeStatus:
    slot = SlotStatus(slot="1-s00", allocation="a", state=state, p95_micros=p95, kernels_per_second=kernels)
    gpu = GpuStatus.of(products.gpu_for("MI50"), shares=4, health=Health.HEALTHY)
    return NodeStatus(gpus=(gpu.model_copy(update={"slots": (slot,)}),))


def test_a_change_of_state_is_written_at_once_and_nothing_twice() -> None:
    server, writing = Server(), Writing()
    for now, state in (
        (0.0, SlotState.PENDING),
        (0.1, SlotState.PENDING),
        (0.2, SlotState.ENFORCED),
        (0.3, SlotState.ENFORCED),
    ):
        writing.offer(status(state), server, now)

    assert [found.gpus[0].slots[0].state.value for found in server.written] == ["Pending", "Enforced"]


def test_changes_in_a_flood_are_merged_and_the_last_one_is_written_in_the_end() -> None:
    server, writing = Server(), Writing()
    states = [SlotState.PENDING, SlotState.ENFORCED, SlotState.UNMASKED]
    for step in range(1001):
        writing.offer(status(states[step % 3]), server, step * 0.01)
    for step in range(300):
        writing.offer(status(SlotState.UNKNOWN), server, 10 + step * 0.01)

    assert len(server.written) <= 5 + 13 / 2 + 1
    assert server.written[-1].gpus[0].slots[0].state is SlotState.UNKNOWN


def test_figures_alone_are_written_every_half_minute_if_one_moved_by_more_than_a_tenth() -> None:
    server, writing = Server(), Writing()
    writing.offer(status(p95=1000.0), server, 0.0)
    writing.offer(status(p95=1090.0), server, 100.0)
    writing.offer(status(p95=1200.0), server, 101.0)
    writing.offer(status(p95=1500.0), server, 120.0)
    writing.offer(status(p95=1500.0), server, 131.5)

    assert [found.gpus[0].slots[0].p95_micros for found in server.written] == [1000.0, 1200.0, 1500.0]


def test_figures_ride_along_with_a_change() -> None:
    server, writing = Server(), Writing()
    writing.offer(status(kernels=10.0), server, 0.0)
    writing.offer(status(SlotState.ENFORCED, kernels=90.0), server, 1.0)

    assert server.written[-1].gpus[0].slots[0].kernels_per_second == 90.0


def test_an_object_that_was_made_again_gets_its_status_again() -> None:
    server, writing = Server(), Writing()
    writing.offer(status(), server, 0.0)
    server.current = NodeColocation(metadata=Metadata(name="n", uid="2"))
    writing.offer(status(), server, 1.0)

    assert len(server.written) == 2


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.integers(0, 1000))
def test_no_bucket_gives_more_than_its_burst_and_its_rate(steps: list[float], seed: int) -> None:
    chance = random.Random(seed)
    found, now, writes = pace.bucket(), 0.0, 0
    for step in steps:
        now += step
        found = found.refilled(now)
        if pace.due(found, changed=chance.random() < 0.9, moved=False, since_write=0):
            found, writes = found.taken(), writes + 1

    assert writes <= pace.BURST + now / pace.REFILL_S
