"""Edge: kubelet's PodResources service, asked twice a second beside the agent's loop."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc

from eclip_node_agent.occupants import Listing, Occupant
from eclip_node_agent.wire import podresources_pb2 as wire
from eclip_node_agent.wire import podresources_pb2_grpc as service

ASK_S = 0.4
"""Between two questions: a new pod is to be seen within a second."""
PATIENCE_S = 3.0
_SHARE = re.compile(r"[0-9a-f]{1,16}-(s[0-9]{2}|all)")
"""Ids of a share, and of a whole GPU."""
MOST_BYTES = 16 << 20
"""Kubelet's answers grow with the pods of a node; gRPC's own limit is 4 MiB."""


class Lister(Protocol):
    """The stub, which is generated without types."""

    def List(self, request: wire.ListPodResourcesRequest, *, timeout: float) -> wire.ListPodResourcesResponse:  # noqa: N802
        """All pods of the node with their devices."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What kubelet said last."""

    listing: Listing
    at: float
    """Monotonic seconds."""


class Kubelet:
    """Asks until `close`; `answer` is what was said last, however long ago."""

    def __init__(self, socket: Path, wake: Callable[[], None]) -> None:
        """`wake` is called when an answer differs from the last one."""
        self.answer: Answer | None = None
        self.failures = 0
        self._socket, self._wake = socket, wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="kubelet", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Asks no more."""
        self._over.set()
        self._thread.join(PATIENCE_S + 1)

    def _work(self) -> None:
        while not self._over.is_set():
            options = [("grpc.max_receive_message_length", MOST_BYTES), ("grpc.enable_http_proxy", 0)]
            with grpc.insecure_channel(f"unix://{self._socket}", options=options) as channel:
                lister: Lister = service.PodResourcesListerStub(channel)  # type: ignore[no-untyped-call]
                # A new channel after a failure: the socket of a restarted kubelet is another one.
                while self._ask(lister) and not self._over.wait(ASK_S):
                    pass
            self._over.wait(ASK_S)

    def _ask(self, lister: Lister) -> bool:
        try:
            said = lister.List(wire.ListPodResourcesRequest(), timeout=PATIENCE_S)
        except grpc.RpcError:
            self.failures += 1
            return False
        before, now = self.answer, Answer(listing(said), time.monotonic())
        self.answer = now
        if before is None or before.listing != now.listing:
            self._wake()
        return True


def listing(said: wire.ListPodResourcesResponse) -> Listing:
    """Who has which share, from one answer of kubelet's. Shares are told from other devices by their ids: what the
    resource is called, a node config may change while pods run."""
    found: dict[str, list[Occupant]] = {}
    for pod in said.pod_resources:
        for container in pod.containers:
            for device in (device for devices in container.devices for device in devices.device_ids):
                if _SHARE.fullmatch(device):
                    found.setdefault(device, []).append(Occupant(pod.namespace, pod.name, container.name))
    return {slot: tuple(occupants) for slot, occupants in found.items()}
