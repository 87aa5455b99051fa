"""Read request bodies within limits: size, time, and bytes of all bodies at once.

What is small stays in memory. What is large waits on the disk until it is there whole, and
only one of these at a time is taken back into memory, in turns. So whoever sends a lot costs
no memory, and need not be refused before it is known who they are.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
import structlog
from aiohttp import web

from hookrunner.adapters.scratch import Scratch, ScratchFile
from hookrunner.config import Limits
from hookrunner.core.shares import Shares
from hookrunner.errors import (
    DeliveryError,
    LateError,
    TooLargeError,
    UnavailableError,
    UsageError,
)
from hookrunner.service.settings import Settings
from hookrunner.units import format_size
from hookrunner.web.connections import CONNECTIONS
from hookrunner.web.turns import Turns

log = structlog.get_logger()

T = TypeVar("T")

SMALL = 32 * 2**10
"""Bytes of a body that stay in memory. A push of 20 commits has 8 to 30 KB, and a thousand
connections with as much come to 32 MB."""

_SLOWEST = 64 * 2**10
"""Bytes a second of a large body that still comes: for as many it gets a second more. So a
line, or a machine, that others keep busy does not cut who is good. A guess at a slow one;
holding a connection by it costs a stranger more than a new one."""

_TOO_MUCH = "too many large requests at once"
_NO_DISK = "the disk of the state directory has no room for large requests"

_MOST_FIELDS = 100
"""Fields of a form of the page, a guess: it has ten."""


class Body:
    """One body, from its first byte until the request is answered."""

    def __init__(self, file: ScratchFile, deadline: asyncio.Timeout) -> None:
        self.file = file
        self.is_evicted = False
        self._deadline = deadline
        self._held = bytearray()

    @property
    def is_large(self) -> bool:
        """Whether some of it is on the disk."""
        return self.file.size > 0

    def hold(self, part: bytes) -> bool:
        """Keep bytes in memory; whether they are too many for it by now."""
        self._held += part
        return len(self._held) > SMALL

    def take(self) -> bytes:
        """Give away what is in memory."""
        held, self._held = bytes(self._held), bytearray()
        return held

    def allow(self, seconds: float) -> None:
        """Give it more time to arrive."""
        due = self._deadline.when()
        if due is not None and not self.is_evicted and not self._deadline.expired():
            self._deadline.reschedule(due + seconds)

    def evict(self) -> None:
        """Have whoever reads it, or waits for its turn, give up now."""
        self.is_evicted = True
        if not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """Reads bodies; what would be too much is refused before and while it comes."""

    def __init__(self, settings: Settings, scratch: Scratch) -> None:
        self._settings = settings
        self._scratch = scratch
        self._on_disk: Shares[Body] = Shares()
        self._turns = Turns()

    @property
    def _limits(self) -> Limits:
        return self._settings.config.limits

    @asynccontextmanager
    async def reading(
        self, request: web.Request, owner: str, *, most: int | None = None
    ) -> AsyncIterator[bytes]:
        """Read a request's body. A large one is the only one until the context is left.

        Args:
            owner: Who counts as its sender, such as an address.
            most: Bytes that it may have, where that is less than the limit of all.

        Raises:
            TooLargeError: It is over the limit; the rest is not read.
            UnavailableError: All bodies together are over theirs.
            StoreError: The disk fails.
            LateError: It did not arrive in time, and its connection is closed.
            DeliveryError: It did not arrive whole.
        """
        limit, patience = most or self._limits.body, self._limits.body_timeout
        if request.content_length is not None and request.content_length > limit:
            raise TooLargeError(f"the body is larger than {format_size(limit)}")
        content = request.content
        if content.is_eof() and content.total_bytes <= min(limit, SMALL):
            # All of it came with its head, as most pushes do: nothing can be late or too much,
            # and what watches that is 3 % of taking one.
            yield content.read_nowait()
            return
        deadline = asyncio.timeout(patience)
        body = Body(self._scratch.file(), deadline)
        async with AsyncExitStack() as stack:
            stack.callback(self._drop, owner, body)
            try:
                async with deadline:
                    await self._read(request, owner, body, limit)
                    if body.is_large:
                        deadline.reschedule(None)
                        await stack.enter_async_context(self._turns.taken(body.file.size))
                        self._on_disk.keep(body)
            except TimeoutError as error:
                if body.is_evicted:
                    raise UnavailableError(_TOO_MUCH) from error
                request.app[CONNECTIONS].end(request)
                log.warning(
                    "request cut: its body takes too long", owner=owner, seconds=patience
                )
                raise LateError(f"the body did not arrive within {patience:g} s") from error
            except (web.HTTPException, ConnectionError, ValueError) as error:
                raise DeliveryError(f"the body did not arrive whole: {error}") from error
            yield await body.file.read() if body.is_large else body.take()

    async def _read(self, request: web.Request, owner: str, body: Body, limit: int) -> None:
        size = 0
        async for part in request.content.iter_any():
            size += len(part)
            if size > limit:
                raise TooLargeError(f"the body is larger than {format_size(limit)}")
            if body.hold(part):
                await self._spill(owner, body)
        if body.is_large:
            await self._spill(owner, body)

    async def _spill(self, owner: str, body: Body) -> None:
        """Write to the disk what is in memory, and make room for as much.

        Raises:
            UnavailableError: There is none.
            StoreError: The disk fails.
        """
        data = body.take()
        body.allow(len(data) / _SLOWEST)
        has_room = await body.file.append(data)
        self._on_disk.grow(owner, body, len(data))
        while self._on_disk.total > self._limits.in_flight or not has_room:
            found = self._on_disk.victim()
            if found is None or found[1] is body:
                raise UnavailableError(_TOO_MUCH if has_room else _NO_DISK)
            self._on_disk.drop(*found)
            found[1].evict()
            has_room = True  # as far as is known until the next write

    def _drop(self, owner: str, body: Body) -> None:
        self._on_disk.drop(owner, body)
        body.file.close()


BODIES: web.AppKey[Bodies] = web.AppKey("bodies", Bodies)


async def decoded_body(request: web.Request, kind: type[T]) -> T:
    """Read and decode the JSON body of somebody who is known.

    Raises:
        UsageError: It is not JSON, or not of that kind.
    """
    async with request.app[BODIES].reading(request, "api") as data:
        try:
            return msgspec.json.decode(data or b"{}", type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(
                f"the body is not understood: {error}",
                hint='send JSON, such as {"project": "bind"}',
            ) from error


async def decoded_form(request: web.Request) -> dict[str, str]:
    """Read a form of the page, from anybody; of a field that is there twice the last one.

    Raises:
        DeliveryError: It is none, or larger than any of them.
    """
    async with request.app[BODIES].reading(request, "page", most=SMALL) as data:
        try:
            return dict(
                parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            )
        except ValueError as error:
            raise DeliveryError("the form is not understood") from error
