"""Which masked streams a plan uses: a layout for the sizes in use, and how many of them one process can hold. Pure."""

from collections.abc import Mapping, Sequence

from eclip import layout
from eclip.errors import InfeasibleError
from eclip.gpu import masks
from eclip.gpu.budgets import PROCESS_STREAMS
from eclip.gpu.products import Product
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet, Plan, Stream

Streams = tuple[tuple[Stream, ...], ...]


def choose(
    gpu: Gpu,
    product: Product,
    sizes: Sequence[Sequence[int]],
    ceilings: Sequence[CuSet | None],
    known: Sequence[tuple[Stream, ...]],
    *,
    only_known: bool = False,
) -> Streams:
    """A layout for the sizes in use, by worker; the streams that exist already, where they share no more CUs.

    `only_known`: those that exist already, whatever they share.
    """
    own = [Stream(reach.bit_count(), reach) for reach in (masks.within(gpu, ceiling) for ceiling in ceilings)]
    masked = [[size for size in mine if size != its.compute_units] for mine, its in zip(sizes, own, strict=True)]
    by_size = [{stream.compute_units: stream for stream in streams} for streams in known]
    if not all(set(mine) <= set(have) for mine, have in zip(masked, by_size, strict=True)):
        return layout.layout(gpu, product, sizes, ceilings)
    reused = tuple(tuple(have[size] for size in mine) for mine, have in zip(masked, by_size, strict=True))
    if only_known:
        return reused
    fresh = layout.layout(gpu, product, sizes, ceilings)
    in_use = [(its,) if its.compute_units in mine else () for mine, its in zip(sizes, own, strict=True)]
    return reused if _shared(reused, in_use) <= _shared(fresh, in_use) else fresh


class Held:
    """The masked streams of every process, over all plans that may come into force: it creates each of them once."""

    def __init__(self, processes: Mapping[str, str]) -> None:
        """`processes`: by worker, the process that it runs in."""
        self._processes = processes
        self._held: dict[str, set[CuSet]] = {process: set() for process in processes.values()}

    def excess(self, plan: Plan) -> int:
        """By how many streams the process that has most would have too many with this plan; 0 if all can hold it."""
        most = max(len(held) for held in self._with(plan).values())
        return max(0, most - PROCESS_STREAMS)

    def add(self, plan: Plan) -> None:
        """Raises InfeasibleError if a process cannot hold the streams of this plan beside those it has."""
        self._held = self._with(plan)
        for process, held in self._held.items():
            if len(held) > PROCESS_STREAMS:
                raise InfeasibleError(
                    f"process {process}: its plans use {len(held)} masked streams, one process holds at most "
                    f"{PROCESS_STREAMS}; allow its workers fewer sizes, or run its models in several processes"
                )

    def _with(self, plan: Plan) -> dict[str, set[CuSet]]:
        grown = {process: set(held) for process, held in self._held.items()}
        for worker in plan.workers:
            grown[self._processes[worker.name]] |= {stream.cu_set for stream in worker.streams}
        return grown


def _shared(masked: Streams, own: Sequence[tuple[Stream, ...]]) -> int:
    """CUs shared, summed over all pairs (a stream of one worker, a stream of another)."""
    streams = [(*mine, *its) for mine, its in zip(masked, own, strict=True)]
    return sum(
        (one.cu_set & other.cu_set).bit_count()
        for index, mine in enumerate(streams)
        for theirs in streams[index + 1 :]
        for one in mine
        for other in theirs
    )
