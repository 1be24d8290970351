"""A kubelet that does nothing but hand out devices: real sockets, no containers. Held to kubelet_contract.py."""

import json
import threading
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from kubelet_contract import Admitted, RefusedError, until

from eclip_device_plugin.wire import deviceplugin_pb2 as wire
from eclip_device_plugin.wire import deviceplugin_pb2_grpc as services

CHECKPOINT = "kubelet_internal_checkpoint"
ANSWER_SECONDS = 10.0


@dataclass
class Endpoint:
    """A plugin that registered."""

    channel: grpc.Channel
    plugin: services.DevicePluginStub
    prefers: bool
    stream: Any
    devices: dict[str, wire.Device] = field(default_factory=dict)
    lists: int = 0
    alive: bool = True

    def close(self) -> None:
        """Kubelet's end of the stream."""
        self.stream.cancel()
        self.channel.close()


class FakeKubelet(services.RegistrationServicer):
    """Serves registrations in a folder. What it has given out outlives a restart, as kubelet's checkpoint does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registrations: list[wire.RegisterRequest] = []
        self.admitted: dict[str, tuple[str, tuple[str, ...], wire.ContainerAllocateResponse]] = {}
        self.refuses = False
        self.deaf = False
        """Takes registrations and forgets them."""
        self._changed = threading.Condition()
        self._endpoints: dict[str, Endpoint] = {}
        self._server: grpc.Server | None = None
        self.start()

    def start(self) -> None:
        """As kubelet starts: all sockets of the folder go."""
        for socket in self.folder.glob("*.sock"):
            socket.unlink()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        services.add_RegistrationServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix:{self.folder / 'kubelet.sock'}")
        self._server.start()

    def kill(self) -> None:
        """Its sockets stay, as after kill -9."""
        assert self._server
        self._server.stop(grace=None).wait()
        self._server = None
        with self._changed:
            for endpoint in self._endpoints.values():
                endpoint.close()
            self._endpoints = {}

    def restart(self) -> None:
        """Dies and starts again."""
        self.kill()
        self.start()

    def break_stream(self, resource: str) -> None:
        """The plugin's stream ends; kubelet forgets the plugin until it registers again."""
        with self._changed:
            self._endpoints.pop(resource).close()

    def advertise_elsewhere(self, resource: str, *devices: str) -> None:
        """Another plugin has registered these."""
        content = {"Data": {"PodDeviceEntries": None, "RegisteredDevices": {resource: list(devices)}}, "Checksum": 0}
        (self.folder / CHECKPOINT).write_text(json.dumps(content))

    def devices(self, resource: str) -> dict[str, bool]:
        """Health by id."""
        with self._changed:
            endpoint = self._endpoints.get(resource)
            return {name: d.health == "Healthy" for name, d in endpoint.devices.items()} if endpoint else {}

    def capacity(self, resource: str) -> int:
        """All devices."""
        return len(self.devices(resource))

    def allocatable(self, resource: str) -> int:
        """Healthy devices."""
        return sum(self.devices(resource).values())

    def admit(self, name: str, resource: str, count: int = 1) -> Admitted:
        """Gives a container what it asks for."""
        with self._changed:
            endpoint = self._endpoints.get(resource)
        taken = {device for _, devices, _ in self.admitted.values() for device in devices}
        free = sorted(device for device, healthy in self.devices(resource).items() if healthy and device not in taken)
        if endpoint is None or len(free) < count:
            raise RefusedError(f"Insufficient {resource}")
        chosen = self.prefer(resource, free, count) if endpoint.prefers else free[:count]
        asked = wire.AllocateRequest(container_requests=[wire.ContainerAllocateRequest(device_ids=chosen)])
        try:
            answer = endpoint.plugin.Allocate(asked, timeout=ANSWER_SECONDS)
        except grpc.RpcError as error:
            raise RefusedError(error.details()) from error
        (response,) = answer.container_responses
        self.admitted[name] = (resource, tuple(chosen), response)
        return self.seen_by(name)

    def prefer(self, resource: str, free: list[str], count: int) -> list[str]:
        """The plugin's advice."""
        request = wire.ContainerPreferredAllocationRequest(available_device_ids=free, allocation_size=count)
        asked = wire.PreferredAllocationRequest(container_requests=[request])
        answer = self._endpoints[resource].plugin.GetPreferredAllocation(asked, timeout=ANSWER_SECONDS)
        return list(answer.container_responses[0].device_ids)

    def seen_by(self, name: str) -> Admitted:
        """What a container gets at every start: kubelet replays the first answer."""
        _, devices, response = self.admitted[name]
        mounts = {mount.container_path: (Path(mount.host_path), mount.read_only) for mount in response.mounts}
        return Admitted(devices, dict(response.envs), mounts, tuple(device.host_path for device in response.devices))

    def end(self, name: str) -> None:
        """The container's pod is gone. The plugin is not told."""
        del self.admitted[name]

    def Register(self, request: wire.RegisterRequest, context: grpc.ServicerContext) -> wire.Empty:
        """Part of the API."""
        self.registrations.append(request)
        if self.refuses or request.version != "v1beta1":
            context.abort(grpc.StatusCode.UNAVAILABLE, "this kubelet refuses")
        if not self.deaf:
            threading.Thread(target=self._watch, args=(request,), daemon=True).start()
        return wire.Empty()

    def close(self) -> None:
        """Ends everything."""
        if self._server:
            self.kill()

    def _watch(self, request: wire.RegisterRequest) -> None:
        # A connection of its own: one that is shared by address may still lead to a plugin that has died.
        own = (("grpc.use_local_subchannel_pool", 1),)
        channel = grpc.insecure_channel(f"unix:{self.folder / request.endpoint}", own)
        plugin = services.DevicePluginStub(channel)
        endpoint = Endpoint(
            channel, plugin, request.options.get_preferred_allocation_available, plugin.ListAndWatch(wire.Empty())
        )
        with self._changed:
            before = self._endpoints.pop(request.resource_name, None)
            self._endpoints[request.resource_name] = endpoint
        if before:
            before.close()
        try:
            for listed in self._lists(endpoint):
                with self._changed:
                    endpoint.devices = {device.id: device for device in listed.devices}
                    endpoint.lists += 1
        finally:
            with self._changed:
                endpoint.alive = False
                endpoint.devices = {}

    @staticmethod
    def _lists(endpoint: Endpoint) -> Iterator[wire.ListAndWatchResponse]:
        try:
            yield from endpoint.stream
        except (grpc.RpcError, ValueError):
            return


__all__ = ["FakeKubelet", "until"]
