"""The connections of all listening addresses together, within their limit."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from hookrunner.adapters.certificate import Certificate
from hookrunner.config import TcpAddress, UnixAddress
from hookrunner.core.shares import Shares
from hookrunner.service.settings import Settings
from hookrunner.web.address import owner_of, peer_address
from hookrunner.web.problems import SERVER, problem_response

_RECEIVED = 32 * 2**10
"""Bytes that are taken from a connection at once. asyncio's own 256 KiB are what each of a
thousand connections can have in memory before anybody looks at it."""
_BUFFER = 8 * 2**10
"""Bytes of a body above which (twice as much) no more is taken before somebody reads it."""
_LINES = 4
"""The longest head of a request, in lines of the longest: with 128 of them, which would all
be allowed, a stranger had 1 MB of memory a connection."""

_LINGERING = 5.0
"""Seconds that the rest of a body is still taken after a refusal, and thrown away: who sends
all before reading anything would not see the answer otherwise. A guess at a slow uplink."""
_BACKLOG = 1024
"""Connections that may wait to be accepted: a burst of forges, or of strangers."""
_HEARING = 1.0
"""Seconds that those who connected get to begin their request when the server ends; a guess
at a long way there and back."""
_LOOK_AGAIN = 0.02
"""Seconds between looks at whether they did."""


class Connections:
    """Counts the open connections, and closes the right one when there are too many.

    Of the client address that has most connections it is the oldest one that does no work
    for anybody known. A reverse proxy is one address here: the limit is then its own.

    Args:
        settings: Knows how many may be open, and how they are handled.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: Shares[_Connection] = Shares()
        self._silent: set[_Connection] = set()

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open.total

    def opened(self, owner: str, connection: "_Connection") -> None:
        """Count a connection, and make room for it."""
        self._silent.add(connection)
        self._open.grow(owner, connection, 1)
        if self._open.total > self._settings.config.limits.connections:
            found = self._open.victim()
            if found is not None:
                self._open.drop(*found)
                found[1].cut()

    @property
    def options(self) -> Mapping[str, Any]:
        """How a new connection is handled, as aiohttp's request handlers take it.

        A compressed body stays as it is: what was signed are the bytes that were sent.
        """
        limits = self._settings.config.limits
        return {
            "access_log": None,
            "keepalive_timeout": limits.head_timeout,
            "max_line_size": limits.head,
            "max_field_size": limits.head,
            "lingering_time": _LINGERING,
            "auto_decompress": False,
        }

    def closed(self, owner: str, connection: "_Connection") -> None:
        """Forget a connection."""
        self._silent.discard(connection)
        self._open.drop(owner, connection)

    def heard(self, connection: "_Connection") -> None:
        """A connection has begun to send."""
        self._silent.discard(connection)

    async def all_heard(self) -> None:
        """Wait until those who connected have begun to send, for a moment at most.

        Who connected just before the end would be cut off without an answer otherwise.
        """
        for _ in range(round(_HEARING / _LOOK_AGAIN)):
            await asyncio.sleep(_LOOK_AGAIN)
            if not self._silent:
                break

    def keep(self, request: web.Request) -> None:
        """A request is somebody's who is known, so its connection stays until the answer."""
        if isinstance(request.protocol, _Connection):
            self._open.keep(request.protocol)

    def answered(self, request: web.Request) -> None:
        """A request is over, so its connection is like any other again."""
        if isinstance(request.protocol, _Connection):
            self._open.unkeep(request.protocol)

    def end(self, request: web.Request) -> None:
        """Close a request's connection behind the answer, and wait for no more of it."""
        if isinstance(request.protocol, _Connection):
            request.protocol.end()


CONNECTIONS: web.AppKey[Connections] = web.AppKey("connections", Connections)


class _Connection(web.RequestHandler):
    """One connection."""

    __slots__ = ("_connections", "_head", "_owner", "_unfinished")

    def __init__(self, manager: web.Server, connections: Connections) -> None:
        options = connections.options
        super().__init__(
            manager, loop=asyncio.get_running_loop(), read_bufsize=_BUFFER, **options
        )
        self._connections = connections
        self._owner = ""
        self._head = _LINES * options["max_field_size"]
        self._unfinished = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        transport.max_size = _RECEIVED  # type: ignore[attr-defined]  # of asyncio's own ones
        self._owner = owner_of(peer_address(transport))
        self._connections.opened(self._owner, self)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that grows too long ends the connection."""
        self._connections.heard(self)
        super().data_received(data)
        is_head = self._waiter is not None and not self._waiter.done()
        self._unfinished = self._unfinished + len(data) if is_head else 0
        if self._unfinished > self._head:
            self.cut()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._connections.closed(self._owner, self)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP.

        It is not logged: anybody can send a lot of it, and it may have a secret in it.
        """
        if status != 400 or request.writer.output_size:  # noqa: PLR2004 - Bad Request
            return super().handle_error(request, status, exc, message)
        response = problem_response(status, "this is no proper HTTP request")
        response.headers["Server"] = SERVER
        response.force_close()
        return response

    def end(self) -> None:
        """Close behind the answer, whatever of the request is still on its way."""
        self._lingering_time = 0.0

    def cut(self) -> None:
        """Close at once, whatever the other end does."""
        if self.transport is not None:
            self.transport.abort()


class Site(web.BaseSite):
    """A listening address whose connections are counted.

    Args:
        certificate: Makes it speak TLS.
        passed: The listening sockets of this address, where systemd made them; closed at the
            end, which systemd's own copies outlive.
    """

    __slots__ = ("_address", "_connections", "_door", "_passed", "_servers")

    def __init__(
        self,
        runner: web.BaseRunner,
        address: TcpAddress | UnixAddress,
        connections: Connections,
        certificate: Certificate | None,
        *,
        passed: Sequence[socket.socket] = (),
    ) -> None:
        super().__init__(runner, ssl_context=certificate.context if certificate else None)
        self._passed = passed
        self._servers: list[asyncio.Server] = []
        self._door = runner
        self._address = address
        self._connections = connections

    @property
    def name(self) -> str:
        """The address."""
        return str(self._address)

    @property
    def is_tls(self) -> bool:
        """Whether it speaks TLS."""
        return self._ssl_context is not None

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """What is listened on; a name may stand for several addresses."""
        servers = [self._server, *self._servers]
        return [s for one in servers if isinstance(one, asyncio.Server) for s in one.sockets]

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way."""
        if self._door.server is not None:
            self._door.server.pre_shutdown()

    def lead_to(self, runner: web.BaseRunner) -> None:
        """Let connections from now on get to other rooms, without closing the address.

        What is under way goes on where it is; idle connections are closed.
        """
        self.close_idle()
        self._door = runner

    async def start(self) -> None:
        """Listen."""
        await super().start()

        def connection() -> _Connection:
            if self._door.server is None:
                raise RuntimeError("the runner is not set up")
            return _Connection(self._door.server, self._connections)

        loop = asyncio.get_running_loop()
        if self._passed:
            self._servers = [
                await loop.create_server(
                    connection, sock=one, backlog=_BACKLOG, ssl=self._ssl_context
                )
                for one in self._passed
            ]
            self._server = self._servers.pop(0)
        elif isinstance(self._address, UnixAddress):
            self._server = await loop.create_unix_server(
                connection,
                self._address.path,
                backlog=_BACKLOG,
                ssl=self._ssl_context,
            )
        else:
            self._server = await loop.create_server(
                connection,
                self._address.host,
                self._address.port,
                reuse_address=True,
                backlog=_BACKLOG,
                ssl=self._ssl_context,
            )

    async def stop(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()
        await super().stop()
