"""The simulator held against silicon: windows measured on an H100 (tests/data/h100), predicted from kernel profiles.

    python benchmarks/silicon.py                     # fits on the cases for fitting, reports on those held out
    python benchmarks/silicon.py --leave-one-out     # and fits without each mix, which takes minutes

Nothing is tuned per mix: two numbers of the chip are fitted, on all cases for fitting together.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import log
from statistics import fmean

import numpy as np
from h100 import SMS, Case, Measured, gpu, profile, row, solo_per_second, split, windows

from eclip.contention import Chip, predict
from eclip.contention.predict import PlannedWorker
from eclip.documents.profile import KernelProfile
from eclip.plan import Group, Stream
from eclip.simulate import Outcome, Worker, outcome, play

GPU = gpu()
SIZES = {2: (32, 64, 96, SMS), 3: (64, 96, SMS)}
"""By number of workers: what the prototype made streams for."""
KNEE = 0.1
"""A size is enough when it costs no more than this, by the prototype's rule."""
REQUESTS, REPORTED = 4, 12
Sizes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parameters:
    """What is fitted."""

    stream_micros: float
    """Added to every launch for each process that uses more than one stream: further ones cost nothing measurable."""
    interference: float
    """See `eclip.simulate.sharing`."""


def whole(model: KernelProfile, _workers: int) -> Sizes:
    """Plain MPS."""
    return (SMS,) * len(model.kernels)


