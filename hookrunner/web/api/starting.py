"""Requests that start runs."""

import asyncio

from aiohttp import web

from hookrunner.model import Action
from hookrunner.web import shapes
from hookrunner.web.api.selecting import ONE_SELECTOR, SelectingRequest
from hookrunner.web.operation import EVENTS, LINES, TEXT, Ask, Nothing, operation
from hookrunner.web.stream import send_run, wants_json


class RunRequest(SelectingRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a run: exactly one of the first four."""

    force: bool = False
    reason: str | None = None


_STREAMS = (TEXT, EVENTS, LINES)


@operation(
    "POST",
    "/api/v1/updates",
    scope="run",
    body=RunRequest,
    schema=ONE_SELECTOR,
    answers={202: shapes.Run},
    media=_STREAMS,
)
async def update(ask: Ask[Nothing, RunRequest]) -> web.StreamResponse:
    """Update containers: 202 and the run as JSON, or its live output as it comes."""
    return await _start(ask, Action.update)


@operation(
    "POST",
    "/api/v1/validations",
    scope="run",
    body=RunRequest,
    schema=ONE_SELECTOR,
    answers={202: shapes.Run},
    media=_STREAMS,
)
async def validate(ask: Ask[Nothing, RunRequest]) -> web.StreamResponse:
    """Validate containers: 202 and the run as JSON, or its live output as it comes."""
    return await _start(ask, Action.validate)


async def _start(ask: Ask[Nothing, RunRequest], action: Action) -> web.StreamResponse:
    services = ask.services
    services.need_server()
    ask.concerns(str(ask.body.selector))
    await services.settled()
    run = await asyncio.shield(
        services.intake.request(
            ask.body.selector,
            action,
            force=ask.body.force,
            reason=ask.body.reason,
            requested_by=ask.caller.name,
            may_reach=ask.caller.may_touch,
        )
    )
    if wants_json(ask.request):
        found, steps = await services.following.find(run.id)
        location = services.views.run_url(run.id)
        return ask.answer(services.views.run(found, steps), status=202, location=location)
    return await send_run(ask.request, run.id)


OPERATIONS = (update, validate)
