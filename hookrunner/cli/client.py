"""The running server, asked over its control socket.

Speaks the HTTP of SPEC section 9 over ``STATE/hookrunner.sock``. Where no server runs,
what only reads is answered from the state directory by the same code in this process.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import yarl

from hookrunner.cli.remote import remote
from hookrunner.config import CONTROL_SOCKET, Config
from hookrunner.errors import (
    ConfigError,
    ConflictError,
    ForbiddenError,
    HookrunnerError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
    UsageError,
)

PROBE_TIMEOUT = 5.0
"""Seconds for the socket to take a connection; a full backlog is a busy server. A guess."""
ANSWER_TIMEOUT = 60.0
"""Seconds for an answer that is no stream: a listing of all engines fits in. A guess."""
PAGE = 100
"""Items asked for at once, a guess."""
ERRORS: dict[int, type[HookrunnerError]] = {
    400: UsageError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: UsageError,
    409: ConflictError,
    413: UsageError,
    415: UsageError,
    422: ConfigError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}
"""What each HTTP status is raised as; any other is a plain `HookrunnerError`."""

Query = Mapping[str, str | int | None]


class NothingMatchedError(NotFoundError):
    """A selector that reaches no container.

    Attributes:
        verdicts: What the server said of the containers that came near.
    """

    def __init__(
        self, message: str, *, verdicts: list[dict[str, Any]], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.verdicts = verdicts


class Page(msgspec.Struct, frozen=True):
    """Items of a list.

    Attributes:
        raw: JSON: the API's answer unchanged, or one like it where it took several.
    """

    items: list[dict[str, Any]]
    raw: bytes


class Client:
    """Asks the API; made by `connect`, which owns the session."""

    def __init__(
        self, session: aiohttp.ClientSession, *, base: str = "http://hookrunner"
    ) -> None:
        self._session = session
        self._base = base

    async def json(
        self, method: str, path: str, *, query: Query | None = None, body: Any = None
    ) -> Any:
        """Ask, and decode the answer; None if it is empty.

        Raises:
            HookrunnerError: The API refuses, as the class that fits, or does not answer.
        """
        raw = await self.raw(method, path, query=query, body=body)
        return decode(raw) if raw else None

    async def raw(
        self, method: str, path: str, *, query: Query | None = None, body: Any = None
    ) -> bytes:
        """Ask, and give the answer's bytes.

        Raises:
            HookrunnerError: As `json`.
        """
        accept, limit = "application/json", ANSWER_TIMEOUT
        async with self._ask(
            method, path, accept=accept, query=query, body=body, limit=limit
        ) as answer:
            return await answer.read()

    async def list(self, path: str, *, query: Query | None = None, limit: int) -> Page:
        """Ask for a list, page after page, up to `limit` items.

        Raises:
            HookrunnerError: As `json`.
        """
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            count = min(limit - len(items), PAGE)
            paging: Query = {**(query or {}), "limit": count, "cursor": cursor}
            raw = await self.raw("GET", path, query=paging)
            page = decode(raw)
            first = not items
            items += page["items"]
            cursor = page.get("next")
            if not cursor or not page["items"] or len(items) >= limit:
                break
        if not first:
            raw = json.dumps({"items": items[:limit], "next": cursor}).encode()
        return Page(items[:limit], raw)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        accept: str,
        query: Query | None = None,
        body: Any = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for an answer that comes bit by bit, for as long as it takes.

        Raises:
            HookrunnerError: As `json`, also where the answer breaks off.
        """
        async with self._ask(
            method, path, accept=accept, query=query, body=body, limit=None
        ) as answer:
            yield answer

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        *,
        accept: str,
        query: Query | None,
        body: Any,
        limit: float | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = yarl.URL(f"{self._base}{path}", encoded=True)
        url = url.update_query({k: str(v) for k, v in (query or {}).items() if v is not None})
        try:
            async with self._session.request(
                method,
                url,
                headers={"Accept": accept},
                json=body,
                timeout=aiohttp.ClientTimeout(total=limit),
                allow_redirects=False,
            ) as answer:
                if not answer.ok:
                    raise problem(answer.status, await answer.read())
                yield answer
        except aiohttp.ClientConnectorError as error:
            raise UnavailableError(f"the server does not answer: {error.strerror}") from error
        except TimeoutError as error:
            raise UnavailableError("the server does not answer in time") from error
        except aiohttp.ClientError as error:
            raise UnavailableError("the server went away before its answer ended") from error


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a stream without their ends, however long; an empty one is left out."""
    rest = bytearray()
    async for chunk in answer.content.iter_any():
        *whole, last = chunk.split(b"\n")
        for line in whole:
            rest += line
            if rest:
                yield bytes(rest)
            rest.clear()
        rest += last
    if rest:
        yield bytes(rest)


def decode(raw: bytes) -> Any:
    """Decode what the server says is JSON.

    Raises:
        HookrunnerError: It is not.
    """
    try:
        return json.loads(raw)
    except ValueError as error:
        raise HookrunnerError("the server's answer is not JSON") from error


def problem(status: int, body: bytes) -> HookrunnerError:
    """Make the error that an answer of ``application/problem+json`` stands for.

    Args:
        body: Anything; what is no problem document is named by its status alone.
    """
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        said = {}
    message = str(said.get("detail") or said.get("title") or f"the server answers {status}")
    hint = str(said["hint"]) if said.get("hint") else None
    verdicts = said.get("verdicts")
    if status == 404 and isinstance(verdicts, list):  # noqa: PLR2004 - Not Found
        known = [verdict for verdict in verdicts if isinstance(verdict, dict)]
        return NothingMatchedError(message, verdicts=known, hint=hint)
    return ERRORS.get(status, HookrunnerError)(message, hint=hint)


@asynccontextmanager
async def connect(
    config: Config, *, needs_server: bool = False, file: str | None = None
) -> AsyncIterator[Client]:
    """Reach the running server, or answer from the state directory where none runs.

    Where the user names a server elsewhere, it is that one.

    Args:
        config: As `hookrunner.cli.settings.load` gives it.
        needs_server: What is asked for can be done by a running server only.
        file: The configuration file that the user named, for the hint.

    Raises:
        ForbiddenError: The control socket is there, but not for this user.
        UnavailableError: No server runs, and one is needed.
    """
    path = Path(config.state or "") / CONTROL_SOCKET
    elsewhere = remote()
    async with AsyncExitStack() as stack:
        if elsewhere is not None:
            session = await stack.enter_async_context(
                aiohttp.ClientSession(headers={"Authorization": f"Bearer {elsewhere.token}"})
            )
            yield Client(session, base=elsewhere.url)
            return
        if not await _answers(path):
            if needs_server:
                start = "hookrunner serve" + (f" --config {file}" if file else "")
                raise UnavailableError(
                    f"no server answers at {path}", hint=f"start it: {start}"
                )
            from hookrunner import app  # noqa: PLC0415 - the whole server, for this case alone

            path = await stack.enter_async_context(app.offline(config))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(path), limit=0))
        )
        yield Client(session)


async def answers(config: Config) -> bool:
    """Whether a server runs.

    Raises:
        ForbiddenError: The control socket is there, but not for this user.
    """
    return await _answers(Path(config.state or "") / CONTROL_SOCKET)


async def _answers(path: Path) -> bool:
    """Somebody takes connections at a socket."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_unix_connection(path)
    except PermissionError as error:
        raise ForbiddenError(
            f"you may not use {path}",
            hint="become root, or a member of the group that owns the socket",
        ) from error
    except OSError:
        return False
    writer.close()
    return True