def equal(model: KernelProfile, workers: int) -> Sizes:
    """The active-thread percentage: a part of the SMs for each process, apart from the others' (an assumption)."""
    return (SMS // workers,) * len(model.kernels)


def knee(model: KernelProfile, workers: int) -> Sizes:
    """One size a model."""
    sizes = SIZES[workers]
    totals = _micros(model, sizes).sum(axis=0)
    return (sizes[int(np.argmax(totals <= totals[-1] * (1 + KNEE)))],) * len(model.kernels)


def per_kernel(model: KernelProfile, workers: int) -> Sizes:
    """One size a kernel."""
    times = _micros(model, SIZES[workers])
    return tuple(SIZES[workers][index] for index in (times <= times[:, -1:] * (1 + KNEE)).argmax(axis=1))


SCHEMES: dict[str, Callable[[KernelProfile, int], Sizes]] = {
    "mps-default": whole,
    "mps-thread-percentage-equal": equal,
    "model-wise-knee": knee,
    "per-kernel-no-budget": per_kernel,
}


def _micros(model: KernelProfile, sizes: Sequence[int]) -> np.ndarray:
    return model.micros[:, [model.sizes.index(size) for size in sizes]]


def _groups(sizes: Sizes) -> tuple[Group, ...]:
    starts = [index for index, size in enumerate(sizes) if index == 0 or sizes[index - 1] != size]
    ends = [*(start - 1 for start in starts[1:]), len(sizes) - 1]
    return tuple(Group(first, last, sizes[first]) for first, last in zip(starts, ends, strict=True))


@cache
def planned(case: Case, scheme: str) -> tuple[PlannedWorker, ...]:
    """Which kernel runs where, from the profiles alone."""
    models = [profile(name, case.batch) for name in windows()[case][scheme].models]
    sizes = [SCHEMES[scheme](model, len(models)) for model in models]
    masked = [sorted({size for size in own if size < SMS}) for own in sizes]
    streams = [_nested(worker, len(masked), own) for worker, own in enumerate(masked)]
    return tuple(
        PlannedWorker(model, _groups(own), its) for model, own, its in zip(models, sizes, streams, strict=True)
    )


def _nested(worker: int, workers: int, sizes: Sequence[int]) -> tuple[Stream, ...]:
    """From the low end, from the high end, and from the middle for a third one, as the prototype laid them out."""
    starts = {size: (0, SMS - size, (SMS - size) // 2)[worker if workers > 1 else 0] for size in sizes}
    return tuple(Stream(size, ((1 << size) - 1) << starts[size]) for size in sizes)


@cache
def simulated(case: Case, scheme: str, parameters: Parameters, requests: int = REQUESTS) -> Outcome:
    """The window as the simulator sees it."""
    parts = planned(case, scheme)
    own = [{group.compute_units for group in part.groups} for part in parts]
    further, switching = sum(len(sizes) - 1 for sizes in own), sum(len(sizes) > 1 for sizes in own)
    product = replace(
        row(),
        stream_micros=parameters.stream_micros * switching / max(1, further),
    )
    workers = [Worker(loop) for loop in predict.loops(GPU, product, parts)]
    return outcome(play(Chip.of(GPU, product), workers, requests, 0, interference=parameters.interference))


def sums(case: Case, measured: Measured, per_second: Sequence[float]) -> float:
    """Sum of throughputs, each over its solo one."""
    solo = solo_per_second()
    return sum(rate / solo[model, case.batch] for rate, model in zip(per_second, measured.models, strict=True))


def loss(cases: Sequence[Case], parameters: Parameters) -> float:
    """Mean squared log error of every process's throughput, over the schemes that follow from profiles."""
    errors = []
    for case in cases:
        for scheme in SCHEMES.keys() & windows()[case].keys():
            found, told = simulated(case, scheme, parameters), windows()[case][scheme].per_second
            errors += [log(one.requests_per_second / rate) ** 2 for one, rate in zip(found.workers, told, strict=True)]
    return fmean(errors)


def fit(cases: Sequence[Case]) -> Parameters:
    """Coordinate descent with shrinking steps."""
    best, steps = Parameters(0.6, 0.6), {"stream_micros": 0.4, "interference": 0.4}
    least = loss(cases, best)
    for _ in range(3):
        for name, size in steps.items():
            for move in (-size, size):
                tried = replace(best, **{name: max(0.0, round(getattr(best, name) + move, 3))})
                if (found := loss(cases, tried)) < least:
                    best, least = tried, found
        steps = {name: size / 2 for name, size in steps.items()}
    return best


@dataclass(frozen=True, slots=True)
class Error:
    """Of one scheme of one case."""

    case: Case
    scheme: str
    total: float
    """Of the sum of throughputs, each over its solo one."""
    p95: float
    """Of the process that is farthest off."""


def error(case: Case, scheme: str, parameters: Parameters) -> Error:
    """Relative errors, positive where the simulator says more."""
    measured, found = windows()[case][scheme], simulated(case, scheme, parameters, REPORTED)
    rates = [worker.requests_per_second for worker in found.workers]
    p95 = [one.p95_micros / told - 1 for one, told in zip(found.workers, measured.p95_micros, strict=True)]
    hops = tuple(len(part.groups) - 1 for part in planned(case, scheme))
    assert hops == measured.hops, f"{case} {scheme}: {hops} hops are derived, {measured.hops} were made"
    told = sums(case, measured, measured.per_second)
    return Error(case, scheme, sums(case, measured, rates) / told - 1, max(p95, key=abs))


def errors(cases: Sequence[Case], parameters: Parameters) -> list[Error]:
    """Of all schemes that were measured."""
    return [error(case, scheme, parameters) for case in cases for scheme in SCHEMES if scheme in windows()[case]]


def choice_loss(case: Case, parameters: Parameters) -> float:
    """What is lost by choosing the scheme that the simulator likes best."""
    measured = {scheme: windows()[case][scheme] for scheme in SCHEMES if scheme in windows()[case]}
    truth = {scheme: sums(case, told, told.per_second) for scheme, told in measured.items()}
    liked = {
        scheme: sums(
            case, told, [one.requests_per_second for one in simulated(case, scheme, parameters, REPORTED).workers]
        )
        for scheme, told in measured.items()
    }
    return 1 - truth[max(liked, key=lambda scheme: liked[scheme])] / max(truth.values())


def report(title: str, found: Sequence[Error]) -> None:
    """One line a window, then the means."""
    print(f"\n{title}")
    for one in found:
        name = f"{one.case.mix} b{one.case.batch}"
        print(f"  {name:22s} {one.scheme:28s} sum {one.total:+7.1%}   p95 {one.p95:+7.1%}")
    within = sum(abs(one.total) <= 0.1 for one in found), sum(abs(one.p95) <= 0.2 for one in found)
    mean, p95 = fmean(abs(one.total) for one in found), fmean(abs(one.p95) for one in found)
    print(f"  mean error: sum {mean:.1%}, p95 {p95:.1%}; {within[0]} of {len(found)} sums within 10 %, ", end="")
    print(f"{within[1]} p95 within 20 %")


def main() -> None:
    """Fits, and reports on what is held out."""
    fitting, held_out = split()
    plain, fitted = Parameters(0.0, 0.0), fit(fitting)
    report("held out, the contention model alone", errors(held_out, plain))
    report(f"held out, fitted: {fitted}", errors(held_out, fitted))
    losses = [choice_loss(case, fitted) for case in held_out]
    print(f"\nchoosing the scheme liked best loses {fmean(losses):.1%} on average, {max(losses):.1%} at most")
    if "--leave-one-out" in sys.argv:
        every = [*fitting, *held_out]
        for mix in sorted({case.mix for case in every}):
            found = fit([case for case in every if case.mix != mix])
            report(
                f"{mix}, fitted on all other mixes: {found}", errors([one for one in every if one.mix == mix], found)
            )


if __name__ == "__main__":
    main()
