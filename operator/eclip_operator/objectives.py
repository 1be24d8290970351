"""Latency objectives as Prometheus metrics, made of the policies' statuses whenever somebody asks."""

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eclip_operator.inputs import Policy

LABELS = ("namespace", "policy", "workload")


class Objectives(Collector):
    """A collector over the policies as they are. A series ends with its workload, or its objective."""

    def __init__(self, policies: Callable[[], Iterable[Policy]]) -> None:
        self._policies = policies

    def collect(self) -> Iterable[Metric]:
        """All families."""
        met = GaugeMetricFamily(
            "eclip_policy_objective_met",
            "1 if every pod of the workload keeps its latency objective, 0 if one does not; absent while unknown.",
            labels=LABELS,
        )
        wanted = GaugeMetricFamily("eclip_policy_objective_p95_seconds", "The latency objective.", labels=LABELS)
        for policy in self._policies():
            for workload in policy.status.workloads:
                labels = (policy.ref.namespace, policy.ref.name, workload.name)
                if workload.objective_micros is not None:
                    wanted.add_metric(labels, workload.objective_micros / 1e6)
                if workload.objective_met in ("True", "False"):
                    met.add_metric(labels, float(workload.objective_met == "True"))
        return met, wanted
