"""Send a followed run to one reader, who is dropped once it stops reading."""

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from hookrunner.errors import UnavailableError, UsageError
from hookrunner.web.rendering import (
    EventsRendering,
    LinesRendering,
    Rendering,
    TextRendering,
)
from hookrunner.web.services import SERVICES

_PATIENCE = 10.0
"""Seconds in which a reader takes at least something of what it was sent, or is dropped."""
_LOOK = 1.0
"""Seconds between looks at whether a reader that is behind takes anything."""
_SEND_BUFFER = 1 << 17
"""Bytes that the kernel is to hold for a reader, of which Linux makes twice as many: left
alone it took 4 MiB for each that never reads. 256 KiB are 2.5 MB/s over 100 ms."""

_DIGITS = 18
"""Of an offset: more bytes than there are disks for."""

_followers: web.AppKey[list[int]] = web.AppKey("followers", list)


def prepare(app: web.Application) -> None:
    """Make room for the count of followers."""
    app[_followers] = [0]


def wants_json(request: web.Request) -> bool:
    """The caller asks for one JSON answer and not for a stream."""
    return "application/json" in request.headers.get("Accept", "")


async def _rendering(request: web.Request, run_id: str) -> Rendering:
    """Choose the form by what the caller accepts; text where it does not care."""
    services = request.app[SERVICES]
    accept = request.headers.get("Accept", "")
    if "text/event-stream" in accept:
        return EventsRendering(services.views)
    if "application/x-ndjson" in accept:
        return LinesRendering(services.views)
    _, steps = await services.following.find(run_id)
    return TextRendering(services.views, steps)


def start_offset(request: web.Request, asked: int) -> int:
    """The offset that a reader goes on from: what its browser remembers, or what it asked.

    Raises:
        UsageError: It is no number.
    """
    told = request.headers.get("Last-Event-ID") or str(asked)
    if len(told) > _DIGITS or not told.isascii() or not told.isdigit():
        raise UsageError(f"the offset is not a number: {told!r}")
    return int(told)


async def send_run(
    request: web.Request, run_id: str, *, offset: int = 0, live: bool = True
) -> web.StreamResponse:
    """Answer with a run as it goes on.

    Args:
        live: Stay until it is over.

    Raises:
        UnavailableError: Too many follow already.
    """
    services = request.app[SERVICES]
    rendering = await _rendering(request, run_id)
    response = web.StreamResponse(
        headers=headers(rendering.content_type) | {"Location": services.views.run_url(run_id)}
    )
    async with follower(request, response) as write:
        async for event in services.following.follow(run_id, offset=offset, live=live):
            data = rendering.render(event)
            if data:
                await write(data)
    return response


def headers(content_type: str) -> dict[str, str]:
    """The headers of a stream: nobody on the way keeps it or holds it back."""
    return {
        "Content-Type": f"{content_type}; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",
        "X-Content-Type-Options": "nosniff",
    }


Write = Callable[[bytes], Awaitable[None]]


@asynccontextmanager
async def follower(request: web.Request, response: web.StreamResponse) -> AsyncIterator[Write]:
    """Answer a reader with all that the block writes, by the function that it is given.

    A reader that takes nothing for 10 s is dropped, and one that is gone is forgotten: the
    block ends without an error.

    Raises:
        UnavailableError: Too many follow already.
    """
    services = request.app[SERVICES]
    counter, limits, metrics = request.app[_followers], services.config.limits, services.metrics
    if counter[0] >= limits.followers:
        raise UnavailableError("too many follow live output already", hint="come again later")
    counter[0] += 1
    metrics.followers.inc()
    reader = _Reader(request)

    async def write(data: bytes) -> None:
        async with reader.patience():
            await response.write(data)

    try:
        await response.prepare(request)
        yield write
        async with reader.patience():
            await response.write_eof()
    except (TimeoutError, ConnectionError):
        reader.drop()
    finally:
        counter[0] -= 1
        metrics.followers.dec()


@asynccontextmanager
async def beating(write: Write, beat: bytes, every: float) -> AsyncIterator[None]:
    """Say at an interval that the connection lives, whatever else is said.

    Silence alone is no reason: what a reader may not see, or half a line, says nothing.

    Args:
        every: Seconds.
    """
    task = asyncio.get_running_loop().create_task(_beat(write, beat, every), name="beat")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _beat(write: Write, beat: bytes, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await write(beat)


class _Reader:
    """Who follows, as far as the connection tells."""

    def __init__(self, request: web.Request) -> None:
        self._transport = request.transport
        if self._transport is not None:
            self._socket = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    @asynccontextmanager
    async def patience(self) -> AsyncIterator[None]:
        """Let a write take as long as the reader takes anything at all.

        Raises:
            TimeoutError: It took nothing for too long.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle
        async with asyncio.timeout(_PATIENCE) as limit:

            def look(unsent_before: int) -> None:
                nonlocal timer
                unsent = self._unsent()
                if unsent < unsent_before:
                    limit.reschedule(loop.time() + _PATIENCE)
                timer = loop.call_later(_LOOK, look, unsent)

            timer = loop.call_later(_LOOK, look, 0)
            try:
                yield
            finally:
                timer.cancel()

    def drop(self) -> None:
        """End the connection, and what the kernel holds for it."""
        if self._transport is not None:
            reset = struct.pack("ii", 1, 0)  # on, and no seconds for what is left
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            self._transport.abort()

    def _unsent(self) -> int:
        """Bytes that wait here or in the kernel until the reader takes them.

        Source: TIOCOUTQ in tcp(7) and unix(7), there named SIOCOUTQ.
        """
        if self._transport is None:
            return 0
        waiting = 0
        with contextlib.suppress(OSError):
            told = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
            waiting = int.from_bytes(told, sys.byteorder)
        return waiting + self._transport.get_write_buffer_size()
