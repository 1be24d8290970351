"""Edge: the node config that is asked for, and the last one that was good."""

import json
from dataclasses import dataclass
from pathlib import Path

from eclip import atomic, documents, node
from eclip.api import names
from eclip.errors import InputError
from eclip_device_plugin import node_config
from eclip_device_plugin.node_config import NodeConfig

_LAST_GOOD = "node-config.last-good"


@dataclass(frozen=True, slots=True)
class Named:
    """A node config with its name and its text."""

    name: str
    text: str
    config: NodeConfig


class ConfigFiles:
    """Node configs as a mounted folder of `<name>.yaml`, and the name that the agent left below the state root."""

    def __init__(self, folder: Path, state: Path) -> None:
        self._folder = folder
        self._state = state

    def asked_for(self) -> str:
        """The name of the node config to follow."""
        try:
            name = (self._state / node.NODE_CONFIG).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = ""
        return name or names.DEFAULT_NODE_CONFIG

    def read(self, name: str) -> Named:
        """The node config of this name. Without a file, the default one has every default.

        Raises:
            InputError: there is none, or it is wrong.
        """
        if fault := documents.name_fault(name):
            raise InputError(f"node config {fault}")
        path = self._folder / f"{name}.yaml"
        if name == names.DEFAULT_NODE_CONFIG and not path.exists():
            return Named(name, "", NodeConfig())
        text = documents.read(path)
        return Named(name, text, node_config.parse(text, str(path)))

    def last_good(self) -> Named | None:
        """The one that was followed before this process began."""
        path = self._state / _LAST_GOOD
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            text, name = str(kept["text"]), str(kept["name"])
            return Named(name, text, node_config.parse(text, str(path)) if text else NodeConfig())
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None

    def keep(self, good: Named) -> None:
        """Remembers the one that is followed. Raises EclipError if the disk refuses."""
        atomic.write(self._state / _LAST_GOOD, json.dumps({"name": good.name, "text": good.text}))
