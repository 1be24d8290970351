"""Edge: one resource's socket in kubelet's folder, and its registration."""

import logging
from concurrent import futures
from pathlib import Path

import grpc

from eclip_device_plugin.servicer import Give, Prefer, Servicer
from eclip_device_plugin.wire import deviceplugin_pb2 as wire
from eclip_device_plugin.wire import deviceplugin_pb2_grpc as services

API = "v1beta1"
KUBELET_SOCKET = "kubelet.sock"
_WORKERS = 8
_ANSWER_SECONDS = 5.0
_STREAM_SECONDS = 3.0
"""Kubelet opens its stream within moments of a registration; without one it has forgotten us."""
_OWN = (("grpc.use_local_subchannel_pool", 1),)
"""A connection of its own: one that is shared by address may still lead to a kubelet that has died."""
_Identity = tuple[int, int, int]
_log = logging.getLogger(__name__)


class Service(Servicer):
    """Serves one resource. `tend` keeps it registered."""

    def __init__(self, folder: Path, resource: str, prefer: Prefer, give: Give) -> None:
        super().__init__(resource, prefer, give)
        self._kubelet = folder / KUBELET_SOCKET
        self._stem = resource.replace("/", "_")
        self._socket = folder / f"{self._stem}.0.sock"
        self._served = 0
        self._server: grpc.Server | None = None
        self._workers: futures.ThreadPoolExecutor | None = None
        self._place: tuple[_Identity, _Identity | None] | None = None

    def tend(self) -> None:
        """Registers if kubelet does not know us: it has started anew, our socket is gone, or its stream broke."""
        kubelet = _identity(self._kubelet)
        if kubelet is None:
            return
        if self._server is None or self._place != (kubelet, _identity(self._socket)):
            self._serve()
            self._register(kubelet)
        elif self.unwatched_seconds() > _STREAM_SECONDS:
            _log.warning("%s: kubelet does not watch; registering again", self.resource)
            self._register(kubelet)

    def stop(self) -> None:
        """Ends the service; kubelet finds its stream closed."""
        self.end_streams()
        if self._server:
            self._server.stop(grace=0.2).wait()
        if self._workers:
            self._workers.shutdown(wait=False)
        self._server = self._workers = self._place = None

    def _serve(self) -> None:
        self.stop()
        # A name of its own each time: the old server takes its file away some time after it has ended.
        for left in self._kubelet.parent.glob(f"{self._stem}.*.sock"):
            left.unlink(missing_ok=True)
        self._served += 1
        self._socket = self._kubelet.parent / f"{self._stem}.{self._served}.sock"
        self._workers = futures.ThreadPoolExecutor(_WORKERS, thread_name_prefix=self.resource)
        self._server = grpc.server(self._workers)
        services.add_DevicePluginServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()

    def _register(self, kubelet: _Identity) -> None:
        request = wire.RegisterRequest(
            version=API,
            endpoint=self._socket.name,
            resource_name=self.resource,
            options=wire.DevicePluginOptions(get_preferred_allocation_available=True),
        )
        self._place = None
        self.expect_watch()
        with grpc.insecure_channel(f"unix:{self._kubelet}", _OWN) as channel:
            stub = services.RegistrationStub(channel)  # type: ignore[no-untyped-call]
            try:
                stub.Register(request, timeout=_ANSWER_SECONDS)
            except grpc.RpcError as error:
                _log.warning("%s: kubelet does not take the registration: %s", self.resource, error)
                return
        self._place = (kubelet, _identity(self._socket))
        _log.info("%s: registered with kubelet", self.resource)


def _identity(path: Path) -> _Identity | None:
    """Tells a socket from one that took its place, also where the file system gives the inode number anew."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_ctime_ns
