"""The way through the gate: a request is judged, asked anew, and its answer told in part."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

import aiohttp
import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace

from hookrunner.adapters.peers import peer_of
from hookrunner.config.gate import Gate
from hookrunner.core.engine_api import MAX_LINKS, PATH_STAT, PathStat, decode
from hookrunner.errors import EngineError, EngineUnavailableError
from hookrunner.gate import answering
from hookrunner.gate.asking import Asked, Refused, Request, What, judge
from hookrunner.gate.memory import ExecMemory
from hookrunner.gate.refusals import Refusals
from hookrunner.gate.table import Table
from hookrunner.gate.upstream import Upstream

log = structlog.get_logger()

MAX_BODY = 256 * 2**10
"""Bytes of a request's body. The longest is the stop script with what it saw: 80 KB."""
MOST = 256
"""Requests at once, a guess: four times what the server makes with 64 steps at once."""
_BODY_TIMEOUT = 10.0
_MAX_RECORD_ARCHIVE = 64 * 2**10  # bytes; a tar is made of records of 10 KiB
_MAX_EVENT = 4 * 2**20  # bytes; an event carries all labels of its container
_RAW = ("application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream")
SERVER = "hookrunner gate"
"""What answers call themselves."""


class _AbsentError(Exception):
    """There is nothing of that name, or nothing that may be seen.

    Attributes:
        why: What is there all the same, for the gate's own log.
    """

    def __init__(self, message: str, *, why: str | None = None) -> None:
        super().__init__(message)
        self.why = why


