"""Who used the API, for what, and how it was answered."""

from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.adapters.store import UseQuery
from hookrunner.web import shapes
from hookrunner.web.api.lists import ListQuery
from hookrunner.web.operation import Ask, Nothing, operation


class UsesQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which uses to list."""

    cursor: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,18}$")] | None = None
    who: str | None = None


@operation(
    "GET",
    "/api/v1/audit",
    scope="admin",
    query=UsesQuery,
    answers={200: shapes.Page[shapes.Use]},
)
async def audit(ask: Ask[UsesQuery, Nothing]) -> web.Response:
    """List who did what, newest first."""
    query = ask.query
    found = await ask.services.store.uses(
        UseQuery(
            who=query.who,
            since=query.since,
            until=query.until,
            cursor=None if query.cursor is None else int(query.cursor),
            limit=query.limit,
        )
    )
    items = [
        shapes.Use(
            id=str(number),
            at=use.at,
            who=use.who,
            what=ask.services.views.masked(use.what),
            about=ask.services.views.masked(use.about),
            run=use.run,
            status=use.status,
            address=use.address,
        )
        for number, use in found
    ]
    cursor = str(found[-1][0]) if len(found) == query.limit else None
    return ask.answer(shapes.Page(items=items, next=cursor))


OPERATIONS = (audit,)
