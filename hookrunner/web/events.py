"""Everything that changes, as server-sent events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web
from msgspec.structs import replace

from hookrunner.core.standing import standing
from hookrunner.model import Container, Delivery, Step
from hookrunner.service.feed import Change, Missed, RunChange
from hookrunner.service.following import HEARTBEAT
from hookrunner.web import shapes
from hookrunner.web.api.containers import LastSteps, last_steps, view
from hookrunner.web.api.deliveries import visible as visible_delivery
from hookrunner.web.api.runs import visible as visible_steps
from hookrunner.web.caller import Caller
from hookrunner.web.services import Services
from hookrunner.web.stream import beating, follower, headers

_REST = 0.1
"""Seconds from one look at the containers to the next, in which changes are collected: an
engine that restarts tells of all of them at once, and a look at each costs what it costs."""
_SHARE = 10
"""A look at very many takes longer: then the next comes after so many times as long, so that
no reader takes more than a tenth of the time."""
_AT_ONCE = 200
"""Containers that are looked at before others get their turn: some 2 ms."""

Told = tuple[str, object]
"""An event's name, and what it says."""


class Watching:
    """What one reader of the events was told of the containers, and what comes next.

    Args:
        caller: Sees only what is theirs.
    """

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller
        self._known: dict[str, tuple[object, ...]] = {}

    async def begin(self) -> None:
        """Take the containers as they are for known."""
        self._known = {one.id: self._mark(one, step) for one, step in await self._seen()}

    def told(self, change: Change | Missed) -> Told | None:
        """What a change says to this reader; None where it is not theirs, or of containers."""
        views = self._services.views
        if isinstance(change, Missed):
            return "gap", {}
        if isinstance(change, Delivery):
            seen = visible_delivery(self._caller, change)
            return None if seen is None else ("delivery", views.delivery(seen))
        if isinstance(change, RunChange):
            steps = visible_steps(self._caller, change.steps)
            return None if steps is None else ("run", views.run(change.run, steps))
        if isinstance(change, Step) and self._caller.may_reach(change.project):
            return "step", views.step(change)
        return None

    async def moved(self) -> AsyncIterator[Told]:
        """The containers that are others than this reader knows."""
        before, self._known = self._known, {}
        seen = await self._seen()
        last = {(step.engine, step.container): step for _, step in seen if step}
        for number, (one, step) in enumerate(seen):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            mark = self._known[one.id] = self._mark(one, step)
            if before.pop(one.id, None) != mark:
                yield "container", view(self._services, one, last, whole=False)
        for gone in before:
            yield "gone", shapes.Gone(id=gone)

    async def _seen(self) -> list[tuple[Container, Step | None]]:
        last: LastSteps = await last_steps(self._services)
        return [
            (one, last.get((one.engine, one.name)))
            for one in self._services.inventory
            if self._caller.may_touch(one)
        ]

    def _mark(self, one: Container, step: Step | None) -> tuple[object, ...]:
        """What tells whether a container is as it was."""
        compared = standing(one, self._services.intake.known)
        hold = self._services.holding.places().get((one.engine, one.name))
        last = (step.id, step.status) if step else None
        state = one.monitored.changes if one.monitored else None  # not its line of each minute
        return (replace(one, monitored=None), state, compared, hold, last)


def position(services: Services) -> str:
    """The id of the newest change: who goes on from there misses nothing that comes."""
    return f"{services.feed.era}-{services.feed.position}"


async def changes(
    services: Services, caller: Caller, last_event: str
) -> AsyncIterator[tuple[str, Told]]:
    """Tell all that changes, for ever; each with its id.

    Args:
        last_event: The id of the last one that the reader knows; empty for a new reader.
    """
    feed, watching = services.feed, Watching(services, caller)
    era, _, number = last_event.partition("-")
    at = newest = feed.position
    if era == feed.era and number.isascii() and number.isdigit():
        at = min(newest, int(number[:_DIGITS]))
    if at == newest:
        await watching.begin()
    if last_event and era != feed.era:
        yield f"{feed.era}-{at}", ("gap", {})
    clock = asyncio.get_running_loop().time
    next_look = -math.inf
    while True:
        found, at = feed.since(at), feed.position
        has_moved = False
        for place, change in enumerate(found, at - len(found) + 1):
            told = watching.told(change)
            has_moved = has_moved or not isinstance(change, RunChange)
            if told is not None:
                yield f"{feed.era}-{place}", told
        if has_moved:
            await asyncio.sleep(next_look - clock())
            began = clock()
            async for told in watching.moved():
                yield f"{feed.era}-{at}", told
            next_look = began + max(_REST, _SHARE * (clock() - began))
        await feed.wait(at)


_DIGITS = 15


async def send_changes(
    request: web.Request, services: Services, caller: Caller, seconds: float | None
) -> web.StreamResponse:
    """Answer with all that changes.

    Args:
        seconds: After which it ends; None: never.

    Raises:
        UnavailableError: Too many follow already.
    """
    last_event = request.headers.get("Last-Event-ID", "")
    response = web.StreamResponse(headers=headers("text/event-stream"))
    async with (
        follower(request, response) as write,
        beating(write, b": heartbeat\n\n", HEARTBEAT),
    ):
        await write(b"retry: 2000\n: hello\n\n")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for at, (name, value) in changes(services, caller, last_event):
                    line = f"id: {at}\nevent: {name}\ndata: ".encode()
                    await write(line + msgspec.json.encode(value) + b"\n\n")
    return response
