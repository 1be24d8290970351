"""Programs of the node: the plugin, and what installs the interposer before it starts."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from eclip.api import names
from eclip.errors import EclipError
from eclip.node.report import Source as Kind
from eclip_device_plugin import library, plugin
from eclip_device_plugin.config_files import ConfigFiles
from eclip_device_plugin.node_view import NodeView
from eclip_device_plugin.source import EmulatedSource, KfdSource, Source

LOOK_SECONDS = 0.5
KUBELET = Path("/var/lib/kubelet/device-plugins")


def main(arguments: Sequence[str] | None = None) -> int:
    """`eclip-device-plugin`: offers shares of this node's GPUs until it is ended."""
    chosen = _parser().parse_args(arguments)
    _log_to_stderr()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    state = chosen.state
    try:
        files = ConfigFiles(chosen.node_configs, state)
        node = NodeView(
            _source(chosen.device_source, chosen.source_folder or state / "emulated"), files, state, chosen.kubelet
        )
        plugin.at(node, state).run(stopped, LOOK_SECONDS)
    except EclipError as error:
        return _fail(error)
    return 0


def install_library(arguments: Sequence[str] | None = None) -> int:
    """`eclip-install-library`: puts the interposer below the state root, where no file that is in use is written."""
    parser = argparse.ArgumentParser("eclip-install-library", description=install_library.__doc__)
    _add_state(parser, os.environ)
    chosen = parser.parse_args(arguments)
    _log_to_stderr()
    try:
        logging.getLogger(__name__).info("%s is installed", library.install(chosen.state))
    except EclipError as error:
        return _fail(error)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("eclip-device-plugin", description=main.__doc__)
    _add_state(parser, os.environ)
    parser.add_argument(
        "--device-source",
        type=Kind,
        choices=list(Kind),
        default=Kind.KFD,
        help="the kernel driver (kfd, the default), or a folder of the node (emulated)",
    )
    parser.add_argument(
        "--source-folder",
        type=Path,
        help="the folder of an emulated source, at the same path on the node; default: STATE/emulated",
    )
    parser.add_argument("--node-configs", type=Path, default=Path(names.NODE_CONFIGS), help="folder of node configs")
    parser.add_argument("--kubelet", type=Path, default=KUBELET, help="kubelet's folder of device plugins")
    return parser


def _add_state(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    default = environment.get("ECLIP_STATE", names.STATE_ROOT)
    parser.add_argument(
        "--state", type=_absolute, default=default, help="the state root, at the same path on the node (ECLIP_STATE)"
    )


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise argparse.ArgumentTypeError(f"{text} is a relative path; give an absolute one")
    return path


def _source(kind: Kind, folder: Path) -> Source:
    return EmulatedSource(folder) if kind is Kind.EMULATED else KfdSource()


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def _fail(error: EclipError) -> int:
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code
