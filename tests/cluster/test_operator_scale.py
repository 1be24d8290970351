"""A hundred nodes whose agents report all the time; `make bench-scale` measures a thousand."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube.bare import BareApi, bare_api
from kube.fleet import Fleet, percentile, programmed
from kube.operating import OperatorProcess, operating

pytestmark = pytest.mark.timeout(900)
WITHIN_S = 300.0
"""Generous: what is tested is that all of it comes right, on a machine with other work as well."""
MEMORY_MB = 300


@pytest.fixture(scope="module")
def bare() -> Iterator[BareApi]:
    """An API server of our own."""
    with bare_api() as started:
        yield started


@pytest.fixture
def operator(bare: BareApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One that is ready."""
    with operating(tmp_path, bare.kubeconfig) as started:
        yield started


def test_a_hundred_nodes_of_twenty_mixes_follow_their_policy_and_their_pods(
    bare: BareApi, operator: OperatorProcess
) -> None:
    async def play() -> None:
        async with Fleet(bare, nodes=100, mixes=20) as fleet:
            await fleet.populate()
            fleet.live()
            for strategy in ("kernel-groups", "static-split"):
                await fleet.edit(strategy)
                took = await fleet.until(lambda one, s=strategy: programmed(one, s), WITHIN_S)
                print(f"100 nodes on {strategy}: {took:.1f} s")  # noqa: T201 - a figure of the test's report
            times = [await fleet.toggle(one, WITHIN_S) for one in list(fleet.machines.values())[:30]]
            print(f"status -> spec: p99 {percentile(times, 0.99):.2f} s")  # noqa: T201

    asyncio.run(play())

    metrics = operator.http("/metrics")[1]
    assert operator.peak_mb <= MEMORY_MB
    assert _value(metrics, 'eclip_operator_objects{kind="nodes"}') == 100
    # Twenty mixes, two strategies, and each mix once without a pod at most.
    made = sum(_value(metrics, line) for line in _named(metrics, "eclip_operator_plans_total"))
    assert made <= 20 * 3


def _named(metrics: str, name: str) -> list[str]:
    return [line.rsplit(" ", 1)[0] for line in metrics.splitlines() if line.startswith(f"{name}{{")]


def _value(metrics: str, name: str) -> float:
    return next(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(f"{name} "))
