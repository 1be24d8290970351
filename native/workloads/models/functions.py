"""The kernel functions that the modelled networks launch: one row each, as a deep-learning stack on ROCm has them.

A row fixes the grid (the tile that one workgroup makes), the block, how many workgroups one CU holds at a time, and the
rule for arithmetic and memory traffic. native/workloads/kernels_library.cpp applies the same rules in C++;
tests/e2e/workloads holds the two against each other.

Rules (`m`, `n`, `k`, `z`, `taps`, `stride` are the launch's shape arguments, fp32, each operand moved once):

| kind     | meaning of the shape                                | flops       | bytes                                 |
| -------- | --------------------------------------------------- | ----------- | ------------------------------------- |
| gemm     | z products (m x k) (k x n)                          | 2 m n k z   | 4 z (m k + k n + m n)                 |
| conv     | gemm over patches: k = channels x taps              | 2 m n k z   | 4 z (m k stride^2 / taps + k n + m n) |
| winograd | conv with 3 x 3 taps in F(2x2, 3x3)                 | conv / 2.25 | as conv                               |
| map      | m elements made from k tensors                      | m x work    | 4 m (k + 1)                           |
| window   | m outputs, each from k inputs; n inputs in all      | m k x work  | 4 (m + n)                             |
| row      | m rows of n elements, each read and written once    | m n x work  | 8 m n                                 |

Efficiency is the share of the CU's peak that the inner loop reaches. For tiled kernels it follows from the tile: a
t x t tile does t^2 multiply-adds for 2 t operands that it fetches, hence t / (t + 32); 32 is set so that the largest
tile gets the 80 % of peak that vendor SGEMMs reach on large matrices. Other kernels: 25 %, plain vector code without
packed instructions and with address arithmetic. Both are assumptions of the model, not measurements.
"""

from dataclasses import dataclass
from math import ceil, prod
from typing import NamedTuple

BLOCK = 256
"""Work-items of a workgroup: four waves, one on each SIMD of a CU."""

TILE_EFFICIENCY_CONSTANT = 32
VECTOR_EFFICIENCY = 0.25
WINOGRAD_SAVING = 2.25
"""Multiplications of a direct 3 x 3 convolution over those of F(2x2, 3x3): 36 / 16."""


class Extent(NamedTuple):
    """A launch's shape arguments, see the module's text."""

    m: int
    n: int
    k: int
    z: int
    taps: int
    stride: int


@dataclass(frozen=True)
class Function:
    """One kernel function. `tile_m` x `tile_n` outputs a workgroup; `tile_n` 0: the grid does not split n."""

    name: str
    kind: str
    tile_m: int
    tile_n: int
    resident: int
    work: float = 1.0

    @property
    def efficiency(self) -> float:
        """Share of a CU's peak rate, see the module's text."""
        if self.kind not in ("gemm", "conv", "winograd"):
            return VECTOR_EFFICIENCY
        side = 2 * self.tile_m * self.tile_n / (self.tile_m + self.tile_n)
        return side / (side + TILE_EFFICIENCY_CONSTANT)

    def grid(self, extent: Extent) -> tuple[int, int, int]:
        """Workgroups per dimension."""
        columns = ceil(extent.n / self.tile_n) if self.tile_n else 1
        return ceil(extent.m / self.tile_m), columns, extent.z

    def cost(self, extent: Extent) -> tuple[float, float]:
        """(flops, bytes) of a launch."""
        m, n, k, z, taps, stride = extent
        product = 2.0 * m * n * k * z
        patches = 4.0 * z * (m * k * stride**2 / taps + k * n + m * n)
        rules = {
            "gemm": (product, 4.0 * z * (m * k + k * n + m * n)),
            "conv": (product, patches),
            "winograd": (product / WINOGRAD_SAVING, patches),
            "map": (m * self.work, 4.0 * m * (k + 1)),
            "window": (m * k * self.work, 4.0 * (m + n)),
            "row": (m * n * self.work, 8.0 * m * n),
        }
        return rules[self.kind]


TILES = {
    "gemm": ((128, 128), (64, 64), (32, 32), (16, 64), (8, 32)),
    "conv": ((128, 128), (64, 64), (32, 32)),
    "winograd": ((128, 128), (64, 64), (32, 32)),
}
"""Tiles that exist per kind, largest first. The flat ones are for products with few rows (small batches)."""

