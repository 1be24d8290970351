"""The C ABI of native/include/eclip/emulator.h, as far as it takes to ask a kernel library for shapes."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from functions import Extent

from eclip.contention import Shape
from eclip.contention.abi import Shape as NativeShape

_u32 = ctypes.c_uint32


class Arguments(ctypes.Structure):
    """workloads::Arguments of arguments.h."""

    _fields_ = [
        *((name, _u32) for name in ("m", "n", "k", "z", "taps", "stride", "launch", "accumulates")),
        *((name, ctypes.c_uint64) for name in ("in0", "in1", "out", "journal")),
    ]


class _Dispatch(ctypes.Structure):
    _fields_ = [
        ("workgroups", _u32 * 3),
        ("block", _u32 * 3),
        ("group_bytes", _u32),
        ("arguments", ctypes.c_void_p),
        ("host", ctypes.c_void_p),
    ]


class _Kernel(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("shape", ctypes.CFUNCTYPE(None, ctypes.POINTER(_Dispatch), ctypes.POINTER(NativeShape))),
        ("effect", ctypes.c_void_p),
    ]


class KernelLibrary:
    """The kernels of a library by name."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))  # keeps the functions alive
        count = ctypes.c_size_t()
        self._library.eclip_kernels.restype = ctypes.POINTER(_Kernel)
        kernels = self._library.eclip_kernels(ctypes.byref(count))
        self._shapes: dict[str, Callable[..., None]] = {
            kernels[i].name.decode(): kernels[i].shape for i in range(count.value)
        }

    @property
    def names(self) -> tuple[str, ...]:
        """All kernels."""
        return tuple(self._shapes)

    def shape(self, name: str, grid: tuple[int, int, int], block: int, extent: Extent) -> Shape:
        """What a launch is to the chip."""
        arguments = Arguments(*extent)
        dispatch = _Dispatch(
            (_u32 * 3)(*grid), (_u32 * 3)(block, 1, 1), 0, ctypes.cast(ctypes.byref(arguments), ctypes.c_void_p)
        )
        native = NativeShape()
        self._shapes[name](ctypes.byref(dispatch), ctypes.byref(native))
        return Shape(native.workgroups, native.workgroups_per_cu, native.wave_micros, native.bytes)
