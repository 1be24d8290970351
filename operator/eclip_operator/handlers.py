"""What the operator watches, by kopf. Only `on.event`: nothing is written on the objects that are watched."""

from collections.abc import Callable
from typing import Any

import kopf

from eclip.api import names
from eclip_operator.connect import login
from eclip_operator.loop import Operator

OURS = ("colocationpolicies", "kernelprofiles", "nodecolocations", "lookuptables")
PROFILED_PODS = names.LABEL_PROFILE
"""Only pods with this label are watched; the others are read one by one when a node names them."""


class NoDifferences(kopf.DiffBaseStorage):
    """Nobody asks what has changed of an object: kopf need not copy every one it sees in order to know."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def registry(operator: Operator) -> kopf.OperatorRegistry:
    """All handlers, with the operator that they tell."""
    handlers = kopf.OperatorRegistry()
    tell = _teller(operator)
    kopf.on.login(registry=handlers)(lambda settings, **_: login(settings))
    kopf.on.startup(registry=handlers)(_configure)
    for plural in OURS:
        kopf.on.event(names.GROUP, names.VERSION, plural, registry=handlers, id=plural)(tell)
    kopf.on.event("v1", "nodes", registry=handlers, id="nodes")(tell)
    kopf.on.event("v1", "pods", labels={PROFILED_PODS: kopf.PRESENT}, registry=handlers, id="pods")(tell)
    return handlers


def _teller(operator: Operator) -> Callable[..., Any]:
    async def tell(event: kopf.RawEvent, **_: Any) -> None:
        raw: dict[str, Any] = dict(event["object"])
        metadata = raw["metadata"]
        if event["type"] == "DELETED":
            operator.gone(raw["kind"], metadata.get("namespace", ""), metadata["name"])
        else:
            operator.see(raw["kind"], raw)
        operator.wake()

    return tell


def _configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDifferences()
    settings.watching.label_selectors["pods"] = PROFILED_PODS
    # A thousand nodes report at their own pace: no need to keep a worker for each of them.
    settings.queueing.idle_timeout = 1.0
    settings.networking.connect_timeout = 5.0
    settings.watching.reconnect_backoff = 0.2
