"""What is wrong with what is known, for ``hookrunner check``."""

from collections.abc import AsyncIterator
from datetime import datetime

import structlog
from aiohttp import web

from hookrunner.adapters.store import DeliveryQuery
from hookrunner.core import checking
from hookrunner.core.findings import Finding
from hookrunner.core.forge_access import forge_access, forge_of
from hookrunner.core.inventory import EngineState
from hookrunner.core.metadata import is_hidden
from hookrunner.errors import ForbiddenError, HookrunnerError
from hookrunner.forges import weaknesses
from hookrunner.web import shapes
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services

log = structlog.get_logger()

_DELIVERIES = 100
"""Deliveries in which the last one of each source is looked for."""


class Refusal(shapes.Shape, frozen=True, kw_only=True):
    """A request to the webhooks' door that was refused."""

    at: datetime
    address: str
    reason: str
    hint: str | None


@operation(
    "GET",
    "/api/v1/check",
    scope="read",
    answers={200: shapes.Page[shapes.Finding]},
)
async def check(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Say what is wrong with what is known, and what to do about it."""
    services = _unrestricted(ask)
    await services.listed()
    masked = services.views.masked
    found = [
        shapes.Finding(
            level=one.level,
            about=masked(one.about) or "",
            text=masked(one.text) or "",
            remedy=masked(one.remedy),
        )
        async for one in _findings(services)
    ]
    return ask.answer(shapes.Page(items=found, next=None))


@operation(
    "GET",
    "/api/v1/refusals",
    scope="read",
    answers={200: shapes.Page[Refusal]},
)
async def refusals(ask: Ask[Nothing, Nothing]) -> web.Response:
    """List the last requests to the webhooks' door that were refused, newest first."""
    items = [
        Refusal(at=one.at, address=one.address, reason=one.reason, hint=one.hint)
        for one in reversed(_unrestricted(ask).refusals)
    ]
    return ask.answer(shapes.Page(items=items, next=None))


def _unrestricted(ask: Ask[Nothing, Nothing]) -> Services:
    if ask.caller.project != "*":
        raise ForbiddenError(
            f"{ask.caller.name} may see only the projects {ask.caller.project}"
        )
    return ask.services


async def _findings(services: Services) -> AsyncIterator[Finding]:
    """All of them, the general ones first."""
    inventory, watchers = services.inventory, services.watchers
    others = [one for watcher in watchers.values() for one in watcher.others]
    strangers = [one for one in others if not is_hidden(one.labels)]
    states = [
        EngineState(
            name=name,
            url=watcher.engine.url,
            listed=watcher.is_connected,
            error=watcher.error,
        )
        for name, watcher in watchers.items()
    ]
    counts = {name: len(inventory.on(name)) for name in watchers}
    deliveries = await services.store.deliveries(DeliveryQuery(limit=_DELIVERIES))
    for finding in (
        *checking.check_sources(services.config, weaknesses(services.config.sources)),
        *checking.check_engines(states, counts),
        *checking.check_deliveries(deliveries, services.intake.known),
        *checking.check_chats(services.config, [one.project for one in inventory]),
    ):
        yield finding
    known = sorted(inventory, key=lambda c: (c.project, c.name, c.engine))
    for container in (*known, *others):
        if forge_of(container.image) is None:
            continue
        try:
            engine = watchers[container.engine].engine
            surroundings = await engine.surroundings(container.id)
        except HookrunnerError as error:
            log.info("cannot look at", container=container.name, error=str(error))
            continue
        yield forge_access(container, surroundings, services.config)
    for container in known:
        for finding in checking.check_container(container, services.intake.known):
            yield finding
    strange = [one for one in strangers if forge_of(one.image) is None]
    for finding in checking.check_strangers(strange, len(others) - len(strangers)):
        yield finding


OPERATIONS = (check, refusals)
