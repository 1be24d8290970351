"""`eclip-node-agent`: one a node, beside the device plugin."""

import argparse
import logging
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from kubernetes import client, config
from prometheus_client.registry import CollectorRegistry

from eclip.api import names
from eclip.errors import EclipError, InputError
from eclip.slot import stats
from eclip_node_agent import identity, serving
from eclip_node_agent.agent import Agent
from eclip_node_agent.api_server import ApiServer
from eclip_node_agent.devices import Devices
from eclip_node_agent.kubelet import Kubelet
from eclip_node_agent.metrics import Metrics
from eclip_node_agent.store import Store
from eclip_node_agent.watchers import Host, Watchers

TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
POD_RESOURCES = Path("/var/lib/kubelet/pod-resources/kubelet.sock")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the agent until SIGTERM, or prints a slot's profile. Returns the exit code."""
    asked = _parser().parse_args(arguments)
    logging.basicConfig(
        level=asked.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        return _profile(asked) if asked.command == "profile" else _run(asked)
    except EclipError as error:
        sys.stderr.write(f"eclip-node-agent: {error}\n")
        return error.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="eclip-node-agent", description="Brings plans into slots, reports on them.")
    parser.add_argument("--state", type=Path, default=Path(names.STATE_ROOT), help="state root (default: %(default)s)")
    commands = parser.add_subparsers(dest="command")
    profile = commands.add_parser("profile", help="print how far a slot's profile is, then the profile")
    profile.add_argument("slot")
    profile.add_argument("allocation")
    parser.add_argument("--kubelet", type=Path, default=POD_RESOURCES, metavar="SOCKET", help="of its PodResources")
    parser.add_argument("--sysfs", type=Path, default=Path("/sys"), help="tree that shows the GPUs")
    parser.add_argument("--dev", type=Path, default=Path("/dev"), help="folder with kfd and dri")
    parser.add_argument("--proc", type=Path, help="the host's /proc: turns bypass detection on")
    parser.add_argument("--pod-logs", type=Path, help="kubelet's folder of pod logs: tells UIDs of pods")
    parser.add_argument("--token", type=Path, default=TOKEN, help="projected token with a node claim")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="the API server (default: as a pod does)")
    parser.add_argument("--port", type=int, default=9401, help="of metrics and probes; 0: none (default: %(default)s)")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return parser


def _run(asked: argparse.Namespace) -> int:
    _raise_file_limit()
    node = identity.node_of(_token(asked.token))
    bell = threading.Event()
    host = Host(asked.proc, asked.pod_logs, asked.sysfs / "class/kfd/kfd/proc", asked.state / "emulated")
    store = Store(asked.state)
    devices, watchers = Devices(asked.sysfs, asked.dev), Watchers(host)
    agent = Agent(node.name, version("eclip"), store=store, devices=devices, watchers=watchers, bell=bell)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    if asked.port:
        registry = CollectorRegistry()
        registry.register(Metrics(lambda: agent.snapshot))
        serving.serve(asked.port, registry, agent.alive, agent.ready)
    api = ApiServer(_client(asked.kubeconfig), node, bell.set)
    kubelet = Kubelet(asked.kubelet, bell.set)
    try:
        agent.run(api, kubelet)
    finally:
        kubelet.close()
        api.close()
    return 0


def _profile(asked: argparse.Namespace) -> int:
    """What `kubectl eclip profile` reads: a line with state and percent, then what the program wrote."""
    for what in (asked.slot, asked.allocation):
        if "/" in what or what.startswith("."):
            raise InputError(f"{what}: is no name of a slot or an allocation")
    found = stats.read_profile(asked.state / "slots" / asked.slot / asked.allocation / "profile")
    sys.stdout.write(f"{found.state} {found.percent}\n{found.text}")
    return 0


def _token(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InputError(f"{path}: no token: {error.strerror}; mount a projected service account token") from error


def _client(kubeconfig: Path | None) -> client.ApiClient:
    made = client.Configuration()
    try:
        if kubeconfig:
            config.load_kube_config(str(kubeconfig), client_configuration=made)
        else:
            config.load_incluster_config(client_configuration=made)
    except config.ConfigException as error:
        raise InputError(f"no way to the API server: {error}") from error
    made.retries = False  # we try again by ourselves, and know when
    return client.ApiClient(made)


def _raise_file_limit() -> None:
    """Two files of every allocation are held open, and a node may have hundreds."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
