"""Latency objectives as metrics."""

from prometheus_client import CollectorRegistry, generate_latest

from eclip.api.policy import PolicySpec, PolicyStatus, WorkloadStatus
from eclip_operator.inputs import Policy, Ref
from eclip_operator.objectives import Objectives


def policy(*workloads: WorkloadStatus) -> Policy:
    spec = PolicySpec.model_validate({"workloads": [{"name": "w", "podSelector": {}}]})
    return Policy(Ref("team", "p"), "uid", 1, "2026-01-01T00:00:00Z", spec, PolicyStatus(workloads=workloads))


def lines(*workloads: WorkloadStatus) -> list[str]:
    registry = CollectorRegistry()
    registry.register(Objectives(lambda: [policy(*workloads)]))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_an_objective_is_kept_missed_or_not_known() -> None:
    found = lines(
        WorkloadStatus(name="kept", objective_micros=2000.0, objective_met="True"),
        WorkloadStatus(name="missed", objective_micros=2000.0, objective_met="False"),
        WorkloadStatus(name="new", objective_micros=2000.0, objective_met="Unknown"),
        WorkloadStatus(name="none"),
    )

    label = 'namespace="team",policy="p",workload='
    assert [line for line in found if line.startswith("eclip_policy_objective_met")] == [
        f'eclip_policy_objective_met{{{label}"kept"}} 1.0',
        f'eclip_policy_objective_met{{{label}"missed"}} 0.0',
    ]
    assert f'eclip_policy_objective_p95_seconds{{{label}"new"}} 0.002' in found
    assert not [line for line in found if '"none"' in line]
