"""Measured windows of an H100, its kernel profiles, and the chip as a row of a product table (tests/data/h100)."""

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import yaml

from eclip.documents.profile import KernelCall, KernelProfile
from eclip.gpu import products
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu

DATA = Path(__file__).parents[1] / "tests" / "data" / "h100"
SMS = 132
LEAST = 0.1
"""Of a kernel's time, whatever the events around it took."""


@dataclass(frozen=True, slots=True)
class Case:
    """A mix at a batch size. `split.yaml` says which ones may be fitted on."""

    mix: str
    batch: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over the repetitions of one scheme, by process."""

    models: tuple[str, ...]
    per_second: tuple[float, ...]
    p95_micros: tuple[float, ...]
    hops: tuple[int, ...]


def gpu() -> Gpu:
    """The chip's shape: all SMs in one engine."""
    return Gpu(1, "H100", "gfx900", (((SMS,),),), 0, 128, None, 85899345920)


def row() -> Product:
    """The chip's costs."""
    return products.parse((DATA / "product.yaml").read_text(), "product.yaml")["H100"]


def split() -> tuple[list[Case], list[Case]]:
    """Cases for fitting, cases held out."""
    told = yaml.safe_load((DATA / "split.yaml").read_text())
    fitting, held_out = ([Case(**case) for case in told[part]] for part in ("fitting", "heldOut"))
    return fitting, held_out


@cache
def windows() -> Mapping[Case, Mapping[str, Measured]]:
    """Replay windows of two processes or more, by case and scheme."""
    found: dict[Case, dict[str, list[dict[str, str]]]] = defaultdict(lambda: defaultdict(list))
    with (DATA / "colocation.csv").open() as file:
        for line in csv.DictReader(file):
            if line["replay_or_eager"] == "replay" and " " in line["models"]:
                found[Case(line["mix"], int(line["batch"]))][line["scheme"]].append(line)
    return {case: {name: _mean(lines) for name, lines in schemes.items()} for case, schemes in found.items()}


@cache
def solo_per_second() -> Mapping[tuple[str, int], float]:
    """Requests per second of a model at a batch size, alone."""
    with (DATA / "solo.csv").open() as file:
        return {(line["model"], int(line["batch"])): float(line["requests_per_s"]) for line in csv.DictReader(file)}


@cache
def profile(model: str, batch: int) -> KernelProfile:
    """Times of launches in a row: less what the events around each launch took, the same for all launches of a request.

    Sizes that a scheme needs and nobody profiled (a half, a third) are put in between, linear in 1/SMs.
    """
    told = _profiles()[model][str(batch)]
    micros = np.array([kernel["micros"] for kernel in told["kernels"]])
    events = (micros[:, -1].sum() - told["requestMicrosFullGpu"]) / len(micros)
    micros = np.maximum(micros - events, LEAST * micros)
    sizes = sorted({*told["sizes"], SMS // 2, SMS // 3})
    inverse = [-1 / size for size in sizes]
    known = [-1 / size for size in told["sizes"]]
    rows = [np.interp(inverse, known, times) for times in micros]
    return KernelProfile(
        name=f"{model}-b{batch}",
        product="H100",
        compute_units=SMS,
        origin="Measured",
        sizes=tuple(sizes),
        kernels=tuple(_call(kernel, times.tolist()) for kernel, times in zip(told["kernels"], rows, strict=True)),
        streams=("Null",),
    )


@cache
def _profiles() -> Any:
    with gzip.open(DATA / "profiles.json.gz") as file:
        return json.load(file)["profiles"]


def _call(kernel: Mapping[str, Any], micros: Sequence[float]) -> KernelCall:
    grid, block = (tuple(max(1, part) for part in (kernel[key] or (1, 1, 1))) for key in ("grid", "block"))
    return KernelCall(kernel["name"], grid, block, tuple(micros))


def _mean(lines: Sequence[Mapping[str, str]]) -> Measured:
    def of(field: str) -> tuple[float, ...]:
        return tuple(map(fmean, zip(*([float(part) for part in line[field].split()] for line in lines), strict=True)))

    return Measured(
        models=tuple(lines[0]["models"].split()),
        per_second=of("requests_per_s"),
        p95_micros=tuple(1e3 * millis for millis in of("p95_ms")),
        hops=tuple(map(int, lines[0]["hops_per_request"].split())),
    )
