"""What the programs on a node's GPU are told and do, sample by sample, beside the GPU's own clock."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from kube.installation import NAMESPACE, Installation

EVERY_S = 0.02
_SAMPLE = """
import json, struct, sys, time
from pathlib import Path
from eclip.emulated import EmulatedGpu
from eclip.slot import folders, stats
state, end, every = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2]), float(sys.argv[3])
chip = EmulatedGpu("MI50", state / "emulated" / "chip")
while time.monotonic() < end:
    slots = {}
    for folder in folders(state):
        for client in stats.read(folder / "stats"):
            if client.alive:
                _, _, active = struct.unpack_from("<3Q", (folder / "config" / "control").read_bytes())
                slots[folder.name] = [client.current.generation, active, client.current.launches]
    print(json.dumps({"at": time.monotonic(), "micros": chip.reading().micros, "slots": slots}))
    time.sleep(every)
"""


@dataclass(frozen=True)
class Slot:
    """One program's."""

    generation: int
    """Of the table that it runs under."""
    active: int
    """Bits of the workers that it is told are busy."""
    launches: int


@dataclass(frozen=True)
class Sample:
    at: float
    """Seconds."""
    micros: float
    """GPU time."""
    slots: dict[str, Slot]
    """By allocation."""


def samples(installation: Installation, node: str, seconds: float) -> list[Sample]:
    """As the node's agent can read them, for so long."""
    words = ("python3", "-c", _SAMPLE, "/var/lib/eclip", str(seconds), str(EVERY_S))
    command = ("exec", "-n", NAMESPACE, installation.agent(node), "-c", "agent", "--", *words)
    said = installation.access.kubectl(*command, within=seconds + 60.0)
    found = map(json.loads, said.splitlines())
    return [
        Sample(one["at"], one["micros"], {name: Slot(*slot) for name, slot in one["slots"].items()}) for one in found
    ]


def bursts(taken: list[Sample], program: str, pause: float) -> list[tuple[float, float]]:
    """First and last time that this program was seen to have launched something before and after each pause, in s."""
    found: list[tuple[float, float]] = []
    for before, now in pairwise(taken):
        if now.slots[program].launches != before.slots[program].launches:
            begin = found.pop()[0] if found and now.at - found[-1][1] < pause else now.at
            found.append((begin, now.at))
    return found


def pace(taken: list[Sample], programs: set[str], while_true: Callable[[Sample], bool]) -> float:
    """Kernels of these programs per ms of GPU time, between samples of which the condition is true."""
    spans = [(before, now) for before, now in pairwise(taken) if while_true(before) and while_true(now)]
    launches = sum(now.slots[one].launches - before.slots[one].launches for before, now in spans for one in programs)
    return launches / sum(now.micros - before.micros for before, now in spans) * 1e3