class Door:
    """Answers requests.

    Args:
        engine: Who is asked.
        memory: The execs that were made here.
    """

    def __init__(
        self, gate: Gate, *, engine: Upstream, memory: ExecMemory, refusals: Refusals
    ) -> None:
        self._gate = gate
        self._engine = engine
        self._memory = memory
        self._refusals = refusals
        self._table = Table(gate.actions, gate.commands.values())
        self._open = 0
        self._ways: dict[What, Callable[[Asked, web.BaseRequest], Awaitable[Any]]] = {
            What.ping: self._ping,
            What.version: self._version,
            What.containers: self._containers,
            What.container: self._container,
            What.processes: self._processes,
            What.presence: self._presence,
            What.record: self._record,
            What.create: self._create,
            What.start: self._start,
            What.exec: self._exec,
            What.images: self._images,
            What.image: self._image,
            What.events: self._events,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request: pass it on as what it means, or refuse it."""
        if self._open >= MOST:
            return self._refuse(request, Refused("too many requests at once", 503))
        self._open += 1
        try:
            return await self._handle(request)
        finally:
            self._open -= 1

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await _body(request)
        if body is None:
            return self._refuse(request, Refused("the body is too long, or too late", 413))
        asked = judge(
            Request(
                method=request.method,
                target=request.raw_path,
                headers=[(name, value) for name, value in request.headers.items()],
                body=body,
            ),
            self._table,
        )
        if isinstance(asked, Refused):
            return self._refuse(request, asked)
        try:
            response: web.StreamResponse = await self._ways[asked.what](asked, request)
        except _AbsentError as error:
            if error.why is not None:
                self._note(request, error.why)
            return _message(HTTPStatus.NOT_FOUND, str(error))
        except EngineUnavailableError as error:
            log.warning("engine away", error=str(error))
            return _message(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except EngineError as error:
            return _message(error.status or HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return response

    def _note(self, request: web.BaseRequest, reason: str) -> None:
        self._refusals.note(
            reason,
            method=request.method,
            target=request.raw_path,
            peer=peer_of(request.transport),
        )

    def _refuse(self, request: web.BaseRequest, refused: Refused) -> web.Response:
        self._note(request, refused.reason)
        response = _message(refused.status, f"hookrunner gate refuses this: {refused.reason}")
        response.force_close()  # whatever else is on its way, it is not read
        return response

    async def _ask(self, asked: Asked, subject: str | None = None) -> bytes:
        method, target = asked.target(subject)
        return await self._engine.ask(method, target, asked.body)

    async def _visible(self, asked: Asked) -> answering.Container:
        """The container that a request is about.

        Raises:
            _AbsentError: It is not there, or not to be seen: the answer is the same.
        """
        look = replace(asked, what=What.container, query=(), body=None)
        absent = f"No such container: {asked.subject}"
        try:
            found = decode(await self._ask(look), answering.Container)
        except EngineError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise _AbsentError(absent) from error
            raise
        if not found.is_shown(self._gate.shows):
            raise _AbsentError(absent, why=f"the container {found.name} may not be seen")
        return found

    async def _ping(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        method, target = asked.target()
        async with self._engine.stream(method, target) as answer:
            version = answer.headers.get("Api-Version", "")
        return _plain(b"OK", "text/plain", {"Api-Version": version})

    async def _version(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        return _json(decode(await self._ask(asked), answering.Version))

    async def _containers(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        return _json(answering.shown_containers(await self._ask(asked), self._gate.shows))

    async def _container(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        return _plain((await self._visible(asked)).told())

    async def _processes(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        container = await self._visible(asked)
        return _plain(answering.told_processes(await self._ask(asked, container.id)))

    async def _presence(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        """Look at a file behind all links, which lead wherever the image says."""
        del request
        container = await self._visible(asked)
        ((name, path),) = asked.query
        for _ in range(MAX_LINKS):
            method, target = replace(asked, query=((name, path),)).target(container.id)
            async with self._engine.stream(method, target) as answer:
                stat = PathStat.from_header(answer.headers.get(PATH_STAT, ""))
            if not stat.is_link:
                return _plain(b"", headers={PATH_STAT: answering.told_stat(stat)})
            path = stat.leads_to(path)
        raise _AbsentError("links that lead nowhere")

    async def _record(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        container = await self._visible(asked)
        method, target = asked.target(container.id)
        async with self._engine.stream(method, target) as answer:
            archive = await self._engine.read(answer, limit=_MAX_RECORD_ARCHIVE)
        return _plain(answering.told_record(archive), "application/x-tar")

    async def _create(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        container = await self._visible(asked)
        made = decode(await self._ask(asked, container.id), answering.Created)
        self._memory.add(made.id)
        return _json(made, HTTPStatus.CREATED)

    def _known(self, asked: Asked) -> None:
        """Make sure that an exec was made here.

        Raises:
            _AbsentError: It was not, or nobody remembers.
        """
        if asked.subject not in self._memory:
            why = "the exec was not made here, or too long ago"
            raise _AbsentError(f"No such exec instance: {asked.subject}", why=why)

    async def _exec(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        self._known(asked)
        return _json(decode(await self._ask(asked), answering.Exec))

    async def _start(self, asked: Asked, request: web.BaseRequest) -> web.StreamResponse:
        self._known(asked)
        method, target = asked.target()
        async with self._engine.stream(method, target, asked.body) as answer:
            kind = answer.headers.get("Content-Type", "")
            return await _relay(
                request, answer, answer.content.iter_any(), kind if kind in _RAW else _RAW[0]
            )

    async def _image_ids(self, asked: Asked) -> set[str]:
        """The images of the containers that may be seen."""
        every = replace(asked, what=What.containers, query=(("all", "1"),))
        shown = answering.shown_containers(await self._ask(every), self._gate.shows)
        return {answering.plain_id(one.image_id) for one in shown}

    async def _images(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        used = await self._image_ids(asked)
        return _plain(answering.shown_images(await self._ask(asked), used))

    async def _image(self, asked: Asked, request: web.BaseRequest) -> web.Response:
        del request
        if answering.plain_id(asked.subject) not in await self._image_ids(asked):
            why = "no container that may be seen uses the image"
            raise _AbsentError(f"No such image: {asked.subject}", why=why)
        return _plain(decode(await self._ask(asked), answering.Image).told())

    async def _events(self, asked: Asked, request: web.BaseRequest) -> web.StreamResponse:
        method, target = asked.target()
        async with (
            self._engine.stream(method, target) as answer,
            aclosing(self._shown_events(answer)) as lines,
        ):
            return await _relay(request, answer, lines, "application/json")

    async def _shown_events(self, answer: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        line = bytearray()
        async for piece in answer.content.iter_any():
            *ends, rest = piece.split(b"\n")
            for end in ends:
                line += end
                whole = bytes(line)
                line.clear()
                told = answering.told_event(whole, self._gate.shows) if whole.strip() else None
                if told is not None:
                    yield told
            line += rest
            if len(line) > _MAX_EVENT:
                raise EngineError("the engine sent an event that is too long")


async def _relay(
    request: web.BaseRequest,
    answer: aiohttp.ClientResponse,
    pieces: AsyncIterator[bytes],
    kind: str,
) -> web.StreamResponse:
    """Hand a stream on as it comes: what is not taken here is not taken there."""
    response = web.StreamResponse(headers={"Content-Type": kind, "Server": SERVER})
    if request.version >= aiohttp.HttpVersion11:
        response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for piece in pieces:
            await response.write(piece)
    except (aiohttp.ClientError, EngineError) as error:
        # What was cut must not look as if it had ended.
        log.warning("stream cut", target=answer.url.raw_path, error=str(error))
        if request.transport is not None:
            request.transport.abort()
    else:
        await response.write_eof()
    return response


async def _body(request: web.BaseRequest) -> bytes | None:
    """The request's body; None where it is too long, or takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > MAX_BODY:
                    return None
    except TimeoutError:
        return None
    return bytes(body)


def _plain(
    body: bytes,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> web.Response:
    said = {"Content-Type": kind, "Server": SERVER} | (headers or {})
    return web.Response(body=body, status=status, headers=said)


def _json(value: object, status: int = HTTPStatus.OK) -> web.Response:
    return _plain(msgspec.json.encode(value), status=status)


def _message(status: int, text: str) -> web.Response:
    """An error in the engine's own form."""
    return _json({"message": text}, status)
