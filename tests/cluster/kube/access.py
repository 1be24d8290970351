"""A cluster as its users see it, whoever runs it."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kubernetes import client, config

from kube.binaries import binaries
from kube.commands import run


@dataclass(frozen=True)
class Access:
    """One that a kubeconfig file leads to."""

    kubeconfig: Path

    @cached_property
    def api(self) -> client.ApiClient:
        """Of the kubeconfig's user."""
        return config.new_client_from_config(str(self.kubeconfig))

    @property
    def core(self) -> client.CoreV1Api:
        return client.CoreV1Api(self.api)

    def kubectl(self, *arguments: str | Path, given: str | None = None, within: float = 60.0) -> str:
        """Standard output of kubectl."""
        return run(binaries() / "kubectl", "--kubeconfig", self.kubeconfig, *arguments, given=given, within=within)

    def get(self, *arguments: str) -> Any:
        """What `kubectl get` finds."""
        return json.loads(self.kubectl("get", "-o", "json", *arguments))

    def apply(self, *documents: dict[str, Any]) -> str:
        """What `kubectl apply` says to objects."""
        return self.kubectl("apply", "-f", "-", given="\n---\n".join(map(json.dumps, documents)))

    def delete(self, *documents: dict[str, Any]) -> str:
        """What `kubectl delete` says to objects, when they are gone."""
        return self.kubectl("delete", "--ignore-not-found", "-f", "-", given="\n---\n".join(map(json.dumps, documents)))
