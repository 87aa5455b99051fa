"""A step from its start to its end: execute, hold the deadline, stop, say what came of it."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from msgspec.structs import replace

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.spool import Spool
from hookrunner.config import Project
from hookrunner.core.history import History
from hookrunner.core.inventory import Inventory
from hookrunner.core.outcome import Conclusion, conclude
from hookrunner.model import Container, Outcome, Push, Status, Step
from hookrunner.service.broadcast import Broadcast
from hookrunner.service.execution import Execution, RunRecord
from hookrunner.service.recovery import Ended
from hookrunner.service.stopping import GRACE

log = structlog.get_logger()

_LEAST_TIME = 10.0
"""Seconds that a step has left when it is found again, unless its timeout is shorter: one
that ended long ago is asked how, before its time counts."""
_LOOK = 0.5
"""Seconds between looks at what the inventory says of a container."""
_PAUSED = 5.0
"""Seconds that a container may be paused in the middle of a step: `docker commit` of a small
one pauses it for less."""
_LAST_WORDS = 2.0
"""Seconds that the stream of a step that was stopped gets to end."""
_HEALING_PAUSE = 10.0
"""Seconds between tries to stop what is stuck, where nothing changes; a guess."""
_HEALING_GRACE = 5.0
"""Seconds between TERM and KILL for what is stuck: it had its time."""


class Finished(msgspec.Struct, frozen=True):
    """A step that neither waits nor runs any more; it may be stuck.

    Attributes:
        is_gone: Its container was not there, so nothing is said about others.
    """

    step: Step
    is_gone: bool


class Runner:
    """Runs steps, each in a task of the caller's."""

    def __init__(
        self,
        *,
        spool: Spool,
        inventory: Inventory,
        history: History,
        broadcast: Broadcast,
        group: asyncio.TaskGroup,
    ) -> None:
        self._spool = spool
        self._inventory = inventory
        self._history = history
        self._broadcast = broadcast
        self._group = group
        self._beginning: set[Execution] = set()
        self._executions: dict[str, Execution] = {}
        self._deadlines: dict[str, asyncio.Timeout] = {}
        self._cancelled: dict[str, str] = {}
        self._paused: set[str] = set()

    def progress(self, step: Step) -> Step:
        """A step with what it printed so far, where it runs."""
        execution = self._executions.get(step.id)
        if execution is None:
            return step
        return replace(
            step,
            phases=execution.phases,
            output_bytes=execution.output_bytes,
            truncated=execution.truncated,
        )

    def cancel(self, step_id: str, *, reason: str) -> None:
        """Stop a step that runs or is stuck; it is cancelled once its processes are dead."""
        self._cancelled[step_id] = reason
        if step_id in self._deadlines:
            self._deadlines[step_id].reschedule(asyncio.get_running_loop().time())

    def prepare(
        self,
        step: Step,
        *,
        container: Container,
        engine: Engine,
        project: Project,
        push: Push | None,
        record: RunRecord,
    ) -> Execution:
        """Gather what a step needs to be executed; nothing happens yet.

        Args:
            push: What its run is about, or None.
            record: Where its output goes.
        """
        return Execution(
            step,
            engine=engine,
            container=container,
            project=project,
            push=push,
            spool=self._spool,
            record=record,
            group=self._group,
            on_change=lambda: self._broadcast.moved(step.run),
        )

    async def execute(
        self, execution: Execution, on_created: Callable[[str], Awaitable[Step]]
    ) -> Finished:
        """Run one step to its end.

        Args:
            on_created: Called with the exec's id before anything runs in it; records that
                the step runs, and returns it so.

        Raises:
            ContainerGoneError: The container is not there; nothing ran.
            EngineUnavailableError: The engine does not answer; nothing ran.
            EngineError: It refuses; nothing ran.
        """
        self._beginning.add(execution)
        try:
            execution.step = await on_created(await execution.create())
            return await self._to_end(execution.step, execution, execution.run)
        finally:
            self._beginning.discard(execution)
            execution.begun.set()

    async def wait_begun(self) -> None:
        """Wait until the engine was asked to start every exec that it made."""
        for execution in list(self._beginning):
            await execution.begun.wait()

    async def adopt(self, execution: Execution) -> Finished:
        """Learn how a step ended that an earlier process started, and stop it in its time."""
        await execution.reread()
        step = execution.step
        if step.ending is not None:
            self._cancelled[step.id] = step.ending[1] or ""
        return await self._to_end(step, execution, execution.recover)

    async def heal(self, execution: Execution, on_change: Callable[[Step], None]) -> Finished:
        """Stop a stuck step as soon as that is possible; return it at its end.

        Args:
            on_change: Called with the step when it is stuck for another reason.
        """
        while True:
            step = execution.step
            await self._wait_for_a_chance(execution)
            status, why = step.ending or (Status.interrupted, step.reason)
            if step.id in self._cancelled:
                status, why = Status.cancelled, self._cancelled[step.id]
            finished = await self._stopped(
                execution, Conclusion(status, None, why), grace=_HEALING_GRACE
            )
            if finished.step.status is not Status.stuck:
                self._cancelled.pop(step.id, None)
                return finished
            execution.step = replace(finished.step, finished_at=step.finished_at)
            if execution.step != step:
                on_change(execution.step)

    async def _wait_for_a_chance(self, execution: Execution) -> None:
        """Wait until a container changed, or for a while; for as long as it is paused."""
        clock = asyncio.get_running_loop().time
        before, end = self._state_of(execution), clock() + _HEALING_PAUSE
        while True:
            state = self._state_of(execution)
            if state != "paused" and (state != before or clock() >= end):
                return
            await asyncio.sleep(_LOOK)

    def _state_of(self, execution: Execution) -> str | None:
        container = self._inventory.get(execution.step.engine, execution.container.id)
        return container.state if container else None

    async def _to_end(
        self, step: Step, execution: Execution, run: Callable[[], Awaitable[Ended]]
    ) -> Finished:
        """Await the end, and say what came of it."""
        self._executions[step.id] = execution
        with structlog.contextvars.bound_contextvars(
            run=step.run, step=step.id, container=step.container
        ):
            log.info("step started", action=step.action)
            try:
                finished = await self._until_end(step, execution, run)
                phases = await execution.close(execution.clock.now())
            finally:
                del self._executions[step.id]
                self._cancelled.pop(step.id, None)
                self._paused.discard(step.id)
            done = replace(
                finished.step,
                finished_at=execution.clock.now(),
                phases=phases,
                output_bytes=execution.output_bytes,
                truncated=execution.truncated or finished.step.truncated,
            )
            log.info(
                "step finished",
                status=done.status,
                outcome=done.outcome,
                exit_code=done.exit_code,
                reason=done.reason,
            )
        return Finished(done, finished.is_gone)

    async def _until_end(
        self, step: Step, execution: Execution, run: Callable[[], Awaitable[Ended]]
    ) -> Finished:
        loop = asyncio.get_running_loop()
        passed = 0.0 if step.started_ticks is None else loop.time() - step.started_ticks
        left = max(min(_LEAST_TIME, step.timeout), step.timeout - max(0.0, passed))
        deadline = asyncio.timeout(0 if step.id in self._cancelled else left)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(_to_know(run, execution))
            watch = group.create_task(self._watch_pauses(execution, deadline))
            try:
                async with deadline:
                    self._deadlines[step.id] = deadline
                    ended = await asyncio.shield(running)
            except TimeoutError:
                if not deadline.expired():
                    raise
                finished = await self._past_its_end(execution)
                await asyncio.wait({running}, timeout=_LAST_WORDS)
                running.cancel()
                return finished
            finally:
                watch.cancel()
                del self._deadlines[step.id]
        return await self._ended(execution, ended)

    async def _ended(self, execution: Execution, ended: Ended) -> Finished:
        """Say what came of a step that ended by itself."""
        step = execution.step
        if ended.exit_code is not None:
            served = self._history.serves(
                ended.gitref, step.repository, step.ref or "", step.after
            )
            conclusion = conclude(
                step.action,
                ended.exit_code,
                gitref_before=step.gitref_before,
                gitref=ended.gitref,
                asked=step.after is not None,
                is_served=served,
            )
        elif ended.never_ran:
            conclusion = Conclusion(Status.interrupted, None, ended.error)
        elif ended.is_gone or ended.is_complete:
            conclusion = Conclusion(Status.failed, Outcome.error, ended.error)
        else:  # what is left of it may still be at work
            conclusion = Conclusion(Status.interrupted, None, ended.error)
            return await self._stopped(execution, conclusion)
        return _finished(step, conclusion, ended)

    async def _watch_pauses(self, execution: Execution, deadline: asyncio.Timeout) -> None:
        """End the waiting for a step whose container is paused for long."""
        clock = asyncio.get_running_loop().time
        since: float | None = None
        while since is None or clock() - since < _PAUSED:
            await asyncio.sleep(_LOOK)
            if self._state_of(execution) != "paused":
                since = None
            elif since is None:
                since = clock()
        self._paused.add(execution.step.id)
        deadline.reschedule(clock())

    async def _past_its_end(self, execution: Execution) -> Finished:
        """Stop a step that is past its deadline, was cancelled, or cannot go on."""
        step = execution.step
        reason = self._cancelled.get(step.id)
        if reason is not None:
            return await self._stopped(execution, Conclusion(Status.cancelled, None, reason))
        if step.id in self._paused:
            why = "its container was paused while it ran"
            return await self._stopped(execution, Conclusion(Status.interrupted, None, why))
        why = f"it took longer than its timeout of {step.timeout:g} s"
        return await self._stopped(execution, Conclusion(Status.timed_out, None, why))

    async def _stopped(
        self, execution: Execution, conclusion: Conclusion, *, grace: float = GRACE
    ) -> Finished:
        """Stop what is left of a step: it ends as it should, or is stuck until that works."""
        alive = await execution.stop(grace=grace)
        if alive is None:
            return _finished(execution.step, conclusion, _UNKNOWN)
        why = f"{conclusion.reason}; {alive}" if conclusion.reason else alive
        stuck = _finished(execution.step, Conclusion(Status.stuck, None, why), _UNKNOWN)
        ending = (conclusion.status, conclusion.reason)
        return Finished(replace(stuck.step, ending=ending), stuck.is_gone)


_UNKNOWN = Ended(is_complete=False)


def _finished(step: Step, conclusion: Conclusion, ended: Ended) -> Finished:
    done = replace(
        step,
        status=conclusion.status,
        outcome=conclusion.outcome,
        reason=conclusion.reason or (None if step.ending else step.reason),
        exit_code=ended.exit_code,
        gitref=ended.gitref if conclusion.status is Status.succeeded else None,
        finished_at=None,
        ending=None,
        truncated=step.truncated or not ended.is_complete,
    )
    return Finished(done, ended.is_gone)


async def _to_know(run: Callable[[], Awaitable[Ended]], execution: Execution) -> Ended:
    """Run a command until it is known how it ended, also where its stream was lost."""
    ended = await run()
    is_lost = ended.exit_code is None and not ended.is_complete
    if is_lost and not ended.is_gone and not ended.never_ran:
        log.warning("stream lost", error=ended.error)
        ended = await execution.recover()
    return ended
