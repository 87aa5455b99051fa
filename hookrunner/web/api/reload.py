"""Have the configuration read again."""

import asyncio

from aiohttp import web

from hookrunner.errors import UnavailableError
from hookrunner.web import shapes
from hookrunner.web.operation import Ask, Nothing, operation


class Reloaded(shapes.Shape, frozen=True, kw_only=True):
    """What a reload changed, and what is as it was since it needs a restart."""

    changed: list[str]
    kept: list[str]


@operation("POST", "/api/v1/reload", scope="admin", answers={200: Reloaded})
async def reload(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Read the configuration again: all of it is put in force, or nothing."""
    run = ask.services.settings.reload
    if run is None:
        raise UnavailableError("no server runs that could read its configuration again")
    done = await asyncio.shield(run())
    return ask.answer(Reloaded(changed=done.changed, kept=done.kept))


OPERATIONS = (reload,)
