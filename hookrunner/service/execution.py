"""One step: execute it, record what it prints, and learn how it ended.

The engine's stream is drained without ever waiting for a reader. A step ends when the
wrapper's trailer came on both streams, or the engine knows the exit code.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import structlog

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.spool import Spool, SpoolWriter
from hookrunner.config import Project
from hookrunner.core import commands
from hookrunner.core.phases import PhaseReader
from hookrunner.core.record import Piece
from hookrunner.errors import (
    ContainerGoneError,
    EngineError,
    EngineUnavailableError,
    StoreError,
)
from hookrunner.gate import table
from hookrunner.model import Chunk, Container, Phase, Push, Step, Stream
from hookrunner.service.clock import Clock
from hookrunner.service.recovery import SUSPICIOUS, UNBELIEVED, Ended, Recovery
from hookrunner.service.stopping import GRACE, Stopping

log = structlog.get_logger()

_POLL = 1.0
"""Seconds between looks at whether the process ended while its stream stays open."""
_SETTLE = 2.0
"""Seconds that the engine gets to know the exit code after the stream's end, the stream to
bring what is left after the process's, and a request that was cut to show what it did. dockerd
waits as long for its copying."""
_REFUSAL = b"OCI runtime exec failed"
"""What dockerd prints on a command's stdout where it could not start it."""
_CLOCK_SLACK = 5.0
"""Seconds by which a step is taken to be older than it is: the host rounds."""


class RunRecord:
    """One run's output while it grows: gives every byte its offset, in order.

    Args:
        find_end: Finds the offset at which it goes on, after a restart.
    """

    def __init__(self, find_end: Callable[[], int]) -> None:
        self._find_end = find_end
        self._end: int | None = None
        self._lock = asyncio.Lock()

    async def append(self, writer: SpoolWriter, chunk: Chunk, at: datetime) -> None:
        """Record bytes of one of the run's steps, which came at that time.

        Raises:
            StoreError: They could not be written; the offset counts on.
        """
        async with self._lock:
            if self._end is None:
                self._end = await asyncio.to_thread(self._find_end)
            offset = self._end
            self._end += len(chunk.data)
            await asyncio.to_thread(writer.append, offset, chunk, at.timestamp())


