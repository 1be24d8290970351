#!/usr/bin/env python3
"""Writes native/workloads/generated/ from the networks' layers, or says whether it is up to date.

Without options it writes; `--check` exits with 1 and names the first file that differs; `--list MODEL [--batch B]`
prints one launch per line: function, grid, block, shape, flops, bytes, buffers.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import albert
import convnets
import training
from functions import BLOCK, FUNCTIONS, Function
from network import AXES, Network, Parameter, Placed

GENERATED = Path(__file__).resolve().parent.parent / "generated"

BATCHES: dict[str, int] = {
    "albert": 1,
    "alexnet": 8,
    "densenet201": 4,
    "resnet152": 2,
    "resnext101": 1,
    "shufflenet": 8,
    "training": 4,
    "vgg19": 1,
}
"""Samples in one request. The paper does not print its batch sizes. These keep a request of every model between about
1 and 10 ms on the modelled MI50, as an interactive service needs, and leave many kernels too narrow for 60 CUs."""

BUILDERS: dict[str, Callable[[int], Network]] = {
    "albert": albert.albert,
    "alexnet": convnets.alexnet,
    "densenet201": convnets.densenet201,
    "resnet152": convnets.resnet152,
    "resnext101": convnets.resnext101,
    "shufflenet": convnets.shufflenet,
    "training": training.training,
    "vgg19": convnets.vgg19,
}

HEAD = "// Made by native/workloads/models/generate.py; `make gen` writes it anew.\n// clang-format off\n"


def _function(function: Function) -> str:
    return (
        f"KERNEL({function.name}, {function.kind}, {function.tile_m}, {function.tile_n}, {BLOCK}, "
        f"{function.resident}, {function.work:.1f}, {function.efficiency:.6f})\n"
    )


def _row(placed: Placed) -> str:
    launch, e = placed.launch, placed.launch.extent
    scales = sum(1 << AXES.index(axis) for axis in launch.scales)
    return (
        f"  {{k_{launch.function.name}, {scales}, {e.taps}, {e.stride}, {int(launch.accumulates)}, "
        f"{e.m}, {e.n}, {e.k}, {e.z}, {placed.inputs[0]}, {placed.inputs[1]}, {placed.output}}},\n"
    )


def _model(net: Network) -> str:
    placed, buffers = net.placed()
    stateful = any(isinstance(launch.output, Parameter) for launch in net.launches)
    rows = "".join(_row(p) for p in placed)
    return (
        f'{HEAD}#include "../model.h"\n\nnamespace workloads {{\n\nnamespace {{\n'
        f"const Row rows[] = {{\n{rows}}};\n}}  // namespace\n\n"
        f'extern const Model {net.name}{{"{net.name}", {net.batch}, rows, {len(placed)}, {buffers}, {net.parameters}, '
        f"{str(stateful).lower()}}};\n\n}}  // namespace workloads\n"
    )


def files() -> dict[str, str]:
    """Name and text of every generated file."""
    texts = {"functions.inc": HEAD + "".join(_function(function) for function in FUNCTIONS)}
    for name, build in BUILDERS.items():
        texts[f"{name}.cpp"] = _model(build(BATCHES[name]))
    return texts


def listing(model: str, batch: int) -> str:
    """The launches of one request of a model, for people and for tests."""
    lines = ["function,grid_x,grid_y,grid_z,block,m,n,k,z,taps,stride,flops,bytes,in0,in1,out"]
    placed, _ = BUILDERS[model](BATCHES[model]).placed()
    for p in placed:
        shape = p.launch.at(batch)
        flops, moved = p.launch.function.cost(shape)
        cells = [
            p.launch.function.name, *p.launch.grid(batch), BLOCK, *shape, f"{flops:.0f}", f"{moved:.0f}",
            *p.inputs, p.output,
        ]  # fmt: skip
        lines.append(",".join(str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Generates the workloads' launch sequences from layer shapes.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    parser.add_argument("--list", metavar="MODEL", choices=sorted(BUILDERS), help="print one model's launches as CSV")
    parser.add_argument("--batch", type=int, help="samples per request, for --list")
    options = parser.parse_args()
    if options.list:
        sys.stdout.write(listing(options.list, options.batch or BATCHES[options.list]))
        return 0
    for name, text in files().items():
        path = GENERATED / name
        if not options.check:
            _write(path, text)
        elif not path.exists() or path.read_text() != text:
            sys.stderr.write(f"{path.name}: out of date, run make gen\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
