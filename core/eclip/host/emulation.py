"""`gpu: emulated`: a GPU made for this run, or the one that ECLIP_EMULATOR names (so that several runs share it).

ECLIP_EMULATED_GPU      a product, default MI50
ECLIP_TIME_SCALE        wall time over GPU time, default 8: small machines cannot launch as fast as a server
ECLIP_EMULATED_TRACE    1: keep a trace of what the chip did
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from eclip import documents
from eclip.emulated import EmulatedGpu
from eclip.errors import InputError
from eclip.gpu.topology import Gpu
from eclip.host.chip import Chip
from eclip.host.meter import Reading

DEFAULT_PRODUCT = "MI50"
DEFAULT_TIME_SCALE = 8.0


@dataclass(frozen=True, slots=True)
class EmulatedMeter:
    """The meters of the emulated chip."""

    emulated: EmulatedGpu

    def reading(self) -> Reading:
        """As of now."""
        found = self.emulated.reading()
        return Reading(found.micros, found.joules, found.busy_cu_micros, found.vram_used_bytes)

    def wall_seconds(self) -> float:
        """GPU time as the wall clock would show it."""
        return self.emulated.reading().micros * self.emulated.time_scale / 1e6


def start(folder: Path, environment: Mapping[str, str]) -> Chip:
    """The emulated GPU, its files written.

    Raises:
        InputError: a variable makes no sense, or the testbed is not built.
    """
    shared = environment.get("ECLIP_EMULATOR")
    if shared:
        return chip_of(_of_config(Path(shared)))
    made = _of_variables(folder, environment).create()
    return replace(chip_of(made), scratch=None if made.trace else folder)


def shape(environment: Mapping[str, str]) -> Gpu:
    """The GPU that `start` would give, without making it."""
    shared = environment.get("ECLIP_EMULATOR")
    return (_of_config(Path(shared)) if shared else _of_variables(Path(), environment)).gpu


def chip_of(emulated: EmulatedGpu) -> Chip:
    """An emulated GPU as any other."""
    meter = EmulatedMeter(emulated)
    return Chip(
        gpu=emulated.gpu,
        product=emulated.row,
        environment=emulated.environment(),
        time_scale=emulated.time_scale,
        virtual_time=emulated.virtual_time,
        clock=meter.wall_seconds if emulated.virtual_time else time.monotonic,
        meter=meter,
        trace=emulated.trace_folder if emulated.trace else None,
        key=f"emulated-{hashlib.sha256(os.fsencode(emulated.config_path.resolve())).hexdigest()[:16]}",
    )


def _of_config(path: Path) -> EmulatedGpu:
    try:
        config = json.loads(documents.read(path))
        product, scale, trace = config["gpus"][0]["product"], float(config["timeScale"]), bool(config["trace"])
        virtual = bool(config.get("virtualTime"))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(f"ECLIP_EMULATOR={path}: is no configuration of the emulated GPU ({error})") from error
    return EmulatedGpu(product, path.parent, time_scale=scale, virtual_time=virtual, trace=trace)


def _of_variables(folder: Path, environment: Mapping[str, str]) -> EmulatedGpu:
    text = environment.get("ECLIP_TIME_SCALE", str(DEFAULT_TIME_SCALE))
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise InputError(f"ECLIP_TIME_SCALE={text}: must be a number above 0, such as 8")
    product = environment.get("ECLIP_EMULATED_GPU", DEFAULT_PRODUCT)
    return EmulatedGpu(product, folder, time_scale=scale, trace=environment.get("ECLIP_EMULATED_TRACE") == "1")
