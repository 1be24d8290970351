"""hooks.def is the one list: the library exports it and nothing else, and no call that takes a stream is missing."""

import os
import re
import subprocess
from pathlib import Path

import eclip

ROOT = Path(__file__).parents[3]
LIBRARY = Path(os.environ.get("ECLIP_TEST_INTERPOSER") or Path(eclip.__file__).parent / "native" / "libeclip_hip.so")
HEADER = Path("/usr/include/hip/hip_runtime_api.h")
RUNTIME = Path("/usr/lib/x86_64-linux-gnu/libamdhip64.so.5")
NO_WORK = {
    "hipExtStreamGetCUMask", "hipGetStreamDeviceId", "hipStreamGetCaptureInfo", "hipStreamGetCaptureInfo_v2",
    "hipStreamGetFlags", "hipStreamGetPriority", "hipStreamIsCapturing", "hipStreamUpdateCaptureDependencies",
}  # fmt: skip
INNER = {"hipConfigureCall", "hipKernelNameRefByPtr"}
"""The first only remembers a launch that arrives at hipModuleLaunchKernel, the second asks for a name."""


def hooks() -> set[str]:
    """Symbols of hooks.def."""
    text = (ROOT / "native" / "interposer" / "hooks.def").read_text()
    found = re.findall(r"^(?:REDIRECT|PASS|OBSERVE|WATCH|SYNC|MARK|LOADER)\([^,]+,\s*(\w+)", text, re.MULTILINE)
    assert len(found) == len(set(found))
    return set(found)


def exported(library: Path) -> set[str]:
    """Symbols that a library defines."""
    output = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True)
    return {line.split()[-1].split("@")[0] for line in output.stdout.splitlines() if line.split()[-2] in "TWi"}


def test_the_library_exports_the_list_and_nothing_else() -> None:
    assert exported(LIBRARY) == hooks()


def test_every_call_of_the_runtime_that_takes_a_stream_is_hooked() -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", HEADER.read_text(), flags=re.DOTALL)
    declared = re.findall(r"\b(hip\w+)\s*\(([^;{}]*)\)\s*;", code)
    takes_a_stream = {name for name, parameters in declared if "hipStream_t" in parameters} & exported(RUNTIME)
    assert len(takes_a_stream) > 40
    assert takes_a_stream - hooks() - NO_WORK - INNER == set()
