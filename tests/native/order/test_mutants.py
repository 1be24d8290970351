"""Deliberate bugs in the interposer, each of which the random programs find: else they would show nothing."""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "native" / "interposer"
BUILD = Path(os.environ.get("ECLIP_TEST_BUILD") or ROOT / "build" / "testbed")
SEED = "20261125"
PROGRAMS = "4000"
ORDER = ("launch.cpp", "streams.cpp", "profiler.cpp")
"""What is made of order.h."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file, and the sources that must be compiled again."""

    name: str
    file: str
    old: str
    new: str
    compiled: tuple[str, ...] = ()


MUTANTS = (
    Mutant("join forgotten", "launch.cpp", "if (steps.join && ", "if (steps.join && !steps.join && "),
    Mutant(
        "wait of the fork forgotten",
        "launch.cpp",
        "runtime.hipStreamWaitEvent(target.handle, stream.fork_event, 0) == hip::success",
        "true",
    ),
    Mutant(
        "wait left out where the event is not complete",
        "launch.cpp",
        "runtime.hipStreamWaitEvent(target.handle, stream.fork_event, 0) == hip::success",
        "(runtime.hipEventQuery(stream.fork_event) == hip::error_not_ready ||"
        " runtime.hipStreamWaitEvent(target.handle, stream.fork_event, 0) == hip::success)",
    ),
    Mutant("hop forgotten", "order.h", "steps.hop = last_ && last_ != target;", "steps.hop = false;", ORDER),
    Mutant(
        "event recorded on the wrong stream",
        "launch.cpp",
        "runtime.hipEventRecord(last.event, last.handle)",
        "runtime.hipEventRecord(last.event, target.handle)",
    ),
    Mutant(
        "fork left out though the stream was used",
        "order.h",
        "event_bound_ && touches == touches_",
        "event_bound_",
        ORDER,
    ),
    Mutant(
        "refused launch taken for one that came",
        "launch.cpp",
        "if (error == hip::success) {  // else",
        "{  // else",
    ),
    Mutant(
        "error of a launch wiped",
        "launch.cpp",
        "return error;  // and no further call",
        "runtime.hipGetLastError(); return error;  // and no further call",
    ),
    Mutant(
        "captured launch redirected",
        "launch.cpp",
        "client.streams.capture_in_progress() && client.streams.capturing(runtime, launch.stream)",
        "false",
    ),
    Mutant(
        "table changed in the middle of a request",
        "launch.cpp",
        "wanted == track.asked_generation || !track.cursor.at_boundary()",
        "wanted == track.asked_generation",
    ),
    Mutant(
        "cursor off by one",
        "cursor.cpp",
        "step.stream = streams[place.position];",
        "step.stream = streams[(place.position + 1) % streams.size()];",
    ),
    Mutant("run goes on into another group", "cursor.cpp", "next[count] == same && next[count + 1] == same", "true"),
    Mutant(
        "handle of a destroyed stream remembered",
        "streams.cpp",
        "spare_.push_back(stream);\n  epoch_.fetch_add(1, std::memory_order_acq_rel);",
        "spare_.push_back(stream);",
    ),
    Mutant(
        "masked stream remembered over a reset",
        "streams.cpp",
        "  masked_.clear();\n",
        "",
    ),
    Mutant(
        "blocking streams not counted",
        "streams.h",
        "return blocking_.load(std::memory_order_acquire) != 0 ?",
        "return blocking_.load(std::memory_order_acquire) == ~0u ?",
        ("launch.cpp",),
    ),
    Mutant(
        "null stream not settled for a new blocking stream",
        "streams.cpp",
        "    settle_null(runtime, handle);",
        "    static_cast<void>(handle);",
    ),
    Mutant(
        "masked stream lent to a second stream",
        "streams.cpp",
        "if (masked->owner == &stream) {",
        "if (masked->owner) {",
    ),
    Mutant(
        "masked stream retired while it runs",
        "streams.cpp",
        "if (runtime.hipStreamQuery(masked.handle) != hip::success) {",
        "if (!masked.handle) {",
    ),
)


def command_of(source: str) -> list[str]:
    """How the build compiles one of the interposer's sources, without optimisation and warnings."""
    entries = json.loads((BUILD / "compile_commands.json").read_text())
    wanted = str(SOURCES / source)
    entry = next(e for e in entries if e["file"] == wanted and "eclip_hip.dir" in e["command"])
    words = shlex.split(entry["command"])
    end = words.index("-o")
    return [word for word in words[:end] if not re.fullmatch(r"-O\d", word)] + ["-O0", "-w"]


@pytest.fixture(scope="session")
def order_test() -> Path:
    """The test program, as `make ctest` builds it."""
    subprocess.run(["cmake", "--build", str(BUILD), "--target", "order_test"], check=True, stdout=subprocess.DEVNULL)
    return BUILD / "tests" / "native" / "order" / "order_test"


def build(mutant: Mutant, folder: Path) -> Path:
    """The interposer with a bug: the few sources that have it, and what the build has made of the others."""
    for file in (*SOURCES.glob("*.h"), *SOURCES.glob("*.def")):
        shutil.copy(file, folder)
    compiled = mutant.compiled or (mutant.file,)
    for source in compiled:
        shutil.copy(SOURCES / source, folder)
    text = (SOURCES / mutant.file).read_text()
    assert mutant.old in text, f"{mutant.file} no longer has: {mutant.old}"
    (folder / mutant.file).write_text(text.replace(mutant.old, mutant.new, 1))
    objects = []
    for source in compiled:
        objects.append(str(folder / f"{source}.o"))
        subprocess.run([*command_of(source), "-c", str(folder / source), "-o", objects[-1]], check=True)
    made = BUILD / "native" / "interposer"
    built = sorted((made / "CMakeFiles" / "eclip_hip.dir").glob("*.o"))
    objects += [str(file) for file in built if file.name.removesuffix(".o") not in compiled]
    library = folder / "libeclip_hip.so"
    hooks = f"-Wl,--version-script={made / 'hooks.map'}"
    link = ["c++", "-shared", "-o", str(library), "-Wl,-soname,libeclip_hip.so", hooks, *objects, "-ldl", "-lpthread"]
    subprocess.run(link, check=True)
    return library


def run(order_test: Path, library: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The test program over another interposer than its own."""
    return subprocess.run(
        [str(order_test), "--seed", SEED, "--first", *arguments],
        check=False,
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_random_programs_find(mutant: Mutant, order_test: Path, tmp_path: Path) -> None:
    found = run(order_test, build(mutant, tmp_path), "--programs", PROGRAMS)
    assert found.returncode == 1, found.stdout + found.stderr
    assert re.search(r"^failed after \d+ programs$", found.stdout, re.MULTILINE), found.stdout


def test_an_interposer_that_was_built_in_the_same_way_passes(order_test: Path, tmp_path: Path) -> None:
    same = Mutant("none", "launch.cpp", "steps.join", "steps.join")
    passed = run(order_test, build(same, tmp_path), "--programs", PROGRAMS)
    assert passed.returncode == 0, passed.stdout + passed.stderr
