"""The gate as a process: its socket, its connections, its signals."""

import asyncio
import grp
import os
import signal
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog
from aiohttp import web

from hookrunner import __version__
from hookrunner.adapters.descriptors import raise_limit
from hookrunner.adapters.logs import configure
from hookrunner.adapters.peers import peer_of
from hookrunner.adapters.systemd import notify, passed_sockets
from hookrunner.config.gate import Gate
from hookrunner.errors import ConfigError, UnavailableError
from hookrunner.gate.door import SERVER, Door
from hookrunner.gate.memory import ExecMemory
from hookrunner.gate.refusals import Refusals
from hookrunner.gate.upstream import Upstream

log = structlog.get_logger()

_BACKLOG = 256
_MODE = 0o660
_LINE = 32 * 2**10
"""Bytes of a request's first line: a list names 100 ids of 67 bytes, written as JSON."""
_HEADER = 8 * 2**10
_IDLE = 60.0
"""Seconds that a connection stays without a request."""
_LEAVING = 2.0
"""Seconds that answers get to end; a stream that takes longer is cut, its command goes on."""


async def run(gate: Gate) -> None:
    """Run until SIGTERM or ^C.

    Raises:
        HookrunnerError: It cannot start.
    """
    configure(gate.log)
    raise_limit()
    memory = ExecMemory(_memory_file(gate))
    memory.load()
    refusals = Refusals()
    async with Upstream.open(gate.engine) as engine:
        door = Door(gate, engine=engine, memory=memory, refusals=refusals)
        server = _Server(
            door.handle,
            refusals,
            access_log=None,
            max_line_size=_LINE,
            max_field_size=_HEADER,
            keepalive_timeout=_IDLE,
            lingering_time=0,
            auto_decompress=False,
        )
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_LEAVING)
        await runner.setup()
        try:
            async with _sockets(gate) as sockets:
                for one in sockets:
                    await web.SockSite(runner, one, backlog=_BACKLOG).start()
                address = f"unix:{sockets[0].getsockname()}"
                shown = len(gate.containers)
                log.info(
                    "gate is open",
                    address=address,
                    engine=gate.engine,
                    containers=f"{shown} rules" if shown else "all",
                    version=__version__,
                )
                notify("READY=1", f"STATUS=from {address} to {gate.engine}")
                await _stopped()
                notify("STOPPING=1")
                for site in list(runner.sites):
                    await site.stop()
        finally:
            await runner.cleanup()
    log.info("gate is shut")


def _memory_file(gate: Gate) -> Path | None:
    """Where execs are noted: systemd gives a directory that no other user writes in."""
    if gate.memory is not None:
        return Path(gate.memory)
    directory = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(directory) / "execs" if directory else None


class _Server(web.Server):
    """Makes the connections."""

    def __init__(self, handler: object, refusals: Refusals, **options: object) -> None:
        super().__init__(handler, handler_cancellation=True, **options)  # type: ignore[arg-type]
        self.refusals = refusals

    def __call__(self) -> web.RequestHandler:
        """Make the next one."""
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(web.RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Refuse what is no HTTP."""
        if status != 400 or request.writer.output_size:  # noqa: PLR2004 - Bad Request
            return super().handle_error(request, status, exc, message)
        manager = self._manager
        if isinstance(manager, _Server):
            manager.refusals.note(
                "this is no proper HTTP", method="?", target="?", peer=peer_of(self.transport)
            )
        headers = {"Server": SERVER}
        response = web.json_response(
            {"message": "this is no proper HTTP"}, status=status, headers=headers
        )
        response.force_close()
        return response


@asynccontextmanager
async def _sockets(gate: Gate) -> AsyncIterator[list[socket.socket]]:
    """The sockets that systemd passes, else one of our own.

    Raises:
        ConfigError: There is no such group.
        UnavailableError: The socket cannot be made, or another process listens there.
    """
    if passed := passed_sockets():
        yield passed
        return
    path = Path(gate.listen.path)
    made = await asyncio.to_thread(_listen, path, _group_id(gate.group))
    try:
        yield [made]
    finally:
        with suppress(OSError):
            await asyncio.to_thread(path.unlink)


def _group_id(name: str | None) -> int | None:
    if name is None or name.isdecimal():
        return None if name is None else int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigError(
            f"there is no group {name}", hint=f"groupadd --system {name}"
        ) from None


def _listen(path: Path, group: int | None) -> socket.socket:
    """Make the socket, which never has another mode than the last."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _clear(path)
        before = os.umask(0o777 & ~_MODE)
        try:
            made.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, -1, group)
    except OSError as error:
        made.close()
        raise UnavailableError(
            f"cannot listen on {path}: {error.strerror or error}",
            hint="does its directory exist, and may this user write there?",
        ) from error
    except UnavailableError:
        made.close()
        raise
    return made


def _clear(path: Path) -> None:
    """Take away the socket of one that was killed; nothing else."""
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise UnavailableError(f"cannot listen on {path}: there is something else")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        try:
            other.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise UnavailableError(f"cannot listen on {path}: another process does")


async def _stopped() -> None:
    """Wait for SIGTERM or ^C."""
    arrived = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, arrived.set)
    await arrived.wait()
