"""The HTTP of one engine: connections from aiodocker, bounded answers, our own exceptions."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any, Self, TypeVar

import aiodocker
import aiohttp
import msgspec
from yarl import URL

from hookrunner.adapters.engine.answers import Refusal
from hookrunner.core.engine_api import decode
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError

OLDEST_API = (1, 41)
"""Debian 12's docker.io 20.10.24, the oldest that is tested."""

NEWEST_API = (1, 44)
"""What is asked for of newer engines: Engine 29.0 serves nothing older, and between 1.41 and
this nothing changed in what is read here."""

MAX_ANSWER = 64 * 2**20
"""The longest JSON answer, in bytes. A list of 1,000 containers with metadata labels of
10 KB each is a sixth of it."""

CONTROL_LIMIT = 16
"""Control requests at once. A guess, above which dockerd only gets slower (moby #45595)."""

CONTROL_TIMEOUT = 30.0
"""Seconds for a control request, and for the headers of a stream. A guess."""

CONNECT_TIMEOUT = 5.0
"""Seconds until the engine takes a connection. A guess."""

_MAX_MESSAGE = 64 * 2**10
_T = TypeVar("_T")
_SUCCESS = 2  # of the 2xx
_NOT_FOUND = HTTPStatus.NOT_FOUND
_GOING = "is not running"
"""What dockerd says, with 500, of a container that is just being removed."""
_AWAY = {  # says a proxy in front of an engine that does not answer
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_AHEAD = 2**18
"""Bytes that are read of an answer before they are taken, and twice as many at most: what came
while the last ones were written is written at once."""
_CUT = "cut the stream"
_SILENT = "does not answer"


class Transport:
    """Connections to one engine, apart for control requests and for streams.

    Streams stay open for as long as updates run, so they have connections of their own:
    however many are open, an inspect gets through.
    """

    def __init__(
        self, name: str, url: str, control: aiodocker.Docker, streams: aiodocker.Docker
    ) -> None:
        self.name = name
        self.url = url
        self._control = control
        self._streams = streams
        self._version: str | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, name: str, url: str, *, streams: int) -> AsyncIterator[Self]:
        """Prepare the connections, without making one.

        Args:
            name: The engine's name in the configuration.
            url: ``unix://``, ``tcp://`` (TLS by ``$DOCKER_TLS_VERIFY``) or ``ssh://``.
            streams: How many exec streams are open at once.

        Raises:
            EngineError: The URL or what it needs (certificates, asyncssh) is not there.
        """
        timeouts = {"sock_connect": CONNECT_TIMEOUT, "connect": CONTROL_TIMEOUT}
        control_timeout = aiohttp.ClientTimeout(total=CONTROL_TIMEOUT, **timeouts)
        stream_timeout = aiohttp.ClientTimeout(total=None, **timeouts)
        shown = _without_password(url)
        async with AsyncExitStack() as stack:
            try:
                control = _docker(url, limit=CONTROL_LIMIT, timeout=control_timeout)
                stack.push_async_callback(_close, control)
                long = _docker(url, limit=streams + 4, timeout=stream_timeout)
                stack.push_async_callback(_close, long)
            except (aiodocker.DockerError, ValueError, OSError) as error:
                reason = error.message if isinstance(error, aiodocker.DockerError) else error
                raise EngineError(f"engine {name} at {shown}: {reason}") from error
            yield cls(name, shown, control, long)

    async def ping(self) -> None:
        """Ask whether the engine is there, and agree on the version of its API.

        Raises:
            EngineUnavailableError: It is not there, or not ready.
            EngineError: It is too old, or no engine.
        """
        try:
            response = await self._send("GET", "/_ping", versioned=False)
            await self._drain(response)
        except EngineError as error:
            if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise self._unavailable(_SILENT, f"it says {error.status}") from error
        text = response.headers.get("Api-Version", "")
        major, _, minor = text.partition(".")
        if not (major.isdecimal() and minor.isdecimal() and text.isascii()):
            raise EngineError(f"{self} does not say which API it speaks: is it an engine?")
        version = (int(major), int(minor))
        if version < OLDEST_API:
            raise EngineError(
                f"{self} speaks API {text}, which is older than {_dotted(OLDEST_API)}",
                hint="update the engine: Docker 20.10 or Podman 4 are new enough",
            )
        self._version = _dotted(min(version, NEWEST_API))

    async def json(
        self,
        method: str,
        path: str,
        kind: type[_T],
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> _T:
        """Make a control request, and read its whole answer.

        Raises:
            EngineUnavailableError: The engine does not answer, or not in time.
            ContainerGoneError: It refuses with 404 or 409, on a container or an exec.
            EngineError: It refuses otherwise, or answers what makes no sense.
        """
        response = await self._send(method, path, params=params, body=body)
        try:
            return decode(await self._read(response, MAX_ANSWER), kind)
        finally:
            response.close()

    async def header(
        self, path: str, name: str, *, params: Mapping[str, str] | None = None
    ) -> str | None:
        """Ask for one header by a HEAD request, which runs nothing; None for a 404.

        Raises:
            As `json`.
        """
        response = await self._send("HEAD", path, params=params, accept=_NOT_FOUND)
        await self._drain(response)
        return response.headers.get(name, "") if response.status != _NOT_FOUND else None

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Make a request whose answer ends when it ends, and give its bytes as they come.

        The headers of the answer are there when the body of the ``async with`` starts.
        Leaving it closes the connection.

        Raises:
            As `json`; the iterator raises EngineUnavailableError where the answer is cut.
        """
        response = await self._send(method, path, params=params, body=body, stream=True)
        try:
            async with aclosing(self._pieces(response)) as pieces:
                yield pieces
        finally:
            response.close()

    def cut(self, reason: str) -> EngineUnavailableError:
        """The exception for a stream that ended too early."""
        return self._unavailable(_CUT, reason)

    def __str__(self) -> str:
        return f"engine {self.name} at {self.url}"

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        stream: bool = False,
        versioned: bool = True,
        accept: int = HTTPStatus.OK,
    ) -> aiohttp.ClientResponse:
        if versioned and self._version is None:
            await self.ping()
        docker = self._streams if stream else self._control
        version = f"/v{self._version}" if versioned else ""
        with self._translated(_SILENT):
            async with asyncio.timeout(CONTROL_TIMEOUT):
                response = await docker.session.request(
                    method,
                    URL(f"{docker.docker_host}{version}{path}", encoded=True),
                    params=params,
                    data=None if body is None else msgspec.json.encode(body),
                    headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
                    allow_redirects=False,
                    read_bufsize=_AHEAD,
                )
        if response.status // 100 == _SUCCESS or response.status == accept:
            return response
        try:
            raise self._refusal(path, response.status, await self._message(response))
        finally:
            response.close()

    async def _pieces(
        self, response: aiohttp.ClientResponse, broken: str = _CUT
    ) -> AsyncGenerator[bytes]:
        while True:
            with self._translated(broken):
                piece = await response.content.readany()
            if not piece:
                return
            yield piece

    async def _drain(self, response: aiohttp.ClientResponse) -> None:
        try:
            await self._read(response, _MAX_MESSAGE)
        finally:
            response.close()

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        body = bytearray()
        async for piece in self._pieces(response, _SILENT):
            body += piece
            if len(body) > limit:
                raise EngineError(f"{self} answers with more than {limit} bytes")
        return bytes(body)

    async def _message(self, response: aiohttp.ClientResponse) -> str:
        try:
            body = await self._read(response, _MAX_MESSAGE)
            message = decode(body, Refusal).message
        except (EngineError, EngineUnavailableError):
            message = ""
        line = " ".join(message.split())[:500]
        return "".join(c for c in line if c.isprintable()) or response.reason or "no reason"

    def _refusal(self, path: str, status: int, message: str) -> Exception:
        if status in _AWAY:
            return self._unavailable(_SILENT, message)
        is_gone = status in {_NOT_FOUND, HTTPStatus.CONFLICT} or _GOING in message
        if is_gone and path.startswith(("/containers/", "/exec/")):
            return ContainerGoneError(f"{self}: {message}")
        return EngineError(f"{self} answers {status}: {message}", status=status)

    def _unavailable(
        self, problem: str, reason: str, hint: str | None = None
    ) -> EngineUnavailableError:
        self._version = None  # another engine may come back
        return EngineUnavailableError(f"{self} {problem}: {reason}", hint=hint)

    @contextmanager
    def _translated(self, problem: str) -> Iterator[None]:
        """Turn what aiohttp, aiodocker and the system raise into our own exceptions."""
        try:
            yield
        except TimeoutError as error:
            raise self._unavailable(problem, "it took too long") from error
        except aiohttp.ClientConnectorCertificateError as error:  # without an os_error
            raise self._unavailable(problem, str(error)) from error
        except aiohttp.ClientConnectorError as error:
            reason, hint = _explain(error.os_error)
            raise self._unavailable(problem, reason, hint) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            raise self._unavailable(problem, str(error) or type(error).__name__) from error
        except aiodocker.DockerError as error:  # of the ssh connector
            raise self._unavailable(problem, error.message) from error
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError) as error:
            raise EngineError(f"{self} answers what makes no sense: {error}") from error


def _docker(url: str, *, limit: int, timeout: aiohttp.ClientTimeout) -> aiodocker.Docker:
    """Let aiodocker find the way to an engine.

    Its own connectors take 100 connections at most. That is kept for TLS and ssh, where the
    connector is what aiodocker is for.
    """
    scheme, _, rest = url.rstrip("/").partition("://")
    connector: aiohttp.BaseConnector | None = None
    if scheme == "unix":
        connector = aiohttp.UnixConnector(rest, limit=limit)
        rest = "localhost"  # for the Host header; nobody looks it up
    elif scheme in {"tcp", "http", "https"} and os.environ.get("DOCKER_TLS_VERIFY") != "1":
        connector = aiohttp.TCPConnector(limit=limit)
    address = f"{scheme}://{rest}"
    URL(address)  # a ValueError now is better than one with every request
    return aiodocker.Docker(address, connector=connector, timeout=timeout)


async def _close(docker: aiodocker.Docker) -> None:
    await docker.close()
    if not docker.connector.closed:  # ours: aiodocker closes only what it made
        await docker.connector.close()


def _explain(error: OSError) -> tuple[str, str | None]:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return reason, "let the user who runs hookrunner into the group `docker`"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return reason, "is the engine running, and is this its address?"
    return reason, None


def _without_password(url: str) -> str:
    try:
        return str(URL(url).with_password(None)) if "@" in url else url
    except ValueError:
        return url.rpartition("@")[2]


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
