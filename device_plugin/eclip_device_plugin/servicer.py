"""Edge: one resource as kubelet asks for it: the methods of the device plugin API."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import grpc

from eclip.errors import EclipError, InputError
from eclip_device_plugin.container import Container
from eclip_device_plugin.wire import deviceplugin_pb2 as wire
from eclip_device_plugin.wire import deviceplugin_pb2_grpc as services

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A device as kubelet is told of it."""

    id: str
    healthy: bool
    numa_node: int | None


Prefer = Callable[[list[str], list[str], int], Iterable[str]]
"""Available ids, required ids, how many: ids."""
Give = Callable[[list[str]], Container]


class Servicer(services.DevicePluginServicer):
    """Answers kubelet, on as many streams and calls at once as it likes."""

    def __init__(self, resource: str, prefer: Prefer, give: Give) -> None:
        self.resource = resource
        self._prefer = prefer
        self._give = give
        self._changed = threading.Condition()
        self._devices: tuple[Listed, ...] = ()
        self._serial = 0
        self._epoch = 0
        self._streams = 0
        self._quiet_since = time.monotonic()

    def show(self, devices: tuple[Listed, ...]) -> None:
        """The devices from now on; streams send them if they are others than before."""
        with self._changed:
            if devices != self._devices:
                self._devices = devices
                self._serial += 1
                self._changed.notify_all()

    def repeat(self) -> None:
        """Sends the list once more, as if it had changed."""
        with self._changed:
            self._serial += 1
            self._changed.notify_all()

    @property
    def watched(self) -> bool:
        """Kubelet has a stream open."""
        with self._changed:
            return self._streams > 0

    def unwatched_seconds(self) -> float:
        """For how long it has had none, or has not been expected to."""
        with self._changed:
            return 0.0 if self._streams else time.monotonic() - self._quiet_since

    def expect_watch(self) -> None:
        """Kubelet has just been told of us."""
        with self._changed:
            self._quiet_since = time.monotonic()

    def end_streams(self) -> None:
        """Closes what is open."""
        with self._changed:
            self._epoch += 1
            self._changed.notify_all()

    def GetDevicePluginOptions(self, request: wire.Empty, context: grpc.ServicerContext) -> wire.DevicePluginOptions:
        """Part of the API."""
        return wire.DevicePluginOptions(get_preferred_allocation_available=True)

    def ListAndWatch(self, request: wire.Empty, context: grpc.ServicerContext) -> Iterator[wire.ListAndWatchResponse]:
        """Part of the API: the list at once, then after every change."""
        with self._changed:
            epoch, sent = self._epoch, -1
            self._streams += 1
        context.add_callback(self._wake)
        try:
            while (news := self._news(sent, epoch, context)) is not None:
                sent, devices = news
                yield wire.ListAndWatchResponse(devices=[_device(device) for device in devices])
        finally:
            with self._changed:
                self._streams -= 1
                self._quiet_since = time.monotonic()

    def GetPreferredAllocation(
        self, request: wire.PreferredAllocationRequest, context: grpc.ServicerContext
    ) -> wire.PreferredAllocationResponse:
        """Part of the API."""
        answers = (
            self._prefer(list(asked.available_device_ids), list(asked.must_include_device_ids), asked.allocation_size)
            for asked in request.container_requests
        )
        return wire.PreferredAllocationResponse(
            container_responses=[wire.ContainerPreferredAllocationResponse(device_ids=ids) for ids in answers]
        )

    def Allocate(self, request: wire.AllocateRequest, context: grpc.ServicerContext) -> wire.AllocateResponse:
        """Part of the API."""
        try:
            given = [self._give(list(asked.device_ids)) for asked in request.container_requests]
        except InputError as error:
            _log.warning("%s: refused: %s", self.resource, error)
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        except EclipError as error:
            _log.error("%s: failed: %s", self.resource, error)
            context.abort(grpc.StatusCode.INTERNAL, str(error))
        return wire.AllocateResponse(container_responses=[_response(container) for container in given])

    def PreStartContainer(
        self, request: wire.PreStartContainerRequest, context: grpc.ServicerContext
    ) -> wire.PreStartContainerResponse:
        """Part of the API; kubelet is told not to call it."""
        return wire.PreStartContainerResponse()

    def _news(self, sent: int, epoch: int, context: grpc.ServicerContext) -> tuple[int, tuple[Listed, ...]] | None:
        """Waits for a list other than the one that was sent; None at the stream's end."""
        with self._changed:
            self._changed.wait_for(lambda: self._serial != sent or self._epoch != epoch or not context.is_active())
            ended = self._epoch != epoch or not context.is_active()
            return None if ended else (self._serial, self._devices)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _device(device: Listed) -> wire.Device:
    topology = None
    if device.numa_node is not None:
        topology = wire.TopologyInfo(nodes=[wire.NUMANode(id=device.numa_node)])
    return wire.Device(id=device.id, health="Healthy" if device.healthy else "Unhealthy", topology=topology)


def _response(container: Container) -> wire.ContainerAllocateResponse:
    return wire.ContainerAllocateResponse(
        envs=dict(container.environment),
        mounts=[
            wire.Mount(container_path=mount.container, host_path=mount.host, read_only=mount.read_only)
            for mount in container.mounts
        ],
        devices=[
            wire.DeviceSpec(container_path=device.path, host_path=device.path, permissions="rw")
            for device in container.devices
        ],
    )
