"""Container images, built from Dockerfiles by buildah on a Debian of its own making, without any image registry."""

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kube import host_settings
from kube.binaries import cache
from kube.commands import ClusterError, run
from kube.node import PAUSE

BASE = "docker.io/library/debian:bookworm-slim"
SUITE = "bookworm"
BUILD_WITHIN_S = 1800.0
ARCHIVES = 3
"""Versions of an image that are kept; one may be on its way into a node while the next is made."""
APT = """APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""
DPKG = "".join(f"path-exclude /usr/share/{part}/*\n" for part in ("doc", "man", "locale", "info"))
"""As in Debian's own images: what installs packages later leaves nothing but them."""
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt/lists")
_MADE = f"localhost/eclip-base:{hashlib.sha256((APT + DPKG + ''.join(UNUSED)).encode()).hexdigest()[:12]}"


def buildah(*arguments: str | Path, within: float = BUILD_WITHIN_S) -> str:
    """buildah over a store of ours, so that the user's images stay as they are."""
    store = cache() / "images"
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"}
    return run(
        "buildah", "--root", store, "--runroot", store / "run", *arguments, within=within, environment=environment
    ).strip()


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time on this machine."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(name: str, dockerfile: Path, context: Path, **arguments: str) -> None:
    """Builds image `name` as far as something in it changed. `FROM` may name BASE and images built before."""
    given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    options = ("--layers", "--pull-never", "--quiet", "-f", dockerfile, "-t", name)
    with _alone(), tempfile.TemporaryDirectory() as folder:
        if not _exists(_MADE):
            _make_base()
        buildah("build", *options, *given, *host_settings.mounts(Path(folder)), context)


def archive(name: str) -> Path:
    """A file with the image that containerd can import; kept as long as the image is the same."""
    with _alone():
        identity = buildah("inspect", "--type", "image", "--format", "{{.FromImageID}}", name)
        stem = re.sub(r"[^a-z0-9.-]+", "-", name)
        file = cache() / "archives" / f"{stem}-{identity[:16]}.tar"
        kept = _kept(file, lambda fresh: buildah("push", "--quiet", name, f"docker-archive:{fresh}:{name}"))
        for one in sorted(file.parent.glob(f"{stem}-*.tar"), key=lambda one: one.stat().st_mtime)[:-ARCHIVES]:
            one.unlink()
    return kept


def together(name: str, archives: Iterable[Path]) -> Path:
    """One archive of several, in which a layer that they share is there once. The last one of a name is kept."""
    given = list(archives)
    key = hashlib.sha256("".join(one.name for one in given).encode()).hexdigest()[:16]
    file = cache() / "archives" / f"{name}-{key}.tar"
    for older in file.parent.glob(f"{name}-*.tar"):
        if older != file:
            older.unlink(missing_ok=True)

    def make(fresh: str) -> None:
        manifest: list[object] = []
        with tarfile.open(fresh, "w") as target:
            seen: set[str] = set()
            for one in given:
                manifest += _copy(one, target, seen)
            content = json.dumps(manifest).encode()
            entry = tarfile.TarInfo("manifest.json")
            entry.size = len(content)
            target.addfile(entry, io.BytesIO(content))

    return _kept(file, make)


def _copy(archive: Path, target: tarfile.TarFile, seen: set[str]) -> list[object]:
    """Copies layers and configurations that are new; what the archive's manifest says."""
    with tarfile.open(archive) as source:
        for entry in source:
            # Links and the rest serve formats of long ago.
            if entry.isfile() and entry.name not in seen and entry.name.endswith((".tar", ".json")):
                seen.add(entry.name)
                if entry.name != "manifest.json":
                    target.addfile(entry, source.extractfile(entry))
        seen.discard("manifest.json")
        manifest = source.extractfile("manifest.json")
        assert manifest is not None
        return list(json.load(manifest))


def pause() -> Path:
    """The archive of the image that every pod's sandbox runs."""
    source = Path(__file__).parent / "pause.c"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]

    def make(fresh: str) -> None:
        with tempfile.TemporaryDirectory() as folder, _alone():
            run("cc", "-static", "-Os", "-s", "-o", Path(folder) / "pause", source)
            (Path(folder) / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
            buildah("build", "--quiet", "-t", PAUSE, folder)
            buildah("push", "--quiet", PAUSE, f"docker-archive:{fresh}:{PAUSE}")

    return _kept(cache() / "archives" / f"pause-{digest}.tar", make)


def base() -> Path:
    """The archive of the Debian that the images are built on."""
    with _alone():
        if not _exists(_MADE):
            _make_base()
    return archive(BASE)


def _kept(file: Path, make: Callable[[str], object]) -> Path:
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            fresh = Path(folder) / "image.tar"
            make(str(fresh))
            fresh.rename(file)
    return file


def _exists(name: str) -> bool:
    try:
        buildah("inspect", "--type", "image", name)
    except ClusterError:
        return False
    return True


def _make_base() -> None:
    """Debian's own minimal system from the mirror that this host uses, under the name that Dockerfiles know."""
    folder = Path(tempfile.mkdtemp(prefix="debian-", dir=cache()))
    try:
        run("debootstrap", "--variant=minbase", SUITE, folder / "root", *_mirror(), within=BUILD_WITHIN_S)
        for part in UNUSED:
            shutil.rmtree(folder / "root" / part, ignore_errors=True)
        (folder / "root/etc/apt/apt.conf.d/image").write_text(APT)
        (folder / "root/etc/dpkg/dpkg.cfg.d/image").write_text(DPKG)
        (folder / "Dockerfile").write_text('FROM scratch\nCOPY root /\nCMD ["bash"]\n')
        buildah("build", "--quiet", "-t", _MADE, "-t", BASE, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mirror() -> list[str]:
    listed = run("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages")
    return [line.split()[1] for line in listed.splitlines() if line.startswith(f"{SUITE} ")][:1]
