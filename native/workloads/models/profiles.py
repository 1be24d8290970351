#!/usr/bin/env python3
"""Writes modelled KernelProfiles of the workloads on the MI50: examples/profiles/<model>-b<batch>.yaml.

The times come from the shapes of libeclip_workload_kernels.so and eclip_load_of of libeclip_contention.so, on whole
shader engines: what the emulated MI50 would take for a kernel that runs alone. `origin` says Modelled.
"""

import argparse
import sys
from pathlib import Path

from functions import BLOCK
from generate import BATCHES, BUILDERS
from kernels_abi import KernelLibrary

import eclip
from eclip.contention import Chip, load_of
from eclip.documents.profile import KernelCall, KernelProfile, dump
from eclip.gpu.products import gpu_for, product
from eclip.plan import CuSet

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = "MI50"


def engine_sets(chip: Chip) -> tuple[CuSet, ...]:
    """The CUs of the first 1, 2, ... shader engines."""
    return tuple(
        sum(1 << bit for bit, engine in enumerate(chip.engine_of) if engine <= last) for last in range(chip.engines)
    )


def modelled(model: str, batch: int, library: KernelLibrary) -> KernelProfile:
    """The profile of one request of a model. The tiles are those that the program launches: tuned for its own batch."""
    chip = Chip.of(gpu_for(PRODUCT), product(PRODUCT))
    sets = engine_sets(chip)
    kernels = []
    for launch in BUILDERS[model](BATCHES[model]).launches:
        name, grid = launch.function.name, launch.grid(batch)
        shape = library.shape(name, grid, BLOCK, launch.at(batch))
        micros = tuple(round(load_of(chip, shape, cus).solo_micros, 3) for cus in sets)
        kernels.append(KernelCall(name, grid, (BLOCK, 1, 1), micros))
    return KernelProfile(
        name=f"{model}-b{batch}",
        product=PRODUCT,
        compute_units=chip.compute_units,
        origin="Modelled",
        sizes=tuple(cus.bit_count() for cus in sets),
        kernels=tuple(kernels),
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Writes modelled kernel profiles of the workloads.")
    native = Path(eclip.__file__).parent / "native"
    parser.add_argument("--kernels", type=Path, default=native / "workloads" / "libeclip_workload_kernels.so")
    parser.add_argument("--to", type=Path, default=ROOT / "examples" / "profiles", help="folder")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    options = parser.parse_args()
    library = KernelLibrary(options.kernels)
    for model, batch in BATCHES.items():
        profile = modelled(model, batch, library)
        path: Path = options.to / f"{profile.name}.yaml"
        text = dump(profile)
        if options.check:
            if not path.exists() or path.read_text() != text:
                sys.stderr.write(f"{path.name}: out of date, run native/workloads/models/profiles.py\n")
                return 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(text)
        temporary.replace(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
