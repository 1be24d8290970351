"""The C ABI of native/planner (native/include/eclip/planner.h): its structures, and the library as ctypes knows it."""

import ctypes
import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt

import eclip
from eclip.errors import EclipError

Array = npt.NDArray[np.float64] | npt.NDArray[np.intp] | npt.NDArray[np.uint32] | npt.NDArray[np.uint8]

ANY_STREAMS = 2**64 - 1

_Start = ctypes.c_byte * 0


class Paths(ctypes.Structure):
    """eclip_paths"""

    _fields_ = (
        ("micros", ctypes.c_void_p),
        ("steps", ctypes.c_void_p),
        ("kernels", ctypes.c_uint32),
        ("sizes", ctypes.c_uint32),
        ("levels", ctypes.c_uint32),
        ("circular", ctypes.c_uint32),
        ("hop_micros", ctypes.c_double),
    )


class Window(ctypes.Structure):
    """eclip_window"""

    _fields_ = (("price", ctypes.c_double), ("limit", ctypes.c_double), ("max_labels", ctypes.c_uint64))


class Points(ctypes.Structure):
    """eclip_points"""

    _fields_ = (
        ("time", ctypes.c_void_p),
        ("share", ctypes.c_void_p),
        ("toll", ctypes.c_void_p),
        ("further", ctypes.c_void_p),
        ("masked", ctypes.c_void_p),
        ("factor", ctypes.c_double),
        ("worth", ctypes.c_double),
        ("kernels", ctypes.c_double),
        ("latency", ctypes.c_double),
    )


class Mix(ctypes.Structure):
    """eclip_mix"""

    _fields_ = (
        ("workers", ctypes.POINTER(Points)),
        ("count", ctypes.c_uint32),
        ("objective", ctypes.c_uint32),
        ("printed", ctypes.c_uint32),
        ("stream_micros", ctypes.c_double),
        ("max_streams", ctypes.c_uint64),
        ("weight", ctypes.c_double),
        ("idle_watts", ctypes.c_double),
        ("busy_watts", ctypes.c_double),
        ("tolerance", ctypes.c_double),
    )


class Last(ctypes.Structure):
    """eclip_last"""

    _fields_ = (
        ("worker", ctypes.c_uint32),
        ("count", ctypes.c_uint64),
        ("points", ctypes.c_void_p),
        ("costs", ctypes.c_void_p),
        ("limit", ctypes.c_double),
    )


class Best(ctypes.Structure):
    """eclip_best"""

    _fields_ = (
        ("objective", ctypes.c_double),
        ("excess", ctypes.c_double),
        ("row", ctypes.c_uint64),
        ("last", ctypes.c_uint64),
    )


def address(array: Array) -> int:
    """Of the first element of a contiguous, writable array; `array.ctypes` takes three times as long."""
    return ctypes.addressof(_Start.from_buffer(array))  # type: ignore[arg-type] # arrays are buffers: PEP 688


@functools.cache
def library() -> ctypes.CDLL:
    """EclipError if the native part was not built."""
    path = Path(eclip.__file__).parent / "native" / "libeclip_planner.so"
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise EclipError(
            f"the planner's native part cannot be loaded from {path}: {error}; run `make native`"
        ) from error
    pointer, count, wide = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    loaded.eclip_paths_classes.restype = count
    loaded.eclip_paths_sweep.argtypes = [pointer, pointer, count, pointer, pointer, pointer]
    loaded.eclip_paths_sweep.restype = None
    loaded.eclip_paths_front.argtypes = [pointer, pointer, count, pointer, pointer]
    loaded.eclip_paths_front.restype = ctypes.c_int64
    loaded.eclip_paths_trace.argtypes = [pointer, pointer, count, count, count, pointer]
    loaded.eclip_points_least.argtypes = [pointer, pointer, pointer, count, pointer, count, count, pointer]
    loaded.eclip_points_least.restype = None
    loaded.eclip_mix_least.argtypes = [pointer, pointer, pointer, wide, pointer, pointer]
    loaded.eclip_mix_least.restype = None
    return loaded
