"""Metrics and probes over HTTP."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from eclip_operator.loop import Operator
from eclip_operator.metrics import REGISTRY
from eclip_operator.objectives import Objectives

STUCK_S = 60.0
"""The loop that has been silent for so long, though there is work, is restarted."""


@asynccontextmanager
async def served(operator: Operator, host: str, port: int) -> AsyncIterator[int]:
    """Serves /metrics, /healthz and /readyz meanwhile; gives the port."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        silent = time.monotonic() - operator.beat
        return web.Response(text=f"silent for {silent:.0f} s\n", status=503 if silent > STUCK_S else 200)

    async def readyz(_: web.Request) -> web.Response:
        ready = operator.ready.is_set()
        return web.Response(text="ready\n" if ready else "reading the cluster\n", status=200 if ready else 503)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    objectives = Objectives(lambda: tuple(operator.mind.policies.values()))
    REGISTRY.register(objectives)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        REGISTRY.unregister(objectives)
        await runner.cleanup()
