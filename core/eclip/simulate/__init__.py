"""What a mix would do on a chip: discrete events in virtual time, the same for the same seed. Pure.

Kernels share the chip by the contention model (native/contention), the emulated chip's own; barriers, front end, queues
and their slots are played here a second time. What agrees between the two proves those, not contention.
"""

from eclip.simulate.arrivals import Arrivals
from eclip.simulate.outcome import Outcome, outcome
from eclip.simulate.player import play
from eclip.simulate.seats import Worker

__all__ = ["Arrivals", "Outcome", "Worker", "outcome", "play"]
