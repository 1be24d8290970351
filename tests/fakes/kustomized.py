"""The examples for Kubernetes as `kubectl kustomize` lays them out, as far as they need it: resources and namespaces.

Components, which only harden pods and say where images are, are left out. A cluster test holds this against kubectl.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

EXAMPLES = Path(__file__).parents[2] / "examples" / "kubernetes"
SCENARIOS = ("api-services", "bursty-tenants", "edge-camera", "lab", "realtime-beside-batch", "robot")
EVERYTHING = ("four-pods", *SCENARIOS)
Raw = dict[str, Any]


def objects(folder: Path) -> Iterator[Raw]:
    """All objects of a folder, in its namespace if it has one."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        path = folder / name
        for one in objects(path) if path.is_dir() else yaml.load_all(path.read_text(), yaml.CSafeLoader):
            if "namespace" in kustomization and one["kind"] != "Namespace":
                one["metadata"]["namespace"] = kustomization["namespace"]
            yield one
