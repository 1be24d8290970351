"""What a machine must have to carry a cluster, looked at before anything is started."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kube.cgroups import hierarchies
from kube.commands import ClusterError, run
from kube.node import CNI_PLUGINS

COMMANDS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "sysctl": "procps",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
"""Commands and the Debian packages that bring them."""
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
MEMORY_KIB = 6 * 1024 * 1024
TRIALS = {
    "namespaces (mount, network, process, host name, IPC, control group)": "true",
    "overlay file systems on a tmpfs over /": (
        "mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/r"
        " && mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w none /mnt/r"
    ),
    "virtual network wires": "ip link add name wire type veth peer name end",
    "network bridges": "ip link add name bridge type bridge",
    "packet filters (iptables)": "iptables -w -t nat -L -n && iptables -w -A FORWARD -j DROP",
}
"""What the kernel must allow, and a command that needs it, run in namespaces that end with it."""


def check() -> None:
    """Raises one ClusterError that names everything that is missing."""
    missing = list(_missing())
    if missing:
        raise ClusterError("this machine cannot carry a test cluster:\n" + "\n".join(f"- {one}" for one in missing))


def _missing() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "not root"
        return
    absent = sorted({package for command, package in COMMANDS.items() if not shutil.which(command)})
    if not (CNI_PLUGINS / "bridge").exists():
        absent.append("containernetworking-plugins")
    if absent:
        yield f"Debian packages: {' '.join(absent)}"
        return
    controllers = {controller for hierarchy in hierarchies() for controller in hierarchy.controllers}
    if lacking := [name for name in CONTROLLERS if name not in controllers]:
        yield f"control group controllers: {', '.join(lacking)}"
    yield from _missing_of_version_2()
    available = _available_kib()
    if available < MEMORY_KIB:
        yield f"memory: {available // 1024} MiB are available, a cluster of two nodes takes {MEMORY_KIB // 1024}"
    for what, command in TRIALS.items():
        try:
            run("unshare", "-m", "-n", "-p", "-u", "-i", "-C", "--fork", "sh", "-ec", command, within=20)
        except ClusterError as error:
            yield f"{what}: {str(error).splitlines()[-1]}"


def _missing_of_version_2() -> Iterator[str]:
    """A container's own top group holds processes; the kernel then hands no controller to groups below it."""
    for hierarchy in hierarchies():
        handed = hierarchy.mount / "cgroup.subtree_control"
        if hierarchy.kind == "cgroup2" and hierarchy.controllers and handed.exists():
            ours = set(CONTROLLERS) & hierarchy.controllers
            inside = (hierarchy.mount / "cgroup.type").exists() and (hierarchy.mount / "cgroup.procs").read_text()
            if inside and not ours <= set(handed.read_text().split()):
                yield f"{hierarchy.mount}: move the processes of this container's top control group into one below it"


def _available_kib() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return 0