LEAST_DEPTH = 128
SPLITS = (1, 2, 4, 8, 16)
"""Ways to split the sum over k among workgroups, as Tensile's global split does; only for a single gemm, and only as
long as each part sums over LEAST_DEPTH products."""


def _tiled() -> list[Function]:
    # One workgroup a CU: four waves with register blocking keep the four SIMDs busy, a second one only queues.
    return [Function(f"{kind}_{m}x{n}", kind, m, n, 1) for kind, tiles in TILES.items() for m, n in tiles]


def _maps() -> list[Function]:
    # 1024 elements a workgroup: four a work-item, loaded as one vector. Eight workgroups fill a CU's 32 wave slots
    # that a kernel with few registers gets.
    works = {
        "fill_bias": 1, "add_bias": 1, "relu": 1, "add": 1, "copy": 1, "concat": 1, "shuffle": 2, "batch_norm": 4,
        "gelu": 20, "tanh_": 16, "gather": 1, "cast_mask": 1, "invert_mask": 1, "scale_mask": 1,
        "group_input": 2, "group_filter": 2, "group_output": 2,
        "fft_transpose_input": 2, "fft_transpose_filter": 2, "fft_transpose_output": 2,
        "relu_backward": 2, "sgd_update": 4, "clear": 1,
    }  # fmt: skip
    return [Function(name, "map", 1024, 0, 8, float(work)) for name, work in works.items()]


def _windows() -> list[Function]:
    # One output a work-item.
    works = {
        "im2col": 1, "max_pool": 1, "average_pool": 1, "depthwise_conv": 2, "max_pool_backward": 2,
        "average_pool_backward": 1, "winograd_input": 3, "winograd_filter": 3, "winograd_output": 3,
        "fft_input": 5, "fft_filter": 5, "fft_inverse": 5, "col2im": 1,
    }  # fmt: skip
    return [Function(name, "window", BLOCK, 0, 8, float(work)) for name, work in works.items()]


def _rows() -> list[Function]:
    # One wave a row, four rows a workgroup.
    works = {"softmax": 12, "layer_norm": 10, "cross_entropy": 14, "cross_entropy_backward": 4, "sum_rows": 1}
    return [Function(name, "row", 4, 0, 8, float(work)) for name, work in works.items()]


FUNCTIONS: tuple[Function, ...] = (*_tiled(), *_maps(), *_windows(), *_rows())
BY_NAME = {function.name: function for function in FUNCTIONS}


@dataclass(frozen=True)
class Tuning:
    """The kernel that a library tuned for this shape on the whole chip would launch."""

    function: Function
    splits: int


COMPUTE_UNITS = 60
CU_FLOPS_PER_MICRO = 13.4e6 / COMPUTE_UNITS
"""MI50: 13.4 TFLOP/s in fp32 at its peak clock (AMD's data sheet)."""
BYTES_PER_MICRO = 1.02e6
"""MI50: 1.02 TB/s (AMD's data sheet)."""


def tuned(kind: str, extent: Extent, *, may_split: bool) -> Tuning:
    """The fastest tile (and split of k) on 60 CUs; of equals, the larger tile."""
    best, best_micros = Tuning(BY_NAME[f"{kind}_128x128"], 1), float("inf")
    for tile_m, tile_n in TILES[kind]:
        function = BY_NAME[f"{kind}_{tile_m}x{tile_n}"]
        for splits in SPLITS if may_split else (1,):
            if splits == 1 or extent.k // splits >= LEAST_DEPTH:
                micros = _tuning_micros(function, split(extent, splits))
                if micros < best_micros * 0.999:
                    best, best_micros = Tuning(function, splits), micros
    return best


def split(extent: Extent, splits: int) -> Extent:
    """The extent with the sum over k in `splits` parts."""
    return extent._replace(k=ceil(extent.k / splits), z=extent.z * splits)


def _tuning_micros(function: Function, extent: Extent) -> float:
    saving = WINOGRAD_SAVING if function.kind == "winograd" else 1.0
    flops = 2.0 * function.tile_m * function.tile_n * extent.k / saving
    wave = flops / (CU_FLOPS_PER_MICRO * function.efficiency)
    _, moved = function.cost(extent)
    waves = ceil(prod(function.grid(extent)) / COMPUTE_UNITS)
    return max(waves * wave, moved / BYTES_PER_MICRO)
