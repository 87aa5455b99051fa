"""The routes, and the addresses that serve them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import structlog
from aiohttp import web
from msgspec import Struct

from hookrunner.adapters.scratch import Scratch
from hookrunner.chat import PLATFORMS
from hookrunner.config import Door, Listen, UnixAddress
from hookrunner.errors import UnavailableError
from hookrunner.web import audit, chat, health, hooks, metrics, stream
from hookrunner.web.body import BODIES, Bodies
from hookrunner.web.connections import CONNECTIONS, Connections, Site
from hookrunner.web.middleware import problems
from hookrunner.web.openapi import OPERATIONS, document
from hookrunner.web.pages.failing import HAS_PAGE
from hookrunner.web.pages.routes import ROUTES
from hookrunner.web.passed import share_out
from hookrunner.web.problems import SERVER
from hookrunner.web.senders import SENDERS, Senders
from hookrunner.web.services import IS_CONTROL, SERVICES, Services

log = structlog.get_logger()

_ROUTES: Mapping[Door, list[web.RouteDef]] = {
    Door.hooks: [
        *(
            web.post(start + path, hooks.receive)
            for start in ("/hooks", "/{slashes:/+}hooks")  # a proxy may put one too many
            for path in ("", "/{source:[^/]*}", "/{source}/{secret:.*}")
        ),
        *(web.post(f"/chat/{name}", chat.receive) for name in PLATFORMS),
    ],
    Door.api: [one.route for one in OPERATIONS],
    Door.page: list(ROUTES),
    Door.metrics: [
        web.get("/metrics", metrics.metrics),
        web.get("/metrics/containers", metrics.containers),
    ],
}
_ALWAYS = [
    web.get("/healthz", health.healthy),
    web.get("/readyz", health.ready),
    web.get("/api/v1/openapi.json", document),
]


class _Counts(Struct, frozen=True):
    """What all addresses together have their limits for."""

    bodies: Bodies
    connections: Connections
    senders: Senders

    @classmethod
    def begin(cls, services: Services) -> Self:
        """Begin to count."""
        settings = services.settings
        return cls(
            bodies=Bodies(settings, Scratch(Path(settings.config.state or ""))),
            connections=Connections(settings),
            senders=Senders(settings, services.refusals),
        )


def make_app(
    services: Services, doors: Collection[Door], counts: _Counts, *, control: bool
) -> web.Application:
    """Build what one address serves.

    Args:
        control: It is the control socket.
    """
    app = web.Application(middlewares=[problems])
    app[SERVICES] = services
    app[IS_CONTROL] = control
    app[HAS_PAGE] = Door.page in doors
    app.on_response_prepare.append(_name_server)
    app.on_response_prepare.append(audit.record)
    app.on_response_prepare.append(metrics.count)
    app[metrics.METRICS_ALONE] = metrics.is_alone(doors)
    app[BODIES] = counts.bodies
    app[CONNECTIONS] = counts.connections
    app[SENDERS] = counts.senders
    app[health.STORE_CHECK] = health.StoreCheck()
    stream.prepare(app)
    app.router.add_routes(_ALWAYS)
    for door in doors:
        app.router.add_routes(_ROUTES.get(door, []))
    return app


class _Open(Struct):
    """An address that is listened on."""

    listen: Listen
    site: Site


class Listeners:
    """The configured addresses, while they are served.

    Attributes:
        is_kept: Who connects once it is closed waits for the next server, since systemd
            keeps the sockets.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counts = _Counts.begin(services)
        connections = self._counts.connections
        services.metrics.connections.set_function(lambda: connections.count)
        self._open: list[_Open] = []
        self._runners: list[web.AppRunner] = []
        self._passed: Sequence[socket.socket] = ()
        self.is_kept = False

    @property
    def addresses(self) -> list[str]:
        """As people would write them; a port that was 0 is the real one."""
        return [
            _written(found.getsockname(), is_tls=one.site.is_tls)
            for one in self._open
            for found in one.site.sockets
        ]

    async def take(self, wanted: Sequence[Listen], passed: Sequence[socket.socket]) -> None:
        """Begin to listen on these addresses.

        Args:
            passed: Listening sockets that systemd made.

        Raises:
            ConfigError: One of them is of no configured address.
            UnavailableError: An address cannot be listened on.
        """
        self._passed = passed
        shares = await asyncio.to_thread(share_out, wanted, passed)
        self.is_kept = all(shares)
        await self._open_all(wanted, shares)

    async def change(self, wanted: Sequence[Listen]) -> list[str]:
        """Listen on these addresses, and on no others any more; all of them, or none.

        An address that stays is not closed for a moment, and what is under way goes on. What
        systemd listens on has to stay: who connects there would wait for ever, and the next
        server would not start.

        Returns:
            The addresses that close while the server restarts, where systemd keeps others.

        Raises:
            ConfigError: Systemd listens on an address that is not wanted; all is as it was.
            UnavailableError: An address cannot be listened on; all is as it was.
        """
        shares = await asyncio.to_thread(share_out, wanted, self._passed)
        await self._open_all(wanted, [()] * len(wanted))
        if not any(shares):
            return []
        pairs = zip(wanted, shares, strict=True)
        return [str(listen.address) for listen, share in pairs if not share]

    async def _open_all(
        self, wanted: Sequence[Listen], shares: Sequence[Sequence[socket.socket]]
    ) -> None:
        before = {str(one.listen.address): one for one in self._open}
        now: list[_Open] = []
        try:
            for listen, share in zip(wanted, shares, strict=True):
                kept = before.get(str(listen.address))
                is_free = kept is not None and kept not in now
                now.append(kept if kept and is_free else await self._started(listen, share))
        except BaseException:
            for one in now:
                if one not in self._open:
                    await one.site.stop()
            raise
        for one, listen in zip(now, wanted, strict=True):
            if one.listen.serves != listen.serves:
                one.site.lead_to(await self._runner(listen))
            one.listen = listen
        for gone in self._open:
            if gone not in now:
                await gone.site.stop()
                gone.site.close_idle()
        self._open = now

    async def close(self) -> None:
        """Stop accepting; what was accepted goes on."""
        for one in self._open:
            await one.site.stop()
        self._open, self._passed = [], ()
        if self.is_kept:
            await self._counts.connections.all_heard()

    async def cleanup(self) -> None:
        """End what was accepted too."""
        for runner in self._runners:
            await runner.cleanup()

    async def _started(self, listen: Listen, share: Sequence[socket.socket]) -> _Open:
        certificate = self._services.certificate if listen.tls else None
        if isinstance(listen.address, UnixAddress):
            certificate = None
        runner, connections = await self._runner(listen), self._counts.connections
        site = Site(runner, listen.address, connections, certificate, passed=share)
        await _start(site, str(listen.address))
        return _Open(listen, site)

    async def _runner(self, listen: Listen) -> web.AppRunner:
        made = make_app(self._services, listen.serves, self._counts, control=False)
        self._runners.append(await _runner(made))
        return self._runners[-1]


