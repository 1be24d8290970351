"""The chart as Helm renders it, and what is in it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "eclip"
HELM = Path(sys.prefix) / "bin" / "helm"
Objects = list[dict[str, Any]]
Render = Callable[..., Objects]
EVERYTHING = {
    "emulator": {"enabled": True, "virtualTime": True},
    "metrics": {
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True},
    "test": {"profile": {"sizes": [30, 60]}},
}
"""Values that render every template."""


def helm(*arguments: str | Path, values: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    command = [HELM, *arguments, "--values", "-"]
    return subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, timeout=60, check=False
    )


def rendered(values: Mapping[str, Any] | None = None) -> Objects:
    """Objects of the chart with these values."""
    done = helm("template", "demo", CHART, "--namespace", "eclip-system", values=values)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and spec of every pod that the objects make."""
    for made in objects:
        if made["kind"] in ("Deployment", "DaemonSet", "Job"):
            yield made["metadata"]["name"], made["spec"]["template"]["spec"]


def containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def one(objects: Objects, kind: str, ending: str) -> dict[str, Any]:
    """The only object of a kind whose name ends so."""
    (found,) = (made for made in objects if made["kind"] == kind and made["metadata"]["name"].endswith(ending))
    return found
