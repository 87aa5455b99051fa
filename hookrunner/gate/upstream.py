"""The engine behind the gate: bounded answers, streams as they come, our own exceptions."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from hookrunner.errors import ConfigError, EngineError, EngineUnavailableError

MAX_ANSWER = 64 * 2**20
"""The longest answer that is no stream, in bytes; the server takes no longer one."""

CONNECT_TIMEOUT = 5.0
"""Seconds until the engine takes a connection. A guess."""

ANSWER_TIMEOUT = 25.0
"""Seconds for an answer, and for the head of a stream: less than the 30 that the server
waits, so that it learns who does not answer."""

READ_SIZE = 256 * 2**10
"""Bytes that are read of a stream before somebody took them; twice as many are kept."""

_MAX_MESSAGE = 64 * 2**10
_SUCCESS = 2  # of the 2xx


class _Message(msgspec.Struct):
    message: str = ""


class Upstream:
    """An engine.

    Args:
        session: How it is reached; whoever made it closes it.
        base: ``http://`` and who is asked.
    """

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Prepare the connections, without making one.

        Args:
            url: ``unix:///path``, or ``tcp://host:port``, with TLS by ``$DOCKER_TLS_VERIFY``.

        Raises:
            ConfigError: The certificates for TLS cannot be used.
        """
        scheme, _, rest = url.partition("://")
        connector: aiohttp.BaseConnector
        if scheme == "unix":
            base, connector = "http://engine", aiohttp.UnixConnector(rest, limit=0)
        elif os.environ.get("DOCKER_TLS_VERIFY") == "1":
            trust = await asyncio.to_thread(_trust)
            base, connector = f"https://{rest}", aiohttp.TCPConnector(limit=0, ssl=trust)
        else:
            base, connector = f"http://{rest}", aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=READ_SIZE,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
        ) as session:
            yield cls(session, base.rstrip("/"))

    async def ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """Give the whole body of an answer.

        Raises:
            EngineUnavailableError: The engine does not answer, or not in time.
            EngineError: It refuses, with its own status; or says what makes no sense.
        """
        async with self.stream(method, target, body) as answer:
            return await self.read(answer)

    async def read(self, answer: aiohttp.ClientResponse, *, limit: int = MAX_ANSWER) -> bytes:
        """Give the whole body of an answer.

        Raises:
            As `ask`.
        """
        body = bytearray()
        with _translated():
            async with asyncio.timeout(ANSWER_TIMEOUT):
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > limit:
                        raise EngineError(f"the engine answers with more than {limit} bytes")
        return bytes(body)

    @asynccontextmanager
    async def stream(
        self, method: str, target: str, body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give an answer whose head is there; leaving it closes its connection.

        Raises:
            As `ask`.
        """
        headers = {"Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        with _translated():
            async with asyncio.timeout(ANSWER_TIMEOUT):
                answer = await self._session.request(
                    method,
                    URL(self._base + target, encoded=True),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                )
        try:
            if answer.status // 100 != _SUCCESS:
                raise EngineError(await self._message(answer), status=answer.status)
            yield answer
        finally:
            answer.close()

    async def _message(self, answer: aiohttp.ClientResponse) -> str:
        """What the engine says of its refusal, as one short line."""
        try:
            body = await self.read(answer, limit=_MAX_MESSAGE)
            said = msgspec.json.decode(body, type=_Message).message
        except (EngineError, EngineUnavailableError, msgspec.MsgspecError, ValueError):
            said = ""
        line = "".join(c for c in " ".join(said.split())[:500] if c.isprintable())
        return line or answer.reason or HTTPStatus(answer.status).phrase


def _trust() -> ssl.SSLContext:
    """Whom to believe that it is the engine, and what to show it.

    Both are where the command ``docker`` has them.

    Source: https://docs.docker.com/engine/security/protect-access/
    """
    place = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=place / "ca.pem")
        context.load_cert_chain(place / "cert.pem", place / "key.pem")
    except OSError as error:  # of ssl, too
        raise ConfigError(
            f"cannot use the certificates in {place}: {error.strerror or error}",
            hint="$DOCKER_TLS_VERIFY is 1, so ca.pem, cert.pem and key.pem have to be there",
        ) from error
    return context


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what aiohttp and the system raise into our own exceptions."""
    try:
        yield
    except TimeoutError as error:
        raise EngineUnavailableError("the engine takes too long") from error
    except aiohttp.ClientConnectorCertificateError as error:  # without an os_error
        raise EngineUnavailableError(f"the engine does not answer: {error}") from error
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or str(error.os_error)
        raise EngineUnavailableError(f"the engine does not answer: {reason}") from error
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise EngineUnavailableError(f"the engine does not answer: {reason}") from error
    except (aiohttp.ClientError, aiohttp.http.HttpProcessingError) as error:
        raise EngineError(f"the engine answers what makes no sense: {error}") from error
