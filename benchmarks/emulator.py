"""How fast the emulated GPU is, and how long a profile takes on it.

    python benchmarks/emulator.py

Packets: kernels of no time in batches that lie ready in one queue; the baseline is what the program itself pays to put
one there. Profile: `eclip profile` at the product's sizes, start and end of the program included; the baseline is the
same program without us, by the request. All at time scale 1.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from eclip.emulated import LIBRARIES, EmulatedGpu

WORKLOADS = LIBRARIES.parent / "workloads"
MODELS = ("alexnet", "resnet152", "albert")
FREE = {"launchMicros": 0, "barrierMicros": 0, "streamMicros": 0}
REQUESTS = 100


def packets(folder: Path) -> None:
    """Prints the packets per second of one queue."""
    gpu = EmulatedGpu("MI50", folder / "packets", costs=FREE, settings={"unknownWaveMicros": 0}).create()
    found = json.loads(output(gpu, [LIBRARIES / "packet_rate"]))
    ratio = found["packetsPerSecond"] * found["launchMicros"] * 1e-6
    print(f"{'emulated MI50, kernel packets of one queue':<52}{found['packetsPerSecond']:>10.0f} a second")
    print(f"{'  launches by the program (baseline)':<52}{1e6 / found['launchMicros']:>10.0f} a second {ratio:>9.2f} x")


def profile(folder: Path, model: str) -> None:
    """Prints what a profile of one model takes."""
    gpu = EmulatedGpu("MI50", folder / model).create()
    program = WORKLOADS / model
    bare = json.loads(output(gpu, [program, "--requests", str(REQUESTS)]).splitlines()[-1])
    request = bare["seconds"] / bare["requests"]
    to = folder / f"{model}.yaml"
    begin = time.monotonic()
    eclip = [sys.executable, "-m", "eclip", "profile", "--gpu", "emulated", "--to", to, "--", program]
    output(gpu, [*eclip, "--seconds", "600"], ECLIP_STATE=str(folder / "state"))
    seconds = time.monotonic() - begin
    print(f"{'profile of ' + model:<52}{seconds:>10.1f} s")
    print(f"{'  a request without us (baseline)':<52}{request * 1e3:>10.2f} ms {seconds / request:>15.0f} x")


def output(gpu: EmulatedGpu, command: list[str | Path], **environment: str) -> str:
    """What a program on the emulated GPU prints."""
    own = {**os.environ, **gpu.environment(), **environment}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Prints all figures."""
    with tempfile.TemporaryDirectory(prefix="eclip-") as folder:
        packets(Path(folder))
        for model in MODELS:
            profile(Path(folder), model)


if __name__ == "__main__":
    main()
