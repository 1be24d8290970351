"""How much work a search may be. Counted, not timed: the same problem gives the same plan on any machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """Ends a search that would take too long; what is left open then shows in the gap."""

    gap: float = 1e-9
    """Good enough: relative difference of objective and lower bound."""
    large_gap: float = 5e-4
    """The same for long requests where closing the rest takes longest: without a switch budget, beside latency
    objectives, and for objectives that divide by times."""
    front_labels: int = 6_000_000
    """Partial paths that an exact front may cost, per set of sizes; about 2 ns each. Else prices are swept."""
    nodes: int = 200
    stored: int = 1_000_000
    """Combinations of some of the workers kept in one join; about 100 ns each."""
    combinations: int = 1_000_000
    """Combinations of all workers looked at in a node that could be split instead; about 3 ns each."""
    last_combinations: int = 10_000_000
    """The same in a node that cannot."""
    labels: int = 20_000_000
    """Partial paths for closing what a sweep of prices leaves open."""
    latency_labels: int = 100_000_000
    """The same where there are latency objectives, near which prices leave more open."""