class Execution:
    """A step that runs.

    Args:
        group: Where its helper tasks live.
        on_change: Called when there is more output, or a new phase.

    Attributes:
        begun: Set once the engine was asked to start the command, whatever it said.
        clock: Tells the step's times.
        container_started: When its container had started, in the engine's words.
        phases: Those that started so far.
        output_bytes: What came so far.
        truncated: Some of the output is not in the record.
    """

    def __init__(
        self,
        step: Step,
        *,
        engine: Engine,
        container: Container,
        project: Project,
        push: Push | None,
        spool: Spool,
        record: RunRecord,
        group: asyncio.TaskGroup,
        on_change: Callable[[], None],
    ) -> None:
        self.step = step
        self.clock = Clock(step.started_at)
        self._exec_id = step.exec_id or ""
        self.container_started = step.container_started
        self.begun = asyncio.Event()
        self.truncated = False
        self._engine = engine
        self._container = container
        self._project = project
        self._push = push
        self._spool = spool
        self._record = record
        self._group = group
        self._on_change = on_change
        self._reader = PhaseReader()
        self._writer: SpoolWriter | None = None
        self._recorded_bytes = 0
        self._beginning = b""
        self._nonce = secrets.token_hex(16)
        self._starting = asyncio.Lock()
        self._is_stopping = False
        self._stopping = Stopping(engine, container.id, step.id, is_wrapped=container.wrapped)

    @property
    def container(self) -> Container:
        """The container that it runs in."""
        return self._container

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases so far; the last one has no length while it runs."""
        return tuple(self._reader.phases)

    @property
    def output_bytes(self) -> int:
        """The bytes that the step printed so far."""
        return self._writer.total if self._writer else self._recorded_bytes

    async def create(self) -> str:
        """Make the exec, in which nothing runs yet; return its id.

        Raises:
            ContainerGoneError: The container is not there, or does not run.
            EngineUnavailableError: The engine does not answer.
            EngineError: It refuses.
        """
        command = table.action(self.step.action, self._project, wrapped=self._container.wrapped)
        self.container_started, self._exec_id = await asyncio.gather(
            self._engine.started_at(self._container.id),
            self._engine.create_exec(
                self._container.id,
                command.argv,
                environment=commands.environment(self.step, self._push, nonce=self._nonce),
                user=command.user,
            ),
        )
        return self._exec_id

    async def run(self) -> Ended:
        """Execute the step until it ends by itself; only after `create`."""
        self._writer = self._spool.writer(
            self.step.run, self.step.id, limit=self.step.output_limit
        )
        try:
            return await self._execute(self._writer)
        except ContainerGoneError as error:
            return Ended(error=str(error), is_complete=False)
        except (EngineError, EngineUnavailableError) as error:
            return Ended(error=str(error), is_complete=False)

    async def reread(self) -> None:
        """Take up what an earlier process recorded of the step, as far as it can be read."""
        try:
            pieces = await asyncio.to_thread(self._recorded)
        except StoreError as error:
            log.warning("output lost", step=self.step.id, error=str(error))
            self.truncated = True
            return
        for piece in pieces:
            at = datetime.fromtimestamp(piece.at, UTC)
            self._reader.feed(piece.stream, piece.data, at)
            self._recorded_bytes = piece.within + len(piece.data)

    def _recorded(self) -> list[Piece]:
        reader = self._spool.reader(self.step.run, {})
        try:
            found: list[Piece] = []
            while pieces := reader.read(offset=0, limit=self.step.output_limit):
                found += [piece for piece in pieces if piece.step == self.step.id]
        finally:
            reader.close()
        return found

    async def recover(self) -> Ended:
        """Learn how the command ended after its stream was lost; it may still run."""
        return await self._recovery().recover(age=self._age())

    async def stop(self, *, grace: float = GRACE) -> str | None:
        """Stop all processes of the step: TERM, then KILL.

        Returns:
            None once they are dead, else why that cannot be said.
        """
        self._is_stopping = True
        async with self._starting:  # what is about to run could not be found yet
            pass
        return await self._stopping.stop(age=self._age(), grace=grace)

    def _age(self) -> float:
        """Seconds since the step started, at least; after a reboot nothing of it is left."""
        ticks, now = self.step.started_ticks, asyncio.get_running_loop().time()
        return (now if ticks is None or ticks > now else now - ticks) + _CLOCK_SLACK

    def _recovery(self) -> Recovery:
        return Recovery(
            self._engine,
            self._container,
            self.step.id,
            exec_id=self._exec_id,
            container_started=self.container_started,
            own=self._project,
            was_refused=self._was_refused,
        )

    @property
    def _was_refused(self) -> bool:
        """The engine said, as output, that it could not start the command."""
        return self._beginning.startswith(_REFUSAL)

    async def close(self, at: datetime) -> tuple[Phase, ...]:
        """Put the output on the disk; return all phases.

        Args:
            at: When the step ended.
        """
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)
            self.truncated = self.truncated or self._writer.is_lossy
        return self._reader.end(at)

    async def _execute(self, writer: SpoolWriter) -> Ended:
        trailers = {stream: commands.TrailerReader(self._nonce) for stream in Stream}
        cut: EngineUnavailableError | None = None
        async with AsyncExitStack() as stack:
            try:
                chunks = await self._start(stack)
            except ContainerGoneError as error:
                return Ended(error=str(error), never_ran=True)
            try:
                await self._drain(writer, chunks, trailers)
            except EngineUnavailableError as error:
                cut = error
        for stream, trailer in trailers.items():
            await self._take(writer, stream, trailer.rest())
        told = [t for t in trailers.values() if t.exit_code is not None]
        if told:
            is_complete = len(told) == len(trailers)
            return Ended(
                exit_code=told[0].exit_code, gitref=told[0].gitref, is_complete=is_complete
            )
        if cut is not None:
            raise cut
        if self._container.wrapped:
            return Ended(error="the stream ended without a trailer", is_complete=False)
        return await self._ask_engine()

    async def _start(self, stack: AsyncExitStack) -> AsyncIterator[Chunk]:
        """Start the exec: again where its engine did not answer, and says that it never ran.

        An engine starts an exec once, so that it cannot run twice.
        """
        lost: EngineUnavailableError | None = None
        while True:
            try:
                async with self._starting:
                    return await stack.enter_async_context(
                        self._engine.start_exec(self._exec_id)
                    )
            except ContainerGoneError as error:
                if lost is None:
                    raise
                raise lost from error  # or newer engines refuse what the first request started
            except EngineUnavailableError as error:
                lost = error
            finally:
                self.begun.set()
            if not await self._never_started():
                raise lost

    async def _never_started(self) -> bool:
        """Whether the engine says so; False where it cannot tell, or the step is to stop."""
        await asyncio.sleep(_SETTLE)
        while not self._is_stopping:
            try:
                state = await self._engine.inspect_exec(self._exec_id)
            except EngineUnavailableError:
                await asyncio.sleep(_POLL)
            except (ContainerGoneError, EngineError):
                return False
            else:
                return not state.running and state.exit_code is None
        return False

    async def _drain(
        self,
        writer: SpoolWriter,
        chunks: AsyncIterator[Chunk],
        trailers: Mapping[Stream, commands.TrailerReader],
    ) -> None:
        """Read until both trailers came, or nothing more does."""
        deadline = asyncio.timeout(None)
        try:
            async with deadline:
                watch = self._group.create_task(self._watch(deadline, self._exec_id))
                try:
                    async for chunk in chunks:
                        data = trailers[chunk.stream].feed(chunk.data)
                        await self._take(writer, chunk.stream, data)
                        if all(trailer.exit_code is not None for trailer in trailers.values()):
                            break
                finally:
                    watch.cancel()
        except TimeoutError:
            if not deadline.expired():
                raise

    async def _take(self, writer: SpoolWriter, stream: Stream, data: bytes) -> None:
        if not data:
            return
        self._beginning = self._beginning or data[: len(_REFUSAL)]
        now = self.clock.now()
        self._reader.feed(stream, data, now)
        try:
            await self._record.append(writer, Chunk(stream, data), now)
        except StoreError as error:
            if not self.truncated:
                log.warning("output lost", step=self.step.id, error=str(error))
            self.truncated = True
        self._on_change()

    async def _watch(self, deadline: asyncio.Timeout, exec_id: str) -> None:
        """End the reading once the process is gone while somebody holds its output open."""
        is_running = True
        while is_running:
            await asyncio.sleep(_POLL)
            try:
                is_running = (await self._engine.inspect_exec(exec_id)).running
            except (EngineError, EngineUnavailableError):
                continue
            except ContainerGoneError:
                break
        await asyncio.sleep(_SETTLE)
        deadline.reschedule(asyncio.get_running_loop().time())

    async def _ask_engine(self) -> Ended:
        """Learn the exit code of a command without a trailer.

        The stream's end may be a cut that looks like one: then 126 and 127 mean nothing, and
        the command may still run.
        """
        delay = 0.02
        while (state := await self._engine.inspect_exec(self._exec_id)).running:
            await asyncio.sleep(delay)
            delay = min(_POLL, delay * 2)
        recovery = self._recovery()
        if state.exit_code in SUSPICIOUS and await recovery.container_went():
            return await recovery.gone(state.exit_code)
        if state.exit_code is None:
            return Ended(error="the engine does not know how the command ended")
        is_doubtful = state.exit_code in UNBELIEVED and not self._was_refused
        if is_doubtful and await recovery.may_run(self._age()):
            return Ended(error="the stream was cut", is_complete=False)
        return Ended(exit_code=state.exit_code)
