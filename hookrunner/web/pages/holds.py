"""What is held: nothing starts there, and who may lets go of it."""

import asyncio

import msgspec
from aiohttp import web

from hookrunner.errors import ForbiddenError, NotFoundError
from hookrunner.web import shapes
from hookrunner.web.api.holds import held
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Nothing
from hookrunner.web.pages.looking import Look, act, concerns
from hookrunner.web.services import Services


class Held(msgspec.Struct, frozen=True):
    """A hold, and whether who looks may end it."""

    hold: shapes.Hold
    may_release: bool


def shown(services: Services, caller: Caller) -> list[Held]:
    """What somebody sees of the holds."""
    can_run = "run" in caller.scopes
    ended = {
        one.id for one in services.holding if services.holding.may_release(one, caller.project)
    }
    return [Held(one, can_run and one.id in ended) for one in held(services, caller)]


@act("/holds/{id}/release")
async def release(look: Look[Nothing]) -> web.StreamResponse:
    """Let go of what one hold covers."""
    services, caller = look.services, look.caller
    seen = {one.id for one in held(services, caller)}
    found = next((one for one in services.holding if one.id == look.id), None)
    if found is None or found.id not in seen:
        raise NotFoundError(f"there is no hold {look.id}: it was released, or is over")
    concerns(look.request, str(found.selector))
    if not services.holding.may_release(found, caller.project):
        raise ForbiddenError(f"{found.selector} reaches beyond the projects of {caller.name}")
    await asyncio.shield(services.holding.release_one(found, requested_by=caller.name))
    return look.go("")


ROUTES = (release,)
