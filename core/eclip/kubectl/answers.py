"""Answers of `kubectl eclip`, as JSON and as tables. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from eclip.api.node import NodeColocation
from eclip.kubectl import advice, cluster
from eclip.kubectl.cluster import Place

GOOD = ("Enforced", "Unmasked", "SingleMask")


def place_json(place: Place) -> dict[str, Any]:
    """One slot, every field that somebody may want to sort by."""
    status, spec = place.status, place.spec
    return {
        "node": place.node,
        "gpu": place.gpu.id,
        "product": place.gpu.product,
        "slot": status.slot,
        "allocation": status.allocation,
        "pod": place.pod,
        "container": status.container,
        "policy": place.policy,
        "workload": spec.workload if spec else None,
        "state": status.state.value,
        "reason": status.reason.value if status.reason else None,
        "means": advice.meaning(
            status.state.value, status.reason.value if status.reason else None, spec.why if spec else None
        ),
        "groups": spec.groups if spec else None,
        "masks": list(status.masks or ()),
        "generation": status.generation,
        "kernelsPerSecond": status.kernels_per_second,
        "hopsPerSecond": status.hops_per_second,
        "mismatches": status.counters.mismatches,
        "requests": status.counters.requests,
        "p95Micros": status.p95_micros,
        "objectiveP95Micros": spec.objective_p95_micros if spec else None,
    }


def status_json(nodes: Sequence[NodeColocation]) -> dict[str, Any]:
    """`nodes[]` with their conditions, `slots[]` of all of them."""
    return {
        "nodes": [
            {
                "name": node.metadata.name,
                "gpus": node.status.summary.gpus,
                "shares": node.status.summary.shares,
                "used": node.status.summary.used,
                "enforced": node.status.summary.enforced,
                "conditions": {found.type: found.status for found in node.status.conditions},
                "trouble": [found.message for found in node.status.conditions if found.status == "False"],
            }
            for node in nodes
        ],
        "slots": [place_json(place) for place in cluster.places(nodes)],
    }


def status_table(answer: dict[str, Any]) -> RenderableType:
    """Nodes, then slots."""
    nodes = Table("node", "GPUs", "shares", "used", "enforced", "ready", "trouble")
    for node in answer["nodes"]:
        ready = node["conditions"].get("Ready", "Unknown")
        counts = (str(node[name]) for name in ("gpus", "shares", "used", "enforced"))
        nodes.add_row(node["name"], *counts, ready, escape("; ".join(dict.fromkeys(node["trouble"]))))
    return Stack(nodes, slots_table(answer["slots"]))


def slots_table(slots: Iterable[dict[str, Any]]) -> Table:
    """One row a slot."""
    made = Table("node", "GPU", "slot", "pod", "workload", "state", "kernels on how many CUs", "kernels/s", "p95")
    for slot in slots:
        made.add_row(
            slot["node"],
            slot["product"],
            slot["slot"].rpartition("-")[2],
            slot["pod"],
            slot["workload"] or "",
            _state(slot),
            slot["groups"] or "",
            _number(slot["kernelsPerSecond"]),
            _latency(slot),
        )
    return made


def top_table(slots: Iterable[dict[str, Any]]) -> Table:
    """One row a slot, figures only."""
    made = Table("node", "slot", "pod")
    for column in ("kernels/s", "hops/s", "mismatches", "requests", "p95"):
        made.add_column(column, justify="right")
    made.add_column("state")
    for slot in slots:
        figures = (_number(slot[name]) for name in ("kernelsPerSecond", "hopsPerSecond", "mismatches", "requests"))
        made.add_row(slot["node"], slot["slot"], slot["pod"], *figures, _latency(slot), _state(slot))
    return made


def explain_json(place: Place, others: Sequence[Place]) -> dict[str, Any]:
    """One slot, the plan that it is part of, and its mates."""
    plan = place.plan.plan if place.plan else None
    return {
        **place_json(place),
        "plan": plan.wire() if plan else None,
        "strategy": place.plan.strategy if place.plan else None,
        "planMessage": place.plan.message if place.plan else None,
        "governedBy": place.plan.policy if place.plan else None,
        "table": place.spec.table if place.spec else None,
        "workers": [worker.wire() for worker in place.spec.workers] if place.spec else [],
        "mates": [place_json(other) for other in others],
    }


def explanation(answer: dict[str, Any]) -> str:
    """In sentences, one a line."""
    lines = [
        f"Pod {answer['pod']}, container {answer['container']}: slot {answer['slot']} of GPU {answer['gpu']} "
        f"({answer['product']}) on node {answer['node']}.",
        f"State {answer['state']}{' (' + answer['reason'] + ')' if answer['reason'] else ''}: {answer['means']}.",
    ]
    if answer["policy"]:
        lines.append(f"It is workload {answer['workload']} of policy {answer['policy']}.")
    if answer["plan"]:
        plan = answer["plan"]
        lines.append(
            f"The GPU's plan: {plan['strategy']}, {plan['streams']} masked streams, at most {100 * plan['gap']:.1f} % "
            f"from the optimum; strategy and objective are those of {answer['governedBy']}."
        )
    if answer["planMessage"]:
        lines.append(f"There is no plan: {answer['planMessage']}.")
    lines += [
        f"Expected beside its mates: {worker['predictedSlowdown']:.2f} times the {worker['soloMicros']:.0f} µs of a "
        "request alone."
        for worker in answer["workers"]
        if worker.get("predictedSlowdown") and worker.get("soloMicros")
    ]
    if answer["groups"]:
        lines.append(f"Its kernels, as count@CUs: {answer['groups']}.")
    if answer["masks"]:
        lines.append(f"Masks read back, as CUs:set: {', '.join(answer['masks'])}.")
    if answer["p95Micros"] is not None:
        lines.append(f"95 of 100 requests take no longer than {_latency(answer)}.")
    mates = ", ".join(f"{mate['pod']} ({mate['state']})" for mate in answer["mates"])
    lines.append(f"On the same GPU: {mates or 'nobody'}.")
    return "\n".join(lines) + "\n"


def _state(slot: dict[str, Any]) -> str:
    text = f"{slot['state']} {slot['reason'] or ''}".strip()
    return text if slot["state"] in GOOD else f"[yellow]{text}[/yellow]" if not slot["reason"] else f"[red]{text}[/red]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def _latency(slot: dict[str, Any]) -> str:
    if slot["p95Micros"] is None:
        return ""
    wanted = slot["objectiveP95Micros"]
    return f"{slot['p95Micros'] / 1000:.2f} ms" + (f" of {wanted / 1000:.2f} ms" if wanted else "")
