"""Every way to share a GPU, played for one mix: those that run, and `per-kernel-ioctl`, which is for measurement. Pure.

`per-kernel-ioctl` is the paper's KW-IOCTL: each kernel on the CUs that `per-kernel` gives it, but on one queue, whose
mask is set before *every* kernel. The call takes the product's median time and stops the chip meanwhile; what the host
takes to notice that the queue is drained is not known and not counted.
"""

from collections.abc import Sequence
from dataclasses import replace

from eclip import planning
from eclip.contention import Chip, Loop, predict
from eclip.contention.predict import PlannedWorker
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.plan import Plan
from eclip.simulate.arrivals import Arrivals
from eclip.simulate.outcome import Outcome, outcome
from eclip.simulate.player import play
from eclip.simulate.seats import Worker

BY_CALLS = "per-kernel-ioctl"
STRATEGIES = (*planning.STRATEGIES, BY_CALLS)


def simulate(
    gpu: Gpu,
    product: Product,
    workloads: Sequence[planning.Workload],
    options: planning.Options,
    arrivals: Sequence[Arrivals],
    *,
    requests: int,
    seed: int,
) -> tuple[Plan, Outcome]:
    """Plans the mix by the options' strategy and plays the plan for all workers. `arrivals`: of every worker.

    Raises:
        InputError: profiles, sizes or options do not fit the GPU or each other, or there is nothing to play.
        InfeasibleError: no plan keeps the objectives, limits and budgets.
    """
    by_calls = options.strategy == BY_CALLS
    if by_calls:
        options = replace(options, strategy="per-kernel")
    plan = planning.make_plan(gpu, product, workloads, options).full
    parts = zip(workloads, plan.workers, strict=True)
    planned = [PlannedWorker(one.profile, own.groups, own.streams, ceiling=own.ceiling) for one, own in parts]
    loops = predict.loops(gpu, product, planned)
    call = product.mask_ioctl_median_micros if by_calls else None
    workers = [_worker(loop, own, call) for loop, own in zip(loops, arrivals, strict=True)]
    return plan, outcome(play(Chip.of(gpu, product), workers, requests, seed))


def _worker(loop: Loop, arrivals: Arrivals, call_micros: float | None) -> Worker:
    if call_micros is None:
        return Worker(loop, arrivals)
    steps = tuple(replace(step, stream=0, lead_micros=0.0) for step in loop.steps)
    return Worker(replace(loop, steps=steps), arrivals, (call_micros,) * len(steps))
