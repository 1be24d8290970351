"""All slots under a state root, seen from outside: for `eclip top`. Reads only; slots may come and go meanwhile."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eclip import slot
from eclip.errors import InputError
from eclip.host import readings
from eclip.slot import records, stats, table
from eclip.slot.clients import ClientRecord


@dataclass(frozen=True, slots=True)
class Seen:
    """One slot at one time."""

    name: str
    at: float
    generation: int
    active: int
    table: table.Table | None
    clients: tuple[ClientRecord, ...]


def look(root: Path) -> dict[Path, Seen]:
    """Every slot that can be read; one that goes away meanwhile is left out."""
    found = {}
    for folder in slot.folders(root):
        try:
            found[folder] = see(folder)
        except (InputError, OSError):
            continue
    return found


def see(folder: Path) -> Seen:
    """One slot.

    Raises:
        InputError: it is no slot folder, or its files are not what they should be.
    """
    control = _control(folder / "config" / "control")
    generation = int(control["generation"])
    made = table.decode((folder / "config" / f"table.{generation}").read_bytes()) if generation else None
    clients = stats.read(folder / "stats")
    return Seen(folder.parent.name, time.monotonic(), generation, int(control["active"]), made, clients)


def _control(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) != records.CONTROL_BYTES:
        raise InputError(f"{path}: is no control page: it has not {records.CONTROL_BYTES} bytes")
    control = np.frombuffer(data, records.CONTROL, count=1)[0]
    if (control["magic"], control["version"]) != (records.CONTROL_MAGIC, records.VERSION):
        raise InputError(f"{path}: is no control page of version {records.VERSION}")
    return control


def compare(before: Mapping[Path, Seen], now: Mapping[Path, Seen]) -> list[dict[str, Any]]:
    """What every slot did between two looks, per second of wall time."""
    return [_slot(before.get(folder), seen) for folder, seen in now.items()]


def _slot(before: Seen | None, seen: Seen) -> dict[str, Any]:
    proof = readings.proof(seen.clients, seen.generation)
    models = [model.name for model in seen.table.models] if seen.table else []
    earlier = readings.noted({}, models, before.clients if before else ())
    later = readings.noted(earlier, models, seen.clients)
    seconds = max(seen.at - before.at, 1e-9) if before else float("inf")
    return {
        "slot": seen.name,
        "generation": seen.generation,
        "active": f"{seen.active:#x}",
        "inForce": proof.in_force,
        "why": proof.why,
        "programs": [{"name": client.executable, "pid": client.pid} for client in seen.clients if client.alive],
        "models": [_model(seen, earlier, later, name, seconds) for name in models],
    }


def _model(seen: Seen, earlier: readings.Ledger, later: readings.Ledger, name: str, seconds: float) -> dict[str, Any]:
    done = readings.total(later, name).minus(readings.total(earlier, name))
    return {
        "name": name,
        "kernelsPerSecond": done.launches / seconds,
        "requestsPerSecond": done.requests / seconds,
        "p95Micros": done.request_micros.quantile(0.95),
        "groups": _groups(seen, name),
        "hopsPerRequest": done.hops / done.requests if done.requests else 0.0,
        "mismatchesPerSecond": done.mismatches / seconds,
    }


def _groups(seen: Seen, name: str) -> int:
    """Groups of a request under the variant that is in force now."""
    assert seen.table
    index = next(index for index, model in enumerate(seen.table.models) if model.name == name)
    variant = next((found for found in seen.table.variants if found.active == seen.active), seen.table.variants[0])
    return len(variant.choices[index])
