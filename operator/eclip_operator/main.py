"""`eclip-operator`: the operator as a program."""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import kopf

from eclip_operator import handlers, logs
from eclip_operator.cluster import Cluster
from eclip_operator.connect import login
from eclip_operator.loop import Operator
from eclip_operator.retention import KEPT_S
from eclip_operator.serving import served


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs until it is told to end (SIGTERM, SIGINT)."""
    options = _parser().parse_args(arguments)
    logs.configure(options.log_format, options.log_level)
    asyncio.run(_run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("eclip-operator", description="Plans how pods share GPUs, for a whole cluster.")
    parser.add_argument("--host", default="0.0.0.0", help="address of metrics and probes (default: all)")
    parser.add_argument("--port", type=int, default=8080, help="port of metrics and probes (default: 8080)")
    parser.add_argument("--log-format", choices=("json", "text"), default="json")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument(
        "--table-retention",
        type=float,
        default=KEPT_S,
        metavar="SECONDS",
        help="how long a LookupTable is kept that nobody names (default: 600)",
    )
    parser.add_argument(
        "--agents",
        nargs=2,
        metavar=("NAMESPACE", "SELECTOR"),
        help="where the node agents' pods are, and their labels: states of a node whose agent is gone are Unknown "
        "(default: those of Nodes that are not ready only)",
    )
    return parser


async def _run(options: argparse.Namespace) -> None:
    settings = kopf.OperatorSettings()
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(Cluster(lambda: login(settings)))
        operator = Operator(cluster, kept_s=options.table_retention, agents=options.agents and tuple(options.agents))
        await stack.enter_async_context(served(operator, options.host, options.port))
        work = asyncio.create_task(operator.run())
        watches = asyncio.create_task(
            kopf.operator(registry=handlers.registry(operator), settings=settings, clusterwide=True, standalone=True)
        )
        # Whichever ends takes the other one with it: a half-dead operator helps nobody.
        done, others = await asyncio.wait({work, watches}, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for task in done:
            task.result()
