"""Whether hookrunner can do its work: one word for machines, details for people."""

import asyncio
import math

from aiohttp import web

from hookrunner.adapters.store import Store
from hookrunner.errors import StoreError
from hookrunner.web import shapes
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import SERVICES, Services


async def ready(request: web.Request) -> web.Response:
    """``GET /readyz``: 200 when deliveries can be taken and stored."""
    error = await request.app[STORE_CHECK].error(request.app[SERVICES].store)
    if error is not None:
        return web.Response(status=503, text="unready\n")
    return web.Response(text="ok\n")


async def healthy(request: web.Request) -> web.Response:
    """``GET /healthz``: ``ok``, ``degraded``, or 503 ``failing``."""
    status = (await health(request)).status
    return web.Response(status=503 if status == "failing" else 200, text=f"{status}\n")


@operation("GET", "/api/v1/health", scope="read", answers={200: shapes.Health})
async def details(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Show how the store and every engine are."""
    return ask.answer(await health(ask.request))


async def health(request: web.Request) -> shapes.Health:
    """Look at what hookrunner rests on."""
    services = request.app[SERVICES]
    store = await request.app[STORE_CHECK].error(services.store)
    engines = {
        name: shapes.EngineHealth(
            url=watcher.engine.url,
            connected=watcher.is_connected,
            error=watcher.error,
            containers=len(services.inventory.on(name)),
        )
        for name, watcher in services.watchers.items()
    }
    stuck = [services.views.stuck(step) for step in services.dispatcher.stuck]
    certificate = services.certificate.error if services.certificate else None
    status = "ok"
    if (
        stuck
        or certificate
        or not all(watcher.is_connected for watcher in services.watchers.values())
    ):
        status = "degraded"
    if store is not None:
        status = "failing"
    return shapes.Health(
        status=status,
        store=store or "ok",
        engines=engines,
        stuck=stuck,
        certificate=certificate,
        kept=_kept(services),
    )


def _kept(services: Services) -> shapes.Kept | None:
    last = services.housekeeping.last
    if last is None:
        return None
    return shapes.Kept(
        at=last.at,
        runs=last.runs,
        output_bytes=last.output,
        database_bytes=services.store.figures.size,
        free_bytes=last.free,
        removed_runs=last.removed_runs,
        removed_deliveries=last.removed_deliveries,
    )


class StoreCheck:
    """Whether something can be recorded now; looked at once a second at most.

    Anybody may ask, and each look writes to the disk.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._looked = -math.inf
        self._error: str | None = None

    async def error(self, store: Store) -> str | None:
        """Why nothing can be recorded, or None."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._looked >= _LOOK_AGAIN:
                try:
                    await store.healthy()
                    self._error = None
                except StoreError as error:
                    self._error = str(error)
                self._looked = now
            return self._error


_LOOK_AGAIN = 1.0
"""Seconds for which an answer holds."""

STORE_CHECK: web.AppKey[StoreCheck] = web.AppKey("store_check", StoreCheck)


OPERATIONS = (details,)
