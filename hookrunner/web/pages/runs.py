"""Runs: the list, and one with its timeline and output."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.adapters.store import RunQuery
from hookrunner.core.outcome import FAILURES
from hookrunner.errors import ConflictError
from hookrunner.model import Run, Status, Step, Stream
from hookrunner.service.following import Gap, Output, Result, StepChanged
from hookrunner.units import parse_duration
from hookrunner.web.api.runs import page_of_runs, permitted, send_raw
from hookrunner.web.operation import Nothing
from hookrunner.web.pages import drawing
from hookrunner.web.pages.lines import Line, LineReader, Tail
from hookrunner.web.pages.live import BEAT, BEAT_EVENT
from hookrunner.web.pages.looking import Look, act, look
from hookrunner.web.stream import beating, follower, headers, start_offset

_PAGE = 50
_LINES = 300
"""Lines of a step that are shown at first: a page of them is read at most, and more is a
link away. A guess."""
_ALL = 20_000
"""Lines of a step that are shown at most: a browser is slow with more."""


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs to show; what is empty leaves its condition out, as a form sends it."""

    project: str = ""
    repository: str = ""
    container: str = ""
    status: str = ""
    since: str = ""
    routine: str = ""
    cursor: str = ""


@look("/runs", Filter)
async def runs(look: Look[Filter]) -> web.Response:
    """Show the runs that fit, newest first."""
    query, wrong = look.query, None
    since = None
    try:
        if query.since:
            since = datetime.now(UTC) - timedelta(seconds=parse_duration(query.since))
    except (ValueError, OverflowError):
        wrong = f"{query.since} is no length of time: write 30m, 12h or 7d"
    status = Status(query.status) if query.status in set(Status) else None
    found, more = await page_of_runs(
        look.services,
        look.caller,
        RunQuery(
            project=query.project or None,
            repository=query.repository or None,
            container=query.container or None,
            status=status,
            since=since,
            routine=bool(query.routine),
            cursor=query.cursor or None,
            limit=_PAGE,
        ),
    )
    return await look.show(
        "runs.html", runs=found, more=more, query=query, wrong=wrong, statuses=_STATUSES
    )


_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "superseded")
"""Those that a run can have."""


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much output, and what to look for in it."""

    lines: str = ""
    q: Annotated[str, msgspec.Meta(max_length=200)] = ""


@look("/runs/{id}", Shown)
async def run(look: Look[Shown]) -> web.Response:
    """Show one run."""
    found, steps = await permitted(look, whole=False)
    services, query = look.services, look.query
    told = services.views.run(found, steps)
    kept = _ALL if query.lines == "all" or query.q else _LINES
    tails, quiet = await _output(look, found, steps, kept)
    wanted = query.q.lower().encode()
    lines = {
        step: [(number, line) for number, line in tail.lines if wanted in line.data.lower()]
        for step, tail in tails.items()
    }
    waits = {
        step.id: services.views.masked(services.dispatcher.why_it_waits(step))
        for step in steps
        if step.status is Status.queued
    }
    return await look.show(
        "run.html",
        run=told,
        lines=lines,
        counts={step: tail.count for step, tail in tails.items()},
        quiet=quiet,
        query=query,
        waits=waits,
        is_live=found.finished_at is None,
        can_retry=any(
            step.status in FAILURES
            or step.status is Status.cancelled
            or step.not_before is not None
            for step in steps
        ),
        graph=drawing.timeline(told, datetime.now(UTC)),
    )


async def _output(
    look: Look[Shown], found: Run, steps: list[Step], kept: int
) -> tuple[dict[str, Tail], int]:
    """The last lines of each step, and the offset from which on live ones follow."""
    tails = {step.id: Tail(kept) for step in steps}
    reader = LineReader()
    async for event in look.services.following.follow(found.id, live=False):
        if isinstance(event, Output) and event.step.id in tails:
            tails[event.step.id].add(reader.feed(event.piece))
        elif isinstance(event, Gap) and event.step.id in tails:
            tails[event.step.id].add([_gap(event)])
    if found.finished_at is not None:
        for line in reader.rest():
            tails[line.step].add([line])
    return tails, reader.quiet


def _gap(event: Gap) -> Line:
    data = f"... {event.size} bytes were not kept ...".encode()
    return Line(step=event.step.id, stream=Stream.stderr, at=event.offset, data=data)


class Offset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin."""

    offset: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 0


@look("/runs/{id}/lines", Offset)
async def lines(look: Look[Offset]) -> web.StreamResponse:
    """Tell the lines of a run as they come; from an offset that this page told before."""
    found, _ = await permitted(look, whole=True)
    return await _send_lines(look, found)


async def _send_lines(look: Look[Offset], found: Run) -> web.StreamResponse:
    offset = start_offset(look.request, look.query.offset)
    reader = LineReader(offset)
    response = web.StreamResponse(headers=headers("text/event-stream"))
    async with follower(look.request, response) as write, beating(write, BEAT_EVENT, BEAT):
        await write(b"retry: 1000\n" + BEAT_EVENT)

        async def tell(name: str, value: object) -> None:
            start = f"id: {reader.quiet}\nevent: {name}\ndata: ".encode()
            await write(start + msgspec.json.encode(value) + b"\n\n")

        async for event in look.services.following.follow(found.id, offset=offset):
            if isinstance(event, Output) and event.step.run == found.id:
                for line in reader.feed(event.piece):
                    await tell("line", _told(line))
            elif isinstance(event, Gap) and event.step.run == found.id:
                await tell("line", _told(_gap(event)))
            elif isinstance(event, StepChanged):
                if event.step.status.is_final:
                    for line in reader.rest(event.step.id):
                        await tell("line", _told(line))
                await tell("step", {"step": event.step.id, "status": event.step.status})
            elif isinstance(event, Result):
                await tell("result", {"status": event.run.status})
    return response


def _told(line: Line) -> dict[str, object]:
    return {
        "step": line.step,
        "stream": line.stream,
        "at": line.at,
        "title": line.title is not None,
        "lines": line.shown,
    }


class Raw(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which bytes to download."""

    step: str
    stream: str = "stdout"


@look("/runs/{id}/raw", Raw)
async def raw(look: Look[Raw]) -> web.StreamResponse:
    """Download one stream of one step."""
    found, steps = await permitted(look, whole=False)
    stream = "stderr" if look.query.stream == "stderr" else "stdout"
    name = f"{found.id[-8:]}-{look.query.step[-8:]}.{stream}"
    return await send_raw(
        look.request, look.services, found, steps, look.query.step, stream, file=name
    )


@act("/runs/{id}/cancel")
async def cancel(look: Look[Nothing]) -> web.StreamResponse:
    """Cancel a run."""
    found, _ = await permitted(look, whole=True)
    reason = f"cancelled by {look.caller.name}"
    if not look.services.dispatcher.cancel(found.id, reason=reason):
        raise ConflictError(f"run {found.id} is over: {found.status}")
    await look.services.dispatcher.recorded()
    return look.go(f"runs/{found.id}")


@act("/runs/{id}/retry")
async def retry(look: Look[Nothing]) -> web.StreamResponse:
    """Try a run again."""
    found, _ = await permitted(look, whole=True)
    await asyncio.shield(look.services.again.retry(found.id, asked_by=look.caller.name))
    return look.go(f"runs/{found.id}")


ROUTES = (runs, run, lines, raw, cancel, retry)
