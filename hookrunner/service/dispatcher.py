"""Give each container its next step: one at a time there, several containers at once.

The line is `hookrunner.core.queue`; this module starts what may start, and takes its end.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from msgspec.structs import replace

from hookrunner.adapters.spool import Spool
from hookrunner.adapters.store import Store
from hookrunner.core.eligibility import Idle, idle_at_start
from hookrunner.core.history import History
from hookrunner.core.inventory import Inventory
from hookrunner.core.planning import next_number, soon
from hookrunner.core.queue import Queue, by_history
from hookrunner.core.routine import GAVE_WAY, in_the_way
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from hookrunner.model import (
    Container,
    Outcome,
    Run,
    Status,
    Step,
)
from hookrunner.service.admission import Admission
from hookrunner.service.adoption import find_again, vanished
from hookrunner.service.broadcast import Broadcast
from hookrunner.service.clock import Clock
from hookrunner.service.execution import Execution
from hookrunner.service.feed import Feed
from hookrunner.service.holding import Holding
from hookrunner.service.live import LiveRuns
from hookrunner.service.recorder import Recorder
from hookrunner.service.runner import Finished, Runner
from hookrunner.service.served import remember
from hookrunner.service.settings import Settings
from hookrunner.service.stuck import Stuck
from hookrunner.service.upkeep import Upkeep
from hookrunner.service.visits import Visits
from hookrunner.service.watcher import Watcher

log = structlog.get_logger()

_PAUSE = 0.5
"""Seconds before a step looks for its container again."""


class Dispatcher:
    """Runs steps, each when its turn comes.

    Attributes:
        visits: Who asks a container something while no step runs in it.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        spool: Spool,
        inventory: Inventory,
        history: History,
        watchers: Mapping[str, Watcher],
        holding: Holding,
        upkeep: Upkeep,
        broadcast: Broadcast,
        feed: Feed,
        recorder: Recorder,
        group: asyncio.TaskGroup,
    ) -> None:
        self._settings = settings
        self._store = store
        self._inventory = inventory
        self._history = history
        self._watchers = watchers
        self._holding = holding
        self._upkeep = upkeep
        self._recorder = recorder
        self._group = group
        self._live = LiveRuns(recorder=recorder, spool=spool, broadcast=broadcast, feed=feed)
        self._runner = Runner(
            spool=spool, inventory=inventory, history=history, broadcast=broadcast, group=group
        )
        self._stuck = Stuck(
            self._runner,
            group=group,
            on_change=lambda step: self._live.take([step]),
            on_end=self._take_end,
        )
        self._queue = Queue(by_history(history))
        self._wake = asyncio.Event()
        self._clock = Clock()
        self.visits = Visits(on_free=self._wake.set)
        self._admission = Admission(
            settings=settings,
            inventory=inventory,
            watchers=watchers,
            holding=holding,
            stuck=self._stuck,
            clock=self._clock,
            visits=self.visits,
        )
        self._idle = asyncio.Event()
        self._is_draining = False

    @property
    def running(self) -> list[Step]:
        """The steps that run."""
        return list(self._queue.running.values())

    @property
    def stuck(self) -> list[Step]:
        """The steps that are stuck, each of which blocks its container."""
        return self._stuck.steps

    def is_free(self, container: Container) -> bool:
        """Whether a container may be asked something: no step, no visitor, nobody holds it."""
        place = (container.engine, container.name)
        if place in self._holding.places() or not self.visits.may_go_in(container):
            return False
        return not any(
            (step.engine, step.container) == place or step.container_id == container.id
            for step in (*self._queue.running.values(), *self._stuck.steps)
        )

    async def wait_idle(self) -> None:
        """Wait until no step runs, and all of it is recorded."""
        while self._queue.running:
            self._idle.clear()
            await self._idle.wait()
        await self._recorder.flush()

    async def wait_begun(self) -> None:
        """Wait until no step is about to be started."""
        await self._runner.wait_begun()

    @property
    def open_steps(self) -> Iterable[Step]:
        """All steps that wait or run."""
        return iter(self._queue)

    def wake(self) -> None:
        """Look again at what may start: a container or an engine changed."""
        self._wake.set()

    def snapshot(self, run_id: str) -> tuple[Run, list[Step]] | None:
        """A run that is not over, with what its steps printed so far; else None."""
        return self._live.snapshot(run_id, self._runner.progress)

    def live(self) -> list[tuple[Run, list[Step]]]:
        """The runs that are not over, oldest first, with what their steps printed so far."""
        found = (self.snapshot(run_id) for run_id in sorted(self._live))
        return [one for one in found if one is not None]

    async def restore(self) -> list[Run]:
        """Take up what an earlier process left, before anything runs.

        Returns:
            The runs whose targets are not known yet.
        """
        runs = await self._store.open_runs()
        for run, steps in runs:
            self._live.add(run, steps)
        now = self._clock.now()
        everything = [soon(step, now) for _, steps in runs for step in steps]
        others = await self._store.successions(everything)
        self._live.take(self._queue.restore(everything, others))
        stuck = [step for step in everything if step.status is Status.stuck]
        for step in stuck:
            self._stuck.add(step)
        for step in [*self._queue.running.values(), *stuck]:
            self._group.create_task(self._adopt(step), name=f"adopt {step.id}")
        return [run for run, _ in runs if not run.matched]

    async def _adopt(self, step: Step) -> None:
        """Take up a step that ran, or was stuck, when an earlier process ended."""
        watcher = self._watchers.get(step.engine)
        container = await find_again(step, watcher, self._inventory)
        if container is None or watcher is None:
            log.warning("step ended unseen", run=step.run, step=step.id)
            self._stuck.let_go(step.id)
            self._end(vanished(step))
            return
        execution = self._prepared(step, container, watcher)
        if step.status is Status.stuck:
            await execution.reread()
            self._stuck.heal(execution)
            return
        finished = await self._runner.adopt(execution)
        self._take_stop(finished, execution)

    def submit(self, run: Run, steps: Sequence[Step]) -> None:
        """Take a run that is recorded, with the steps that it consists of now."""
        self._live.add(run, steps)
        told = {step.id: step for step in steps}
        changed = self._queue.add(steps)
        self._live.take(step for step in changed if told.get(step.id) != step)
        self._wake.set()

    def hurry(self, steps: Iterable[Step]) -> bool:
        """Let retries that wait run now; tell whether there were any."""
        changed = self._queue.hurry(step.id for step in steps)
        self._live.take(changed)
        self._wake.set()
        return bool(changed)

    def cancel(self, run_id: str, *, reason: str) -> bool:
        """Cancel what waits of a run, and stop what runs; tell whether there was anything."""
        found = self._live.withdraw(run_id)
        for earlier in self._live.steps(run_id):
            step = self._live.now(earlier)  # the end of one may be that of others
            if (running := self._queue.running.get(step.id)) is not None:
                self._stop(running, reason)
            elif step.id in self._stuck:
                self._runner.cancel(step.id, reason=reason)
            elif step.status is Status.queued:
                self._end(replace(step, status=Status.cancelled, held=False, reason=reason))
            else:
                continue
            found = True
        self._wake.set()
        return found

    async def recorded(self) -> None:
        """Wait until what was decided so far is on the disk, or clearly cannot be now."""
        await self._recorder.settle()

    def why_it_waits(self, step: Step) -> str:
        """Why a step that is queued did not start yet, in words."""
        return self._admission.why_it_waits(step, self.running)

    def _stop(self, running: Step, reason: str) -> None:
        """Cancel a step that runs; it ends once its processes are dead."""
        self._runner.cancel(running.id, reason=reason)
        cancelled = replace(running, ending=(Status.cancelled, reason))
        self._queue.running[running.id] = cancelled
        self._live.take([cancelled])

    def drain(self) -> None:
        """Start nothing more."""
        self._is_draining = True

    async def run(self) -> None:
        """Start steps for ever."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            if not self._is_draining:
                self._start_all(now)
            await self._sleep(now)

    def _start_all(self, now: datetime) -> None:
        """Start what may start, and stop what is routine and keeps an update from it."""
        can_start, limit = self._admission.can_start, self._settings.config.max_parallel
        self._live.take(self._queue.hand_on(self._admission.is_held))
        for step in self._queue.startable(now, can_start=can_start, limit=limit):
            if self._queue.waiting.get(step.id) == step:  # else one took its place
                self._start(step, now)
        for step in in_the_way(self._queue, now, can_start=can_start, limit=limit):
            if step.status is Status.running and step.ending is None:
                self._stop(step, GAVE_WAY)

    async def _sleep(self, now: datetime) -> None:
        """Wait until something changes, or the next retry or absence is due."""
        times = [self._queue.next_retry(), self._holding.next_end, *self._admission.overdue_at]
        waits = [(at - now).total_seconds() for at in times if at is not None and at > now]
        try:
            async with asyncio.timeout(max(0.01, min(waits)) if waits else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _start(self, step: Step, now: datetime) -> None:
        """Start a step, or end it where its container has nothing to do any more."""
        self._live.take(self._queue.start(step))
        watcher = self._watchers.get(step.engine)
        container = self._inventory.named(step.engine, step.container)
        if watcher is None:
            self._fail(step, f"no engine {step.engine} is configured", now)
        elif container is None:
            self._fail(step, f"{step.container} is not running", now)
        elif container.state != "running":
            self._fail(step, f"{step.container} is {container.state}", now)
        elif (idle := self._why_idle(step, container)) is not None:
            self._end(
                replace(
                    step,
                    status=Status.skipped,
                    outcome=idle.outcome,
                    reason=idle.reason,
                    gitref=container.gitref_of(step.repository),
                    finished_at=now,
                )
            )
        else:
            self._group.create_task(
                self._execute(step, container, watcher), name=f"step {step.id}"
            )

    def _why_idle(self, step: Step, container: Container) -> Idle | None:
        return idle_at_start(
            container,
            step,
            self._live.run(step.run).push,
            self._settings.project_of(container),
            history=self._history,
            aliases=self._inventory.aliases,
        )

    def _fail(self, step: Step, reason: str, now: datetime) -> None:
        """End a step that could not be started; the next of its roll-out goes first."""
        failed = replace(
            step,
            status=Status.failed,
            outcome=Outcome.error,
            reason=reason,
            finished_at=now,
        )
        self._end(failed, hands_on=True)

    async def _execute(self, step: Step, container: Container, watcher: Watcher) -> None:
        async def started(exec_id: str) -> Step:
            running = replace(
                step,
                status=Status.running,
                container_id=container.id,
                image=container.image,
                gitref_before=container.gitref_of(step.repository),
                started_at=prepared.clock.now(),
                started_ticks=asyncio.get_running_loop().time(),
                exec_id=exec_id,
                container_started=prepared.container_started,
            )
            self._admission.forget(step)
            self._queue.running[step.id] = running
            self._live.take([running])
            await self._recorder.flush()
            return running

        prepared = self._prepared(step, container, watcher)
        try:
            finished = await self._runner.execute(prepared, started)
        except (ContainerGoneError, EngineUnavailableError) as error:
            await self._put_back(step, container, watcher, str(error))
        except EngineError as error:
            self._fail(step, str(error), self._clock.now())
        else:
            self._take_stop(finished, prepared)

    def _take_stop(self, finished: Finished, execution: Execution) -> None:
        """Take a step that does not run any more; one that is stuck blocks its container."""
        if finished.step.status is Status.stuck:
            execution.step = finished.step
            self._stuck.heal(execution)
        self._take_end(finished, execution.container)

    def _take_end(self, finished: Finished, container: Container) -> None:
        remember(finished.step, container, self._inventory, self._recorder)
        self._end(finished.step, hands_on=finished.is_gone)

    def _prepared(self, step: Step, container: Container, watcher: Watcher) -> Execution:
        return self._runner.prepare(
            step,
            container=container,
            engine=watcher.engine,
            project=self._settings.config.project(step.project),
            push=self._live.run(step.run).push,
            record=self._live.record(step.run),
        )

    async def _put_back(
        self, step: Step, container: Container, watcher: Watcher, why: str
    ) -> None:
        """Let a step wait for its container, or for the engine, to come back."""
        await watcher.look_at(container.id)
        await asyncio.sleep(_PAUSE)
        if self._admission.is_overdue(step) and watcher.is_connected:
            self._fail(step, why, self._clock.now())
        else:
            self._live.take(self._queue.put_back(step))
            self._wake.set()

    def _end(self, step: Step, *, hands_on: bool = False) -> None:
        """Take a step's final state, and all that follows from it."""
        self._admission.forget(step)
        self._upkeep.ended(step)
        number = next_number(self._live.steps(step.run))
        now = self._clock.now()
        changed = self._queue.finish(step, number=number, now=now, hands_on=hands_on)
        self._live.take([step, *changed])
        self._wake.set()
        self._idle.set()
