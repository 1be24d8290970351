"""Who sits in which allocation, from kubelet's list and the records on disk. Pure.

Kubelet's list names pods and devices, not allocations. Of the allocations of a slot only the newest can be in use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

Listing = Mapping[str, tuple["Occupant", ...]]
"""By slot: the containers that kubelet says have it. More than one while a pod that has ended is still listed."""


@dataclass(frozen=True, slots=True, order=True)
class Occupant:
    """A container that was given a share."""

    namespace: str
    pod: str
    container: str


@dataclass(frozen=True, slots=True, order=True)
class Age:
    """When an allocation was made; the file's time tells those of one second apart."""

    created_at: datetime
    written_ns: int


def occupants(
    allocations: Iterable[tuple[str, str, Age]], listing: Listing, before: Mapping[str, Occupant]
) -> dict[str, Occupant]:
    """By allocation.

    Args:
        allocations: slot, allocation and age of all that are on disk.
        before: what this function said last: who was known in an older allocation does not move to a newer one while
            there is anybody else to sit in it.
    """
    by_slot: dict[str, list[tuple[Age, str]]] = {}
    for slot, allocation, age in allocations:
        by_slot.setdefault(slot, []).append((age, allocation))
    found = {}
    for slot, aged in by_slot.items():
        *older, newest = (allocation for _, allocation in sorted(aged))
        settled = {before.get(allocation) for allocation in older}
        listed = listing.get(slot, ())
        candidates = [occupant for occupant in listed if occupant not in settled] or list(listed)
        if candidates:
            known = before.get(newest)
            found[newest] = known if known in candidates else candidates[-1]
    return found


def lost(slots_on_disk: Iterable[str], listing: Listing) -> dict[str, Occupant]:
    """By slot: who was given a share of which nothing is on disk any more."""
    there = set(slots_on_disk)
    return {slot: listed[-1] for slot, listed in listing.items() if listed and slot not in there}
