"""Which nodes' agents are lost: not ready for longer than a restart takes. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

GRACE_S = 15.0
"""An agent that starts again is ready within some seconds; kubelet asks it every five."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Since when (seconds of any clock) each agent has been missed."""

    missed: Mapping[str, float] = field(default_factory=dict)

    def look(self, nodes: Mapping[str, bool], ready: frozenset[str], now: float) -> "Presence":
        """With what is so now.

        Args:
            nodes: that should have an agent; True: it was told already that it is lost, by whomever.
            ready: nodes whose agent is.
        """
        since = {True: -math.inf, False: now}
        return Presence({node: self.missed.get(node, since[told]) for node, told in nodes.items() if node not in ready})

    def lost(self, now: float, grace_s: float = GRACE_S) -> frozenset[str]:
        """Nodes of which nothing is believed any more."""
        return frozenset(node for node, since in self.missed.items() if now - since >= grace_s)
