"""Runs: lists, one, its output, and its end."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from hookrunner.adapters.store import RunQuery
from hookrunner.errors import ConflictError, NotFoundError
from hookrunner.model import Run, Status, Step
from hookrunner.web import shapes
from hookrunner.web.api.lists import ListQuery
from hookrunner.web.asking import Asking, Q
from hookrunner.web.caller import Caller
from hookrunner.web.operation import BYTES, EVENTS, LINES, TEXT, Ask, Nothing, operation
from hookrunner.web.services import Services
from hookrunner.web.stream import send_run, start_offset

_LOOKED_AT = 2000
"""Runs that are read for one page of a caller who may see few of them; a guess."""


class RunsQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs to list.

    Attributes:
        routine: Also validations that nobody asked for and that did not fail.
    """

    project: str | None = None
    repository: str | None = None
    container: str | None = None
    status: Status | None = None
    routine: bool = True


class OutputQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which output: from where on and whether to stay, or one stream of one step as it is."""

    offset: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0
    follow: bool = True
    step: str | None = None
    stream: Literal["stdout", "stderr"] = "stdout"


@operation(
    "GET",
    "/api/v1/runs",
    scope="read",
    query=RunsQuery,
    answers={200: shapes.Page[shapes.Run]},
)
async def runs(ask: Ask[RunsQuery, Nothing]) -> web.Response:
    """List runs, newest first."""
    query = ask.query
    wanted = RunQuery(
        project=query.project,
        repository=query.repository,
        container=query.container,
        status=query.status,
        routine=query.routine,
        since=query.since,
        until=query.until,
        cursor=query.cursor,
        limit=query.limit,
    )
    items, cursor = await page_of_runs(ask.services, ask.caller, wanted)
    return ask.answer(shapes.Page(items=items, next=cursor))


async def page_of_runs(
    services: Services, caller: Caller, query: RunQuery
) -> tuple[list[shapes.Run], str | None]:
    """One page of what a caller may see, and the cursor of the next.

    A caller of few projects may get a page that is not full, and a cursor all the same.
    """
    if query.project is None and not set("*?[,") & set(caller.project):
        query = msgspec.structs.replace(query, project=caller.project)
    items: list[shapes.Run] = []
    looked_at = 0
    while True:
        found = await services.store.runs(query)
        looked_at += len(found)
        for stored, stored_steps in found:
            run, steps = services.dispatcher.snapshot(stored.id) or (stored, stored_steps)
            seen = visible(caller, steps)
            if seen is not None:
                items.append(services.views.run(run, seen))
                if len(items) == query.limit:
                    return items, stored.id
        if len(found) < query.limit:
            return items, None
        if looked_at >= _LOOKED_AT:
            return items, found[-1][0].id
        query = msgspec.structs.replace(query, cursor=found[-1][0].id)


def visible(caller: Caller, steps: Sequence[Step]) -> list[Step] | None:
    """The steps of a run that a caller may see; None where the run is not theirs."""
    seen = [step for step in steps if caller.may_reach(step.project)]
    if seen or caller.is_unrestricted:
        return seen
    return None


@operation("GET", "/api/v1/runs/{id}", scope="read", answers={200: shapes.Run})
async def run(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Show one run."""
    found, steps = await permitted(ask, whole=False)
    return ask.answer(ask.services.views.run(found, steps))


async def permitted(ask: Asking[Q], *, whole: bool) -> tuple[Run, list[Step]]:
    """The run that the path names, with the steps that the caller may see.

    Args:
        whole: Only where these are all of its steps.

    Raises:
        NotFoundError: There is none, or it is not for the caller.
    """
    found, steps = await ask.services.following.find(ask.id)
    seen = visible(ask.caller, steps)
    if seen is None or (whole and len(seen) != len(steps)):
        raise NotFoundError(f"there is no run {ask.id}, or not all of it is yours to see")
    return found, seen


@operation(
    "GET",
    "/api/v1/runs/{id}/output",
    scope="read",
    query=OutputQuery,
    answers={},
    media=(TEXT, EVENTS, LINES, BYTES),
)
async def output(ask: Ask[OutputQuery, Nothing]) -> web.StreamResponse:
    """Show a run's output: follow it while it is live, or replay it."""
    found, steps = await permitted(ask, whole=ask.query.step is None)
    if ask.query.step is not None:
        return await send_raw(
            ask.request, ask.services, found, steps, ask.query.step, ask.query.stream
        )
    offset = start_offset(ask.request, ask.query.offset)
    return await send_run(ask.request, found.id, offset=offset, live=ask.query.follow)


async def send_raw(  # noqa: PLR0917 - request, and the place in it
    request: web.Request,
    services: Services,
    found: Run,
    steps: Sequence[Step],
    step_id: str,
    stream: str,
    *,
    file: str | None = None,
) -> web.StreamResponse:
    """Answer with one stream of one step, byte for byte but for what is masked.

    Args:
        file: What a browser calls what it saves.
    """
    if all(step.id != step_id for step in steps):
        raise NotFoundError(f"run {found.id} has no step {step_id}")
    response = web.StreamResponse(
        headers={
            "Content-Type": BYTES,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    if file is not None:
        response.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    await response.prepare(request)
    async for data in services.following.bytes_of(found.id, step_id, stream):
        await response.write(data)
    await response.write_eof()
    return response


@operation("POST", "/api/v1/runs/{id}/cancel", scope="run", answers={202: shapes.Run})
async def cancel(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Cancel a run: what waits does not start, what runs is stopped."""
    services = ask.services
    found, _ = await permitted(ask, whole=True)
    if not services.dispatcher.cancel(found.id, reason=f"cancelled by {ask.caller.name}"):
        raise ConflictError(f"run {found.id} is over: {found.status}")
    await services.dispatcher.recorded()
    found, steps = await services.following.find(found.id)
    return ask.answer(services.views.run(found, steps), status=202)


@operation("POST", "/api/v1/runs/{id}/retry", scope="run", answers={202: shapes.Run})
async def retry(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Try again what of a run failed or was cancelled; a retry that waits goes now."""
    services = ask.services
    found, _ = await permitted(ask, whole=True)
    services.need_server()
    await asyncio.shield(services.again.retry(found.id, asked_by=ask.caller.name))
    found, steps = await services.following.find(found.id)
    location = services.views.run_url(found.id)
    return ask.answer(services.views.run(found, steps), status=202, location=location)


OPERATIONS = (runs, run, output, cancel, retry)
