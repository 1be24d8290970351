"""Between a client and the API server: counts writes, and ends the client at one of them."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import ClientConnectionResetError, ClientSession, ClientTimeout, TCPConnector, web

from kube.bare import BareApi

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
HOP_BY_HOP = {"transfer-encoding", "connection", "content-length", "content-encoding", "host", "accept-encoding"}


@dataclass
class Tripwire:
    """What the wire does; set by the test while requests pass."""

    bare: BareApi
    server: str = ""
    """Where the client has to go, without TLS."""
    writes: list[str] = field(default_factory=list)
    """Method and path of all writes since it was armed."""
    pid: int | None = None
    """Who is ended."""
    at: int | None = None
    """The number of the write (from 1) at which it is; None: never."""
    after: bool = False
    """Whether the API server carries that write out."""
    sprung: bool = False
    shut: bool = False
    """Whether nothing passes: the client is dead, and what it had sent meanwhile is lost with it."""

    def open(self) -> None:
        """There is a new client."""
        self.shut = False

    def arm(self, pid: int, at: int | None, *, after: bool) -> None:
        """Count from anew, and end this process at that write."""
        self.writes, self.pid, self.at, self.after, self.sprung, self.shut = [], pid, at, after, False, False

    async def handle(self, session: ClientSession, request: web.Request) -> web.StreamResponse:
        """One request of the client."""
        body = await request.read()
        tripped = False
        if request.method in WRITES and not self.sprung:
            self.writes.append(f"{request.method} {request.path}")
            tripped = len(self.writes) == self.at
        if tripped and not self.after:
            self._spring()
        if self.shut:
            raise web.HTTPServiceUnavailable
        headers = {key: value for key, value in request.headers.items() if key.lower() not in HOP_BY_HOP}
        url = f"{self.bare.server}{request.raw_path}"
        async with session.request(request.method, url, data=body or None, headers=headers) as answer:
            if tripped:
                await answer.read()
                self._spring()
                raise web.HTTPServiceUnavailable
            if self.shut and not tripped:
                raise web.HTTPServiceUnavailable
            kept = {key: value for key, value in answer.headers.items() if key.lower() not in HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            with suppress(ClientConnectionResetError):  # the client is dead
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

    def _spring(self) -> None:
        self.sprung = self.shut = True
        assert self.pid is not None
        os.killpg(self.pid, signal.SIGKILL)


@contextmanager
def tripwire(bare: BareApi) -> Iterator[Tripwire]:
    """Serves the wire, in a thread of its own."""
    wire, ready, stop = Tripwire(bare), threading.Event(), asyncio.Event()
    loop: asyncio.AbstractEventLoop | None = None

    async def serve() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        connector = TCPConnector(ssl=bare.client, limit=0)
        async with ClientSession(
            connector=connector, timeout=ClientTimeout(total=None), auto_decompress=True
        ) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await wire.handle(session, request)

            app = web.Application(client_max_size=1 << 26)
            app.router.add_route("*", "/{path:.*}", handle)
            # Watches do not end by themselves, neither with their client nor with us.
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            wire.server = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    assert loop is not None
    try:
        yield wire
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive(), "the wire does not end"
