"""Something with a `run()` that works until it is cancelled, at work for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol, TypeVar


class Runs(Protocol):
    """Such a thing."""

    def run(self) -> Coroutine[Any, Any, None]: ...


T = TypeVar("T", bound=Runs)


@asynccontextmanager
async def running(one: T) -> AsyncIterator[T]:
    """At work inside the block, ended after it."""
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
