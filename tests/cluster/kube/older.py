"""A release before this one: made of this one, with other versions stamped into its images and its chart."""

import hashlib
import re
import shutil
import sys
import tempfile
from pathlib import Path

import yaml

from kube import images, release
from kube.binaries import cache
from kube.commands import run
from kube.release import CHART, ROOT

VERSION = "0.0.9"
TABLE_FORMAT = 9
"""Of lookup tables, as its operator writes them and its library reads them: another than now."""
NAMES = ("operator", "node", "emulator")
BUILD_WITHIN_S = 1800.0
_FORMAT = re.compile(r"(?<=constexpr uint16_t table_format = )\d+(?=;)")
_DOCKERFILE = f"""ARG IMAGE
FROM ${{IMAGE}}
ARG USER
USER 0
COPY libeclip_hip.so /opt/eclip/lib/python3.11/site-packages/eclip/native/
RUN cd /opt/eclip/lib/python3.11/site-packages \\
  && sed -i 's/^Version: .*/Version: {VERSION}/' eclip-*.dist-info/METADATA \\
  && sed -i 's/^FORMAT = .*/FORMAT = {TABLE_FORMAT}/' eclip/slot/table.py \\
  && python3 -m compileall -q eclip/slot/table.py \\
  && grep -qx 'FORMAT = {TABLE_FORMAT}' eclip/slot/table.py
USER ${{USER}}
"""
_UNCHANGED = "ARG IMAGE\nFROM ${IMAGE}\n"
_USERS = {"operator": "65532", "node": "0"}


def chart(folder: Path) -> Path:
    """The chart in a new folder: of another version, with one field less in a CRD."""
    shutil.copytree(CHART, folder)
    described = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump({**described, "version": VERSION, "appVersion": VERSION}))
    (path,) = (folder / "files" / "crds").glob("*colocationpolicies*")
    crd = yaml.safe_load(path.read_text())
    workload = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["workloads"]
    del workload["items"]["properties"]["container"]
    path.write_text(yaml.safe_dump(crd))
    return folder


def archive() -> Path:
    """All its images as one file that nodes can load. Those of this release are built already."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copy(_library(), context / "libeclip_hip.so")
        for name in NAMES:
            (context / name).write_text(_DOCKERFILE if name in _USERS else _UNCHANGED)
            image = release.image(name).replace(f":{release.version()}", f":{VERSION}")
            user = {"USER": _USERS[name]} if name in _USERS else {}
            images.build(image, context / name, context, IMAGE=release.image(name), **user)
            made.append(images.archive(image))
    return images.together("older-release", made)


def _library() -> Path:
    """The interposer that reads tables of the other format, built from the same sources as far as they changed."""
    files = sorted(path for path in (ROOT / "native").rglob("*") if path.is_file())
    key = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]
    kept = cache() / f"older-library-{key}-{TABLE_FORMAT}" / "libeclip_hip.so"
    if not kept.exists():
        for before in cache().glob("older-library-*"):
            shutil.rmtree(before)
        with tempfile.TemporaryDirectory() as folder:
            kept.parent.mkdir(parents=True)
            shutil.copy(_build(Path(folder)), kept)
    return kept


def _build(folder: Path) -> Path:
    """As `make native` builds it, from a copy of the sources."""
    source, build = folder / "source", folder / "build"
    shutil.copytree(ROOT / "native", source / "native")
    shutil.copy(ROOT / "CMakeLists.txt", source)
    header = source / "native" / "interposer" / "table.h"
    text, changes = _FORMAT.subn(str(TABLE_FORMAT), header.read_text())
    assert changes == 1, "the format of tables is not where it was"
    header.write_text(text)
    toolchain = ("-DCMAKE_TOOLCHAIN_FILE=native/zig.cmake", f"-DPython_EXECUTABLE={sys.executable}")
    run("cmake", "-S", source, "-B", build, "-G", "Ninja", "--no-warn-unused-cli", *toolchain, within=BUILD_WITHIN_S)
    run("cmake", "--build", build, "--target", "eclip_hip", within=BUILD_WITHIN_S)
    (found,) = build.rglob("libeclip_hip.so")
    return found