@asynccontextmanager
async def serving(
    services: Services, passed: Sequence[socket.socket] = ()
) -> AsyncIterator[Listeners]:
    """Serve every configured address.

    Args:
        passed: Listening sockets that systemd made.

    Raises:
        ConfigError: One of them is of no configured address.
        UnavailableError: An address cannot be listened on.
    """
    listeners = Listeners(services)
    try:
        await listeners.take(services.config.listen, passed)
        yield listeners
    finally:
        await listeners.cleanup()


@asynccontextmanager
async def control_socket(services: Services, path: Path) -> AsyncIterator[None]:
    """Serve the control socket, mode 0660.

    Raises:
        UnavailableError: It cannot be made.
    """
    await asyncio.to_thread(path.unlink, missing_ok=True)
    counts = _Counts.begin(services)
    runner = await _runner(make_app(services, [Door.api, Door.metrics], counts, control=True))
    try:
        await _start(web.UnixSite(runner, str(path)), str(path))
        await asyncio.to_thread(path.chmod, 0o660)
        yield
    finally:
        await runner.cleanup()
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _name_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER


async def _runner(app: web.Application) -> web.AppRunner:
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1.0,
        handler_cancellation=True,
    )
    await runner.setup()
    return runner


async def _start(site: web.BaseSite, address: str) -> None:
    try:
        await site.start()
    except OSError as error:
        raise UnavailableError(
            f"cannot listen on {address}: {error.strerror or error}",
            hint="is another program, or another hookrunner, using it?",
        ) from error


def _written(address: object, *, is_tls: bool) -> str:
    if isinstance(address, tuple):
        host, port = address[0], address[1]
        scheme = "https" if is_tls else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    return f"unix:{address}"
