"""Hold containers, and release them."""

import asyncio
from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.core.holds import Hold
from hookrunner.core.selection import NothingMatchedError
from hookrunner.errors import NotFoundError
from hookrunner.web import shapes
from hookrunner.web.api.selecting import ONE_SELECTOR, SelectingRequest
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services

_LONGEST = 10 * 365 * 86400
"""Seconds, ten years: who means longer releases by hand. A guess."""


class ReleaseRequest(SelectingRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a release."""


class HoldRequest(SelectingRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a hold; after so many seconds it ends by itself, null: at the release."""

    seconds: Annotated[float, msgspec.Meta(ge=0.001, le=_LONGEST)] | None = None
    reason: str | None = None


@operation(
    "POST",
    "/api/v1/holds",
    scope="run",
    body=HoldRequest,
    schema=ONE_SELECTOR,
    answers={201: shapes.Hold},
)
async def hold(ask: Ask[Nothing, HoldRequest]) -> web.Response:
    """Start nothing in containers until they are released."""
    services, selector = ask.services, ask.body.selector
    ask.concerns(str(selector))
    await services.listed()
    if services.intake.is_settled:
        meant = services.holding.find(selector)
        if not any(ask.caller.may_touch(one) for one in meant):
            raise NothingMatchedError(f"nothing that runs matches {selector}", [])
    placed = await asyncio.shield(
        services.holding.place(
            selector,
            requested_by=ask.caller.name,
            scope=ask.caller.project,
            reason=ask.body.reason,
            seconds=ask.body.seconds,
        )
    )
    return ask.answer(_view(services, ask.caller, placed), status=201)


@operation(
    "POST",
    "/api/v1/releases",
    scope="run",
    body=ReleaseRequest,
    schema=ONE_SELECTOR,
    answers={200: shapes.Release},
)
async def release(ask: Ask[Nothing, ReleaseRequest]) -> web.Response:
    """Let go of what is held: the newest push that came meanwhile runs."""
    services, selector = ask.services, ask.body.selector
    ask.concerns(str(selector))
    await services.listed()
    gone = await asyncio.shield(
        services.holding.release(
            selector, requested_by=ask.caller.name, scope=ask.caller.project
        )
    )
    meant = services.holding.find(selector)
    left = [
        one
        for one in services.holding
        if _may_see(services, ask.caller, one)
        and any(covered in meant for covered in services.holding.covered(one))
    ]
    if not gone:
        raise NotFoundError(
            f"{selector} is not held" + (" by itself" if left else ""),
            hint="; ".join(f"hookrunner release {one.selector}" for one in left) or None,
        )
    return ask.answer(
        shapes.Release(
            released=[_view(services, ask.caller, one) for one in gone],
            left=[_view(services, ask.caller, one) for one in left],
        )
    )


@operation("GET", "/api/v1/holds", scope="read", answers={200: shapes.Page[shapes.Hold]})
async def holds(ask: Ask[Nothing, Nothing]) -> web.Response:
    """List what is held."""
    await ask.services.listed()
    return ask.answer(shapes.Page(items=held(ask.services, ask.caller), next=None))


def held(services: Services, caller: Caller) -> list[shapes.Hold]:
    """The holds that a caller may see, the oldest first."""
    return [
        _view(services, caller, one)
        for one in services.holding
        if _may_see(services, caller, one)
    ]


def _may_see(services: Services, caller: Caller, hold: Hold) -> bool:
    """Whether a hold covers anything of the caller's, or is of a caller like this one."""
    return (
        caller.is_unrestricted
        or caller.project == hold.scope
        or any(caller.may_touch(one) for one in services.holding.covered(hold))
    )


def _view(services: Services, caller: Caller, hold: Hold) -> shapes.Hold:
    """A hold, with those of its containers that the caller may see."""
    return shapes.Hold(
        id=hold.id,
        selector=str(hold.selector),
        requested_by=hold.requested_by,
        reason=services.views.masked(hold.reason),
        created_at=hold.created_at,
        until=hold.until,
        containers=[
            services.views.name(one.engine, one.name)
            for one in services.holding.covered(hold)
            if caller.may_touch(one)
        ],
    )


OPERATIONS = (hold, release, holds)
