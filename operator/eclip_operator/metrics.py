"""Prometheus metrics of the operator, all under ``eclip_operator_``."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)

reconcile_seconds = Histogram(
    "eclip_operator_reconcile_seconds",
    "Time to compute what has to be done after a change.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
solve_seconds = Histogram(
    "eclip_operator_solve_seconds",
    "Time to make a plan with all its variants.",
    buckets=_SECONDS,
    registry=REGISTRY,
)
plans = Counter(
    "eclip_operator_plans",
    "Plans made, by strategy and result (planned, Infeasible, Invalid).",
    ["strategy", "result"],
    registry=REGISTRY,
)
plan_gap_ratio = Histogram(
    "eclip_operator_plan_gap_ratio",
    "How far the objective of a plan may be from the optimum, as a fraction of it.",
    buckets=(0.0, 0.001, 0.01, 0.03, 0.1, 0.3, 1.0),
    registry=REGISTRY,
)
plan_lookups = Counter(
    "eclip_operator_plan_lookups",
    "Mixes of GPUs whose plan was looked for, by result (hit, miss).",
    ["result"],
    registry=REGISTRY,
)
queue_length = Gauge(
    "eclip_operator_queue_length",
    "What waits, by queue (solves, writes, events, pods).",
    ["queue"],
    registry=REGISTRY,
)
writes = Counter(
    "eclip_operator_writes",
    "Writes to the API server, by kind and result (ok, retried, refused).",
    ["kind", "result"],
    registry=REGISTRY,
)
unreadable = Counter(
    "eclip_operator_unreadable_objects",
    "Objects that were passed over because this version cannot read them, by kind.",
    ["kind"],
    registry=REGISTRY,
)
objects = Gauge(
    "eclip_operator_objects",
    "What the operator knows, by kind (policies, profiles, nodes, tables, pods, plans).",
    ["kind"],
    registry=REGISTRY,
)
