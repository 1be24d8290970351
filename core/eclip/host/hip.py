"""Edge: ask the installed HIP runtime in a process of its own, so that a broken driver takes nothing else down.

    python -m eclip.host.hip SYSFS INDEX PROBE|- CU_SET...

prints one JSON object: {"version", "devices", "checks": [{"asked", "readBack", "hardwareIds"}], "error"}.
"""

import ctypes
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eclip.gpu import kfd, masks
from eclip.gpu.topology import Gpu
from eclip.plan import CuSet

SONAMES = ("libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so")
WORKGROUPS_PER_CU = 8
SLEEPS = 20
"""Turns of the probe kernel; about 0.1 ms on a chip at 1.5 GHz."""
BLANK_WORD = 0xFFFFFFFF


class HipError(Exception):
    """A HIP call failed."""


class Runtime:
    """The calls that the checks need, on one device."""

    def __init__(self) -> None:
        self.name, self._library = _load()
        self.version = self._out(ctypes.c_int, "hipRuntimeGetVersion")
        self.devices = self._out(ctypes.c_int, "hipGetDeviceCount")

    @property
    def rocm(self) -> tuple[int, int]:
        """Major and minor version."""
        return self.version // 10_000_000, self.version // 100_000 % 100

    def use(self, device: int) -> None:
        """Make the device current."""
        self._call("hipSetDevice", device)

    def masked_stream(self, words: Sequence[int]) -> ctypes.c_void_p:
        """A stream with this mask."""
        stream = ctypes.c_void_p()
        mask = (ctypes.c_uint32 * len(words))(*words)
        self._call("hipExtStreamCreateWithCUMask", ctypes.byref(stream), len(words), mask)
        return stream

    def read_back(self, stream: ctypes.c_void_p, count: int) -> list[int]:
        """The mask that the runtime says the stream has."""
        mask = (ctypes.c_uint32 * count)()
        self._call("hipExtStreamGetCUMask", stream, count, mask)
        return list(mask)

    def destroy(self, stream: ctypes.c_void_p) -> None:
        """Give the stream's hardware queue back."""
        self._call("hipStreamDestroy", stream)

    def probe(self, code: Path, stream: ctypes.c_void_p, workgroups: int) -> list[int]:
        """Hardware ids of all workgroups of the probe kernel on this stream."""
        module, function, memory = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        size = ctypes.c_size_t(4 * workgroups)
        self._call("hipModuleLoad", ctypes.byref(module), str(code).encode())
        self._call("hipModuleGetFunction", ctypes.byref(function), module, b"eclip_probe")
        self._call("hipMalloc", ctypes.byref(memory), size)
        self._call("hipMemset", memory, 0xFF, size)
        self._call("hipDeviceSynchronize")
        turns = ctypes.c_uint32(SLEEPS)
        arguments = (ctypes.c_void_p * 2)(ctypes.addressof(memory), ctypes.addressof(turns))
        launch = (function, workgroups, 1, 1, 64, 1, 1, 0, stream, arguments, None)
        self._call("hipModuleLaunchKernel", *launch)
        self._call("hipStreamSynchronize", stream)
        words = (ctypes.c_uint32 * workgroups)()
        self._call("hipMemcpy", words, memory, size, 2)  # 2: device to host
        self._call("hipFree", memory)
        self._call("hipModuleUnload", module)
        return list(words)

    def _out(self, kind: type[ctypes.c_int], call: str) -> int:
        value = kind()
        self._call(call, ctypes.byref(value))
        return int(value.value)

    def _call(self, call: str, *arguments: Any) -> None:
        code = getattr(self._library, call)(*arguments)
        if code:
            describe = self._library.hipGetErrorString
            describe.restype = ctypes.c_char_p
            raise HipError(f"{call}: {describe(code).decode()} ({code})")


def _load() -> tuple[str, ctypes.CDLL]:
    for name in SONAMES:
        try:
            return name, ctypes.CDLL(name)
        except OSError:
            continue
    raise HipError(f"no HIP runtime: none of {', '.join(SONAMES)} can be loaded")


def check(runtime: Runtime, gpu: Gpu, code: Path | None, cu_set: CuSet) -> dict[str, Any]:
    """One masked stream: what was asked for, what the runtime answers, and where a kernel ran."""
    words = masks.hip_words(cu_set, gpu, runtime.rocm)
    stream = runtime.masked_stream(words)
    found: dict[str, Any] = {"asked": list(words), "readBack": runtime.read_back(stream, len(words))}
    if code:
        found["hardwareIds"] = runtime.probe(code, stream, WORKGROUPS_PER_CU * cu_set.bit_count())
    runtime.destroy(stream)
    return found


def main(sysfs: str, index: str, probe: str, *cu_sets: str) -> int:
    """Check all sets on one GPU and print the answer."""
    answer: dict[str, Any] = {"version": 0, "devices": 0, "checks": [], "error": ""}
    try:
        runtime = Runtime()
        answer |= {"library": runtime.name, "version": runtime.version, "devices": runtime.devices}
        gpu = kfd.read_gpus(Path(sysfs))[int(index)]
        runtime.use(int(index))
        code = Path(probe) if probe != "-" else None
        for cu_set in cu_sets:
            answer["checks"].append(check(runtime, gpu, code, int(cu_set, 16)))
    except HipError as error:
        answer["error"] = str(error)
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
