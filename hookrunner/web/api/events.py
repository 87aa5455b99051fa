"""Everything that changes."""

from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.web.events import send_changes
from hookrunner.web.operation import EVENTS, Ask, Nothing, operation

_LONGEST = 86400
"""Seconds, a day: who wants to hear more asks again, or for no end."""


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how many seconds to follow; null: for ever."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST)] | None = None


@operation(
    "GET", "/api/v1/events", scope="read", query=EventsQuery, answers={}, media=(EVENTS,)
)
async def events(ask: Ask[EventsQuery, Nothing]) -> web.StreamResponse:
    """Follow all that changes: events `delivery`, `run`, `step`, `container`, `gone`, `gap`."""
    return await send_changes(ask.request, ask.services, ask.caller, ask.query.seconds)


OPERATIONS = (events,)
