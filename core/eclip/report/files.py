"""What is in a file of ours: told by its content, as JSON and as a table."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.table import Table

from eclip import documents, plan
from eclip.documents import colocation, profile
from eclip.errors import InputError
from eclip.gpu import masks
from eclip.host import readings, watching
from eclip.report import shapes
from eclip.slot import records, stats, table
from eclip.slot.clients import ClientRecord


@dataclass(frozen=True, slots=True)
class Found:
    """A file, in both forms."""

    answer: Mapping[str, Any]
    table: Callable[[], RenderableType]


def inspect(path: Path) -> Found:
    """Look at a file or a slot folder.

    Raises:
        InputError: it is none of ours, or damaged; says how.
    """
    if path.is_dir():
        return _slot(path)
    head = _head(path)
    if head[4:8] == table.IDENTIFIER:
        return _table(table.decode(path.read_bytes()))
    magic = int.from_bytes(head[:4], "little")
    if magic == records.STATS_MAGIC:
        return _stats(stats.read(path))
    if magic == records.PROFILE_MAGIC:
        return _progress(path)
    if head.lstrip()[:1] in (b"{", b"["):
        return _json(path)
    return _document(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _document(path: Path) -> Found:
    text = documents.read(path)
    kinds = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("kind:")]
    if kinds == ["KernelProfile"]:
        return _profile(profile.parse(text, str(path)))
    if kinds == ["Colocation"]:
        return _colocation(colocation.parse(text, str(path), path.absolute().parent))
    raise InputError(
        f"{path}: is no file of ours: no kind KernelProfile or Colocation, no table, no statistics, no plan"
    )


def _profile(found: profile.KernelProfile) -> Found:
    thresholds = found.thresholds()
    totals = found.micros.sum(axis=0).tolist()
    longest = [
        {"kernel": index, "symbol": found.kernels[index].symbol, "micros": list(found.kernels[index].micros)}
        for index in found.micros[:, -1].argsort()[::-1][:8].tolist()
    ]
    answer = {
        "kind": "KernelProfile",
        "name": found.name,
        "product": found.product,
        "origin": found.origin,
        "kernels": len(found.kernels),
        "symbols": len(found.symbols),
        "streams": list(found.streams),
        "requestMicros": dict(zip(map(str, found.sizes), totals, strict=True)),
        "thresholds": {str(size): count for size, count in sorted(Counter(thresholds).items())},
        "longest": longest,
    }

    def shown() -> RenderableType:
        sizes = Table("CUs", "one request", "times the whole GPU", "kernels that need no more")
        for size, total in zip(found.sizes, totals, strict=True):
            sizes.add_row(str(size), f"{total:.0f} µs", f"{total / totals[-1]:.2f}", str(thresholds.count(size)))
        kernels = Table("kernel", "symbol", *(f"{size} CUs" for size in found.sizes), title="longest kernels")
        for kernel in longest:
            kernels.add_row(str(kernel["kernel"]), kernel["symbol"], *(f"{time:.1f}" for time in kernel["micros"]))
        title = f"{found.name}: {len(found.kernels)} kernels a request on {found.product}, {found.origin.lower()}"
        return Stack(title, sizes, kernels)

    return Found(answer, shown)


def _colocation(found: colocation.Colocation) -> Found:
    answer = {
        "kind": "Colocation",
        "gpus": list(found.gpus),
        "strategy": found.strategy,
        "objective": found.objective,
        "maxSwitches": found.max_switches,
        "workloads": [
            {
                "name": workload.name,
                "gpu": workload.gpu,
                "command": list(workload.command),
                "profiles": [str(path) for path in workload.profiles],
                "weight": workload.weight,
                "class": "BestEffort" if workload.best_effort else "Realtime",
                "p95Micros": workload.latency_micros,
                "restart": workload.restart,
            }
            for workload in found.workloads
        ],
    }
    title = f"colocation by {found.strategy}, {found.objective}"
    columns = ("name", "gpu", "class", "weight", "p95Micros", "restart", "command")
    return Found(answer, lambda: _rows(title, columns, answer["workloads"]))  # type: ignore[arg-type]


def _table(found: table.Table) -> Found:
    answer = {
        "kind": "LookupTable",
        "product": found.product,
        "computeUnits": found.compute_units,
        "streams": [_stream(stream, found.compute_units) for stream in found.streams],
        "models": [
            {"name": model.name, "kernels": len(model.kernels), "symbols": len(model.symbols), "worker": model.worker}
            for model in found.models
        ],
        "variants": [
            {
                "active": f"{variant.active:#x}",
                "choices": [
                    [{"first": group.first, "last": group.last, "stream": group.stream} for group in groups]
                    for groups in variant.choices
                ],
            }
            for variant in found.variants
        ],
    }

    def shown() -> RenderableType:
        variants = Table("active", *(model.name for model in found.models), title="groups by set of active workers")
        for variant in found.variants:
            variants.add_row(f"{variant.active:#x}", *(_groups(found, groups) for groups in variant.choices))
        streams = _rows("masked streams", ("computeUnits", "mask"), answer["streams"])  # type: ignore[arg-type]
        return Stack(f"lookup table for {found.product}", streams, variants)

    return Found(answer, shown)


def _groups(found: table.Table, groups: Sequence[table.StreamGroup], most: int = 8) -> str:
    def cus(stream: int) -> int:
        return found.compute_units if stream == table.OWN_STREAM else found.streams[stream].compute_units

    shown = [f"{group.first}-{group.last}: {cus(group.stream)}" for group in groups[:most]]
    return ", ".join(shown) + (f", and {len(groups) - most} more" if len(groups) > most else "")


def _stream(stream: plan.Stream, width: int) -> dict[str, Any]:
    """As of a GPU of `width` CUs."""
    return {"computeUnits": stream.compute_units, "mask": masks.text(masks.words(stream.cu_set, width))}


def _slot(folder: Path) -> Found:
    seen = watching.see(folder)
    proof = readings.proof(seen.clients, seen.generation)
    inner = _table(seen.table) if seen.table else None
    answer = {
        "kind": "Slot",
        "name": seen.name,
        "allocation": folder.name,
        "generation": seen.generation,
        "active": f"{seen.active:#x}",
        "inForce": proof.in_force,
        "why": proof.why,
        "table": inner.answer if inner else None,
        "programs": [_client(client) for client in seen.clients],
    }
    title = f"slot {seen.name}: table {seen.generation}, active {seen.active:#x}, {proof.why}"
    return Found(answer, lambda: Stack(title, _clients(seen.clients), inner.table() if inner else "no table"))


def _stats(clients: tuple[ClientRecord, ...]) -> Found:
    return Found({"kind": "Statistics", "programs": [_client(client) for client in clients]}, lambda: _clients(clients))


def _client(client: ClientRecord) -> dict[str, Any]:
    return {
        "program": client.executable,
        "pid": client.pid,
        "alive": client.alive,
        "hipVersion": client.hip_version,
        "mode": client.mode,
        "way": client.way,
        "generation": client.current.generation,
        "launches": client.current.launches,
        "redirected": client.current.redirected,
        "passed": dict(client.current.passed),
        "requests": sum(model.requests for model in client.current.models),
        "mismatches": sum(model.mismatches for model in client.current.models),
        "tablesRefused": client.tables_refused,
        "refusedText": client.refused_text,
        "streams": [
            {"computeUnits": proof.compute_units, "state": proof.state, "inForce": proof.in_force}
            for proof in client.streams
        ],
    }


def _clients(clients: tuple[ClientRecord, ...]) -> RenderableType:
    columns = ("program", "pid", "alive", "mode", "generation", "launches", "redirected", "requests", "mismatches")
    return _rows("programs under this table generation", columns, [_client(client) for client in clients])


def _progress(path: Path) -> Found:
    found = stats.read_profile(path)
    answer = {"kind": "ProfileProgress", "state": found.state, "percent": found.percent}
    return Found(answer, lambda: f"profile: {found.state}, {found.percent} %")


def _json(path: Path) -> Found:
    try:
        found = json.loads(documents.read(path))
    except ValueError as error:
        raise InputError(f"{path}: is damaged JSON: {error}") from error
    if isinstance(found, dict) and "traceEvents" in found:
        return _trace(found["traceEvents"])
    if isinstance(found, dict) and {"objective", "workers"} <= found.keys():
        return Found(found, lambda: shapes.plan_table(found))
    if isinstance(found, dict) and {"workers"} == found.keys():
        return Found(found, lambda: shapes.layout_table(found))
    raise InputError(f"{path}: is JSON, but no plan, no layout and no trace")


def _trace(events: Sequence[Mapping[str, Any]]) -> Found:
    kernels = [event for event in events if event.get("ph") == "X"]
    by_name: dict[str, list[float]] = {}
    for event in kernels:
        by_name.setdefault(str(event.get("name")), []).append(float(event.get("dur", 0.0)))
    longest = sorted(by_name.items(), key=lambda item: -sum(item[1]))[:12]
    answer = {
        "kind": "Trace",
        "events": len(events),
        "spans": len(kernels),
        "names": [{"name": name, "count": len(times), "micros": sum(times)} for name, times in longest],
    }
    title = f"trace: {len(kernels)} spans; the names that took longest"
    return Found(answer, lambda: _rows(title, ("name", "count", "micros"), answer["names"]))  # type: ignore[arg-type]


def _rows(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Table:
    made = Table(*columns, title=title, title_justify="left")
    for row in rows:
        made.add_row(*("" if row[column] is None else _cell(row[column]) for column in columns))
    return made


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
