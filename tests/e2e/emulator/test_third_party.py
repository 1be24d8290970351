"""Real clients of HIP, as the distribution ships them, run over the emulated GPU."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from eclip.emulated import LIBRARIES, EmulatedGpu


def test_rocrand_and_rocsparse_run_and_their_launches_are_traced(
    make_gpu: Callable[..., EmulatedGpu], programs: Any
) -> None:
    gpu = make_gpu(trace=True)
    assert programs.run(gpu, str(LIBRARIES / "third_party")).endswith("passed\n")
    (program,) = gpu.programs()
    launches = Counter(kernel.name for kernel in program.kernels if not kernel.runtime)
    drawn = sum(count for name, count in launches.items() if "rocrand" in name and "generate" in name)
    added = sum(count for name, count in launches.items() if "axpyi" in name)
    assert (drawn, added) == (3, 10)
    assert all(kernel.end > kernel.begin for kernel in program.kernels)
