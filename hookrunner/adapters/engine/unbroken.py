"""What has to be done whole, also where whoever asked for it is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a cancelled caller waits for it: an engine that answers takes 60 ms to make an
exec and to start it. A guess."""


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Await work to its end; a cancellation waits for that, but not for long.

    Raises:
        Whatever the work raises; CancelledError once it is over, where the caller was
        cancelled meanwhile.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=PATIENCE)
        if task.done() and not task.cancelled():
            task.exception()  # seen, and of no use to a caller that is gone
        raise
    finally:
        task.cancel()
