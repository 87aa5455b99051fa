"""What hookrunner asks of an engine."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Self
from urllib.parse import quote

import msgspec

from hookrunner.adapters.engine.answers import (
    Created,
    InspectedExec,
    Listed,
)
from hookrunner.adapters.engine.events import EventParser
from hookrunner.adapters.engine.looking import Looking, container_path
from hookrunner.adapters.engine.stream import FrameParser
from hookrunner.adapters.engine.transport import Transport
from hookrunner.adapters.engine.unbroken import unbroken
from hookrunner.core.engine_api import EVENTS, STATES
from hookrunner.model import (
    Chunk,
    Container,
    EngineEvent,
    ExecState,
    Stream,
)

RUN_LIMIT = 2**20
"""How much of a short command's stdout is kept, in bytes: metadata with all its ancestors is
some 10 KB."""

_EXIT_WAIT = 2.0  # s; after EOF dockerd itself waits that long for the streams
_MAX_IDS = 100  # ids in one URL: 7 KB, and net/http takes 1 MiB of header


class Engine(Looking):
    """A Docker Engine API endpoint.

    Attributes:
        name: The engine's name in the configuration.
        url: Its address, without a password.
    """

    @classmethod
    @asynccontextmanager
    async def connect(cls, name: str, url: str, *, streams: int) -> AsyncIterator[Self]:
        """Make an engine ready to be asked; it may be away, as nothing is sent yet.

        Args:
            name: The engine's name in the configuration.
            url: ``unix://``, ``tcp://`` (TLS by ``$DOCKER_TLS_VERIFY``) or ``ssh://``.
            streams: How many exec streams are open at once; event streams come on top.

        Raises:
            EngineError: The URL is wrong, or what it needs is not installed.
        """
        async with Transport.open(name, url, streams=streams) as transport:
            yield cls(transport)

    async def ping(self) -> None:
        """Ask whether the engine is there, and agree on the version of its API anew.

        Raises:
            EngineUnavailableError: It is not there, or not ready.
            EngineError: It is older than API 1.41, or no engine.
        """
        await self._transport.ping()

    async def list_containers(self, ids: Sequence[str] = ()) -> list[Container]:
        """List the running and the paused containers in one request.

        Args:
            ids: Full ids to ask for; empty for all. An id that is not running is left out.

        Raises:
            EngineUnavailableError: The engine does not answer.
            EngineError: It refuses, or answers what makes no sense.
        """
        wanted = frozenset(ids)
        filters: dict[str, list[str]] = {"status": list(STATES)}
        if 0 < len(wanted) <= _MAX_IDS:
            filters["id"] = sorted(wanted)
        listed = await self._transport.json(
            "GET", "/containers/json", list[Listed], params=_filters(filters)
        )
        return [
            entry.container(self.name) for entry in listed if not wanted or entry.id in wanted
        ]

    @asynccontextmanager
    async def events(
        self, *, since: float | None = None
    ) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        """Follow what happens to containers.

        Inside the ``async with`` the engine already notes events for us, so that a list that
        is made there misses nothing. The iterator never ends, it raises.

        Args:
            since: Seconds since the epoch, by the engine's clock: also what it remembers
                from then on (256 events at most, and none across its restart).

        Raises:
            EngineUnavailableError: The engine does not answer; from the iterator: the stream
                broke or ended, so events may be lost, and the caller lists again.
            EngineError: The engine refuses, or sends what is no event.
        """
        params = _filters({"type": ["container"], "event": list(EVENTS)})
        if since is not None:
            params["since"] = f"{since:.9f}"
        async with (
            self._transport.stream("GET", "/events", params=params) as pieces,
            aclosing(self._decoded(pieces)) as events,
        ):
            yield events

    async def create_exec(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        user: str | None = None,
    ) -> str:
        """Prepare a command: no terminal, no stdin.

        Args:
            container_id: The container.
            argv: The program and its arguments; no shell takes part.
            environment: Set on top of the container's own.
            user: Whom it runs as; None for the container's own user.

        Returns:
            The engine's id of the exec.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: The container does not exist, does not run, or is paused.
            EngineError: The engine refuses.
        """
        body: dict[str, Any] = {
            "Cmd": list(argv),
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "AttachStdin": False,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
        }
        if user is not None:
            body["User"] = user
        path = f"{container_path(container_id)}/exec"
        return (await self._transport.json("POST", path, Created, body=body)).id

    @asynccontextmanager
    async def start_exec(self, exec_id: str) -> AsyncIterator[AsyncIterator[Chunk]]:
        """Start a prepared command, and give its output as it comes.

        The connection is not upgraded, so plain HTTP carries the stream. It has to be read
        without pause: after 1 MB dockerd blocks the command, and after its exit it waits 2 s
        for the reader. Leaving closes the connection and does not end the command, but then
        dockerd forgets its exit code (it says 126). The end of the stream is not the end of
        the command. An engine that dies at a frame's border looks like such an end too.
        A command that cannot start, or was started before, is told as text on stdout.

        Raises:
            EngineUnavailableError: The engine does not answer (the command may run all the
                same); from the iterator: the stream was cut.
            ContainerGoneError: The container or the exec does not exist, does not run, or is
                paused.
            EngineError: The engine refuses, or sends what is no stream.
        """
        async with (
            self._transport.stream(
                "POST", f"{_exec(exec_id)}/start", body={"Detach": False, "Tty": False}
            ) as pieces,
            aclosing(self._demultiplexed(pieces)) as chunks,
        ):
            yield chunks

    async def inspect_exec(self, exec_id: str) -> ExecState:
        """Ask how an exec stands.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: The engine forgot the exec, as it does after some minutes and
                with its own restart.
            EngineError: The engine refuses.
        """
        path = f"{_exec(exec_id)}/json"
        return (await self._transport.json("GET", path, InspectedExec)).state()

    async def run(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        timeout: float,  # noqa: ASYNC109 - not an error but a result
        limit: int = RUN_LIMIT,
        ends_at_limit: bool = False,
    ) -> tuple[int | None, bytes]:
        """Run a short command, such as ``container --metadata``.

        One that is being made when the caller is cancelled is started all the same: the
        engine forgets an exec after it ended, and one that never starts only with its
        container.

        Args:
            container_id: The container.
            argv: The program and its arguments.
            environment: Set on top of the container's own.
            user: Whom it runs as; None for the container's own user.
            timeout: Seconds from its start to the end of its output. A command that takes
                longer is left alone, not stopped.
            limit: How much of stdout is kept, in bytes; the rest is read and dropped.
            ends_at_limit: Nothing is read beyond that, and the command is left alone.

        Returns:
            The exit code, or None where it was left alone or never started; stdout.

        Raises:
            As `create_exec` and `start_exec`.
        """
        output = bytearray()
        async with AsyncExitStack() as stack:

            async def begin() -> tuple[str, AsyncIterator[Chunk]]:
                exec_id = await self.create_exec(
                    container_id, argv, environment=environment or {}, user=user
                )
                return exec_id, await stack.enter_async_context(self.start_exec(exec_id))

            exec_id, chunks = await unbroken(begin())
            try:
                async with asyncio.timeout(timeout):
                    async for chunk in chunks:
                        if chunk.stream is Stream.stdout:
                            output += chunk.data[: limit - len(output)]
                        if ends_at_limit and len(output) == limit:
                            return None, bytes(output)
            except TimeoutError:
                return None, bytes(output)
        return await self._exit_code(exec_id), bytes(output)

    async def _exit_code(self, exec_id: str) -> int | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _EXIT_WAIT
        pause = 0.01
        while True:
            state = await self.inspect_exec(exec_id)
            if not state.running or loop.time() >= deadline:
                return state.exit_code
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.2)

    async def _decoded(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[EngineEvent]:
        parser = EventParser()
        async for piece in pieces:
            for event in parser.feed(piece):
                yield event
        raise self._transport.cut("the events ended")

    async def _demultiplexed(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[Chunk]:
        parser = FrameParser()
        async for piece in pieces:
            for chunk in parser.feed(piece):
                yield chunk
        if parser.is_inside_frame:
            raise self._transport.cut("it ended inside a frame")


def _exec(exec_id: str) -> str:
    return f"/exec/{quote(exec_id, safe='')}"


def _filters(filters: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {"filters": msgspec.json.encode(filters).decode()}
