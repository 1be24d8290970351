"""What the contention model costs: per start or finish of a kernel, per predicted request, per inferred kernel.

Baseline of an event is the same event on a chip that nobody shares. Times are the least of several runs, since others
on the machine can only add to them.
"""

import time
from collections.abc import Callable

from eclip import contention
from eclip.contention import Chip, Load, abi, demand, predict
from eclip.documents.profile import KernelCall, KernelProfile
from eclip.gpu import products
from eclip.plan import Group

GPU, ROW = products.gpu_for("MI50"), products.product("MI50")
CHIP = Chip.of(GPU, ROW)
ENGINES = [sum(1 << bit for bit, at in enumerate(CHIP.engine_of) if at == engine) for engine in range(4)]
EVENTS, RUNS = 20_000, 7


def least_micros(work: Callable[[], None], count: int) -> float:
    """Microseconds per operation of the fastest of several runs."""

    def run() -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    return min(run() for _ in range(RUNS)) * 1e6 / count


def event_micros(mates: list[Load], load: Load) -> float:
    """One start or one finish of a kernel beside its mates; the call from Python is subtracted."""
    library, state, native = abi.library(), abi.Fluid(), CHIP.native
    library.eclip_fluid_init(state, 0.0)
    for mate in mates:
        library.eclip_fluid_start(native, state, mate.native())
    kernel = load.native()

    def events() -> None:
        for _ in range(EVENTS // 2):
            library.eclip_fluid_remove(native, state, library.eclip_fluid_start(native, state, kernel))

    def calls() -> None:
        for _ in range(EVENTS // 2):
            library.eclip_fluid_remove(native, state, library.eclip_fluid_remove(native, state, 0) or 0)

    return least_micros(events, EVENTS) - least_micros(calls, EVENTS)


def crowd(masks: list[int], traffic: float) -> list[Load]:
    """Eight kernels of different width, on these masks in turn."""
    loads = []
    for index in range(8):
        mask = masks[index % len(masks)]
        busy = mask.bit_count() * (0.3 + 0.1 * index)
        loads.append(Load(mask, 100.0 + index, busy, traffic * (index % 3) * CHIP.bytes_per_micro))
    return loads


def profile(kernels: int) -> KernelProfile:
    """Kernels of all kinds, on 15, 30, 45 and 60 CUs."""
    calls = []
    for index in range(kernels):
        shape = contention.Shape(5 + 37 * index % 900, 1 + 7 * (index % 2), 3.0 + index % 11, 2e6 * (index % 5))
        masks = (ENGINES[0], ENGINES[0] | ENGINES[2], ENGINES[0] | ENGINES[1] | ENGINES[2], CHIP.whole)
        times = tuple(contention.load_of(CHIP, shape, mask).solo_micros for mask in masks)
        calls.append(KernelCall(f"k{index}", (int(shape.workgroups), 1, 1), (256, 1, 1), times))
    return KernelProfile("mixed", "MI50", 60, "Modelled", (15, 30, 45, 60), tuple(calls))


def predicting(kernels: int, *, cold: bool) -> float:
    """Milliseconds of one prediction for two workers of so many kernels."""
    worker = predict.PlannedWorker(profile(kernels), (Group(0, kernels - 1, 60),), ())

    def work() -> None:
        if cold:
            demand.infer.cache_clear()
        predict.predict(GPU, ROW, [worker, worker])

    return least_micros(work, 1) / 1e3


def main() -> None:
    """Prints the table."""
    alone = event_micros([], Load(CHIP.whole, 100.0, 60.0, 0.0))
    print("contention model, MI50: 60 CUs, a start or a finish")
    print(f"  {'one kernel (baseline)':<44}{alone:8.2f} us")
    for name, loads in (
        ("8 kernels on the whole chip", crowd([CHIP.whole], 0.0)),
        ("8 kernels on nested and disjoint masks", crowd([ENGINES[0], ENGINES[0] | ENGINES[2], CHIP.whole], 0.0)),
        ("8 kernels that fight for bandwidth as well", crowd([CHIP.whole], 0.3)),
    ):
        micros = event_micros(loads[:7], loads[7])
        print(f"  {name:<44}{micros:8.2f} us {micros / alone:6.1f} x")
    print("prediction for two workers of 711 kernels each")
    print(f"  {'first':<44}{predicting(711, cold=True):8.1f} ms")
    print(f"  {'next, demands known':<44}{predicting(711, cold=False):8.1f} ms")


if __name__ == "__main__":
    main()
