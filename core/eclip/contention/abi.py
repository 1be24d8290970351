"""The C ABI of native/include/eclip/contention.h for ctypes. Field meanings: see there, and `contention`."""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import eclip
from eclip.errors import EclipError

MAX_CUS = 1024
MAX_ENGINES = 128
MAX_RUNNING = 256
MAX_WORKERS = 32
MAX_LOOP_STREAMS = 32

_u32, _u64, _double = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_double


class CuSet(ctypes.Structure):
    _fields_ = [("words", _u32 * (MAX_CUS // 32))]


class Chip(ctypes.Structure):
    _fields_ = [
        ("compute_units", _u32),
        ("engines", _u32),
        ("engine_of", ctypes.c_uint16 * MAX_CUS),
        ("bytes_per_micro", _double),
        ("cu_bytes_per_micro", _double),
        ("launch_micros", _double),
        ("barrier_micros", _double),
        ("stream_micros", _double),
        ("queue_slots", _u32),
        ("quantum_micros", _double),
        ("idle_watts", _double),
        ("cu_watts", _double),
        ("byte_microjoules", _double),
    ]


class Load(ctypes.Structure):
    _fields_ = [("mask", CuSet), ("solo_micros", _double), ("busy_cus", _double), ("bytes_per_micro", _double)]


class Shape(ctypes.Structure):
    _fields_ = [("workgroups", _double), ("workgroups_per_cu", _double), ("wave_micros", _double), ("bytes", _double)]


class Running(ctypes.Structure):
    _fields_ = [
        ("load", Load),
        ("engine_cus", _double),
        ("memory", _double),
        ("remaining", _double),
        ("speed", _double),
        ("rate", _double),
        ("id", _u64),
    ]


class Fluid(ctypes.Structure):
    _fields_ = [
        ("now", _double),
        ("next_id", _u64),
        ("count", _u32),
        ("joules_micro", _double),
        ("busy_cu_micros", _double),
        ("bytes", _double),
        ("busy_cus", _double),
        ("bytes_per_micro", _double),
        ("running", Running * MAX_RUNNING),
    ]


class Step(ctypes.Structure):
    _fields_ = [("load", Load), ("stream", _u32), ("lead_micros", _double)]


class Worker(ctypes.Structure):
    _fields_ = [
        ("steps", ctypes.POINTER(Step)),
        ("count", _u32),
        ("start_micros", _double),
        ("request_gap_micros", _double),
    ]


class Outcome(ctypes.Structure):
    _fields_ = [
        ("period_micros", _double * MAX_WORKERS),
        ("slowest_micros", _double * MAX_WORKERS),
        ("requests", _double * MAX_WORKERS),
        ("micros", _double),
        ("busy_cus", _double),
        ("bytes_per_micro", _double),
        ("watts", _double),
    ]


_PROTOTYPES: dict[str, tuple[Any, list[Any]]] = {
    "eclip_load_of": (None, [Chip, Shape, CuSet, Load]),
    "eclip_fluid_init": (None, [Fluid, _double]),
    "eclip_fluid_start": (_u64, [Chip, Fluid, Load]),
    "eclip_fluid_remove": (None, [Chip, Fluid, _u64]),
    "eclip_fluid_next_finish": (_double, [Fluid]),
    "eclip_fluid_advance": (_u64, [Chip, Fluid, _double]),
    "eclip_fluid_busy": (None, [Chip, Fluid, ctypes.POINTER(_double)]),
    "eclip_closed_loop": (ctypes.c_int, [Chip, ctypes.POINTER(Worker), _u32, _u32, Fluid, Outcome]),
    "eclip_contention_layout": (None, [ctypes.POINTER(_u32)]),
}


def library_path() -> Path:
    """Where the build puts the library."""
    return Path(eclip.__file__).parent / "native" / "libeclip_contention.so"


@cache
def library() -> ctypes.CDLL:
    """The native library. EclipError, saying what to do, if it is missing or of another version."""
    return load(library_path())


def load(path: Path) -> ctypes.CDLL:
    """The library in this file, checked. EclipError if it is missing, none of ours, or of another version."""
    if not path.exists():
        raise EclipError(f"{path} is missing: run `make native` (a wheel brings it along)")
    try:
        found = ctypes.CDLL(str(path))
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(found, name)
            function.restype = result
            function.argtypes = [
                ctypes.POINTER(kind) if issubclass(kind, ctypes.Structure) else kind for kind in arguments
            ]
    except (OSError, AttributeError) as error:
        raise EclipError(f"{path} cannot be used ({error}): run `make native`") from error
    sizes = (_u32 * 4)()
    found.eclip_contention_layout(sizes)
    ours = [ctypes.sizeof(kind) for kind in (Chip, Load, Fluid, Outcome)]
    if list(sizes) != ours:
        raise EclipError(
            f"{path} was built from another version (layout {list(sizes)}, must be {ours}): run `make native`"
        )
    return found
