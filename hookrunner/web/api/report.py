"""What happened since some time, and how things stand: for the digest that somebody reads."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec.structs import replace

from hookrunner.adapters.store import RunQuery
from hookrunner.core import digest
from hookrunner.core.digest import Digest
from hookrunner.core.standing import standing
from hookrunner.web.api.containers import listed
from hookrunner.web.api.runs import visible
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services

_DAY = 86400.0
_MOST = 10_000
"""Runs that are looked at, the newest ones: a push every nine seconds for a day. It takes a
second or two; a guess."""
_PAGE = 500


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Since when (a day ago), until when, and how many seconds make an image old (90 days)."""

    since: datetime | None = None
    until: datetime | None = None
    older_than: Annotated[float, msgspec.Meta(ge=0, le=36500 * _DAY)] = 90 * _DAY


@operation("GET", "/api/v1/report", scope="read", query=ReportQuery, answers={200: Digest})
async def report(ask: Ask[ReportQuery, Nothing]) -> web.Response:
    """Tell what was updated, what failed, what is behind, old or unwell."""
    services, caller, query = ask.services, ask.caller, ask.query
    now = datetime.now(UTC)
    since, until = query.since or now - timedelta(seconds=_DAY), query.until or now
    runs, is_cut = await _runs(services, caller, RunQuery(since=since, until=until))
    shown = await listed(services, caller)
    known, name = services.intake.known, services.views.name
    standings = [(one, standing(one, known)) for one in shown]
    stuck = [step for step in services.dispatcher.stuck if caller.may_reach(step.project)]
    away = [w.engine.name for w in services.watchers.values() if not w.is_connected]
    told = Digest(
        since=since,
        until=until,
        url=services.config.public_url,
        runs=digest.counted(runs),
        is_cut=is_cut,
        containers=len(shown),
        engines_away=away if caller.is_unrestricted else [],
        updated=digest.updated(runs, name),
        failed=digest.failed(runs, name),
        behind=digest.behind(standings, name),
        images=digest.old_images(
            standings, name, before=now - timedelta(seconds=query.older_than)
        ),
        ailing=digest.ailing(shown, stuck, name),
    )
    return ask.answer(services.views.masked(msgspec.to_builtins(told)))


async def _runs(
    services: Services, caller: Caller, query: RunQuery
) -> tuple[list[digest.Ran], bool]:
    """The runs that a caller may see, oldest first, and whether there are more."""
    found: list[digest.Ran] = []
    query = replace(query, limit=_PAGE)
    looked_at = 0
    while looked_at < _MOST:
        page = await services.store.runs(query)
        for run, steps in page:
            seen = visible(caller, steps)
            if seen is not None:
                found.append((run, seen))
        if len(page) < _PAGE:
            return found[::-1], False
        looked_at += len(page)
        query = replace(query, cursor=page[-1][0].id)
    return found[::-1], True


OPERATIONS = (report,)
