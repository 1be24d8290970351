"""What a mix may use of a GPU's front end: hardware queues and process slots, counted over all workers.

A queue counts while it has unfinished packets, and every stream in use has one: a masked stream always its own, an
application's streams one each. Beyond the slots the hardware takes turns, in time slices of a millisecond and more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from eclip.errors import InfeasibleError
from eclip.gpu.products import Product

PROCESS_STREAMS = 16
"""Masked streams of one process: what its slot has room for (ECLIP_STREAMS in native/include/eclip/slot.h)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Streams that one worker uses at one time."""

    masked: int
    application: int = 1
    """The program's own streams, the null stream included."""


def application_queues(product: Product, demands: Mapping[str, Demand]) -> int:
    """Queues of the programs' own streams. Workers of one process share its default stream (the paper's set-up)."""
    application = [demand.application for demand in demands.values()]
    if product.one_process and application:
        return sum(application) - len(application) + 1
    return sum(application)


def masked_limit(product: Product, application: int, max_streams: int | None = None) -> int:
    """Masked streams that all workers together may have, beside `application` queues of the programs' own.

    The least of what the queue slots leave, the product's cap (preset `mi50-paper`: 7) and the user's. Never negative.
    """
    limits = [product.queue_slots - application, product.masked_streams, max_streams]
    return max(0, min(limit for limit in limits if limit is not None))


def check_streams(product: Product, demands: Mapping[str, Demand], max_streams: int | None = None) -> None:
    """Raises InfeasibleError, with the count of every worker, if a mix needs more queues than the GPU holds."""
    masked = sum(demand.masked for demand in demands.values())
    application = application_queues(product, demands)
    limit = masked_limit(product, application, max_streams)
    if application > product.queue_slots:
        raise InfeasibleError(
            f"the programs' own streams need {application} queues ({_listed(demands, 'application')}), but "
            f"{product.name} holds {product.queue_slots} at one time; run fewer programs, or set GPU_MAX_HW_QUEUES=1"
        )
    if masked > limit:
        raise InfeasibleError(
            f"{masked} masked streams ({_listed(demands, 'masked')}) beside {application} of the programs' own are "
            f"more than {_reason(product, limit, max_streams)}; use fewer sizes or fewer workers"
        )


def _listed(demands: Mapping[str, Demand], kind: str) -> str:
    return ", ".join(f"{name}: {getattr(demand, kind)}" for name, demand in demands.items())


def _reason(product: Product, limit: int, max_streams: int | None) -> str:
    if limit == max_streams:
        return f"the {limit} masked streams that were allowed"
    if limit == product.masked_streams:
        return f"the {limit} masked streams of {product.name}"
    return f"the {product.queue_slots} queues that {product.name} holds at one time leave ({limit})"


def check_processes(product: Product, processes: int) -> None:
    """Raises InfeasibleError if more processes use a GPU than it has address spaces (VMIDs) for."""
    if processes > product.processes:
        raise InfeasibleError(
            f"{processes} processes share {product.name}, which holds {product.processes} at one time; "
            "run fewer programs on this GPU, or several models in one"
        )
