"""Edge of `eclip doctor`: look at the host, and hand what was found to `fitness`."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from eclip import layout, slot
from eclip.errors import EclipError
from eclip.gpu import kfd, products
from eclip.gpu.topology import Gpu
from eclip.host import entry, fitness
from eclip.host.fitness import Check, Verdict
from eclip.plan import CuSet

SYSFS = Path("/sys/class/kfd/kfd/topology")
PATIENCE_S = 60
MASKING = ("HSA_CU_MASK", "ROC_GLOBAL_CU_MASK")


def examine(sysfs: Path) -> list[Check]:
    """All checks, in the order in which one would repair things."""
    checks = [_interposer(), _state_root()]
    try:
        found = kfd.read_gpus(sysfs)
    except EclipError as error:
        return [*checks, Check("GPUs", Verdict.BAD, str(error)), _runtime_alone(sysfs)]
    if not found:
        nothing = f"no AMD GPU in {sysfs}; is the amdgpu driver loaded? (gpu: emulated works without one)"
        return [*checks, Check("GPUs", Verdict.BAD, nothing), _runtime_alone(sysfs)]
    checks += [Check("GPUs", Verdict.OK, ", ".join(f"{gpu.product} ({gpu.compute_units} CUs)" for gpu in found))]
    for index, gpu in enumerate(found):
        checks += _gpu(sysfs, index, gpu)
    return checks


def _interposer() -> Check:
    what = "interposer"
    try:
        library = entry.library()
        ctypes.CDLL(str(library))
    except EclipError as error:
        return Check(what, Verdict.BAD, str(error))
    except OSError as error:
        return Check(what, Verdict.BAD, f"cannot be loaded: {error}")
    return Check(what, Verdict.OK, str(library))


def _state_root() -> Check:
    what = "state root"
    try:
        root = slot.state_root()
        root.mkdir(parents=True, exist_ok=True)
    except (EclipError, OSError) as error:
        return Check(what, Verdict.BAD, f"{error}; set ECLIP_STATE to a folder of your own")
    if not os.access(root, os.W_OK):
        return Check(what, Verdict.BAD, f"{root} is not writable for you; set ECLIP_STATE to a folder of your own")
    return Check(what, Verdict.OK, str(root))


def _gpu(sysfs: Path, index: int, gpu: Gpu) -> list[Check]:
    label = f"GPU {index} ({gpu.product})"
    try:
        product = products.product(gpu.product)
    except EclipError as error:
        return [Check(label, Verdict.BAD, str(error))]
    sizes = [size for size in product.default_sizes(gpu) if size != gpu.compute_units]
    cu_sets = [stream.cu_set for streams in layout.layout(gpu, product, [sizes, sizes]) for stream in streams]
    answer = _ask(sysfs, index, _probe(gpu), cu_sets)
    return [
        _permissions(label, gpu),
        _environment(),
        fitness.runtime(answer),
        fitness.read_back(label, answer["checks"]),
        fitness.placement(label, gpu, cu_sets, answer["checks"]),
        fitness.queue_budget(label, gpu, product),
    ]


def _permissions(label: str, gpu: Gpu) -> Check:
    what = f"{label}: permissions"
    devices = [Path("/dev/kfd"), Path(f"/dev/dri/renderD{gpu.render_minor}")]
    missing = [str(device) for device in devices if not device.exists()]
    if missing:
        return Check(what, Verdict.NOTE, f"no {' and no '.join(missing)}: fine for an emulated GPU, else load amdgpu")
    closed = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if closed:
        return Check(what, Verdict.BAD, f"no access to {' and '.join(closed)}; join the groups render and video")
    return Check(what, Verdict.OK, "device files can be opened")


def _environment() -> Check:
    set_here = [f"{name}={os.environ[name]}" for name in MASKING if os.environ.get(name)]
    if set_here:
        return Check("environment", Verdict.NOTE, f"{', '.join(set_here)} narrows every mask")
    return Check("environment", Verdict.OK, "no mask is set for whole processes")


def _runtime_alone(sysfs: Path) -> Check:
    return fitness.runtime(_ask(sysfs, 0, None, []))


def _probe(gpu: Gpu) -> Path | None:
    path = entry.NATIVE / "probe" / f"probe-{gpu.gfx}.co"
    return path if path.is_file() else None


def _ask(sysfs: Path, index: int, probe: Path | None, cu_sets: list[CuSet]) -> dict[str, Any]:
    """The answer of `eclip.host.hip`, run without anything that would mask or intercept it."""
    command = [sys.executable, "-m", "eclip.host.hip", str(sysfs), str(index), str(probe or "-")]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "ECLIP_SLOT", *MASKING)
    }
    failed: dict[str, Any] = {"version": 0, "library": "", "devices": 0, "checks": []}
    try:
        done = subprocess.run(
            [*command, *(f"{cu_set:x}" for cu_set in cu_sets)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return {**failed, "error": f"the runtime did not answer within {PATIENCE_S} s"}
    except ValueError:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        return {**failed, "error": f"the runtime ended with {done.returncode}: {last or 'no message'}"}
    return answer if isinstance(answer, dict) else {**failed, "error": "the runtime's answer makes no sense"}
