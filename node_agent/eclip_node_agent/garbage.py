"""What may be deleted: allocations that nobody has had for ten minutes, library versions that nobody mounts. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

UNLISTED_S = 600.0
"""Kubelet must have answered for this long without naming the occupant."""
LONGEST_STEP_S = 5.0
"""Between two answers of kubelet that count as one time: it may have been away in a longer one."""


@dataclass(frozen=True, slots=True)
class Unlisted:
    """For how long each allocation has been named by no answer of kubelet. Begins anew when the agent does."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    answered_at: float | None = None

    def noted(self, on_disk: Iterable[str], listed: Iterable[str], answered_at: float) -> "Unlisted":
        """After kubelet's answer at this time, in seconds."""
        step = 0.0 if self.answered_at is None else answered_at - self.answered_at
        step = step if 0 <= step <= LONGEST_STEP_S else 0.0
        named = set(listed)
        waiting = {name: self.seconds.get(name, -step) + step for name in on_disk if name not in named}
        return Unlisted(waiting, answered_at)

    @property
    def garbage(self) -> tuple[str, ...]:
        """Allocations to delete."""
        return tuple(name for name, seconds in self.seconds.items() if seconds >= UNLISTED_S)


def stale_libraries(installed: Iterable[str], mounted: Iterable[str], offered: str | None) -> tuple[str, ...]:
    """Folders of library versions to delete: not named by an allocation, nor given to new ones. While it is not known
    which version new ones get, none."""
    if offered is None:
        return ()
    kept = {*mounted, offered}
    return tuple(version for version in installed if version not in kept)
