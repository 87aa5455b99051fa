"""Ask containers at intervals how they are, and for their metrics.

What they say is no run: only a change of their state is recorded. No container is asked while
a step runs in it, or while somebody holds it; few are asked at once, since updates come first.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
from msgspec import Struct
from msgspec.structs import replace

from hookrunner.adapters.engine import Engine
from hookrunner.core import monitoring
from hookrunner.core.inventory import Inventory
from hookrunner.core.outcome import NO_METHOD
from hookrunner.core.upkeep import SETTLED
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from hookrunner.model import Container, MonitorState, Probe
from hookrunner.service.calls import LIMITS, Call, Reply, Way
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.feed import Feed, StateChanged
from hookrunner.service.metrics import Metrics
from hookrunner.service.recorder import Recorder
from hookrunner.service.scrapes import Scrapes
from hookrunner.service.settings import Settings
from hookrunner.service.watcher import Watcher

log = structlog.get_logger()

_AT_ONCE = 2
"""Calls at once on one engine; dockerd slows down from about sixteen execs on."""
_BUSY = 5.0
"""Seconds until a container is asked that could not be asked now."""
_LOOK = (0.1, 0.5)
"""Seconds between looks, at least and at most: a container that starts is seen that late."""
_SPREAD = 0.1
"""The part of an interval by which it varies, so that calls that began together drift apart."""
_BEGINNING = 60.0
"""Seconds from our own start in which containers that appear are taken to be as old as they
are; later ones have just started, whenever they were made."""


class _Turn(Struct):
    """When one thing is asked of one container next.

    Attributes:
        seen: When it was first there; by the loop's clock, as `due`.
        due: None until it was asked.
        is_open: It is being asked now.
        is_none: It has no answer to that, and is not asked again.
        call: The last one, while something of it is left.
    """

    seen: float
    due: float | None = None
    is_open: bool = False
    is_none: bool = False
    call: Call | None = None


class Probing:
    """Asks for ever.

    Attributes:
        scrapes: What containers said of their metrics.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        inventory: Inventory,
        watchers: Mapping[str, Watcher],
        dispatcher: Dispatcher,
        recorder: Recorder,
        feed: Feed,
        metrics: Metrics,
        group: asyncio.TaskGroup,
    ) -> None:
        self.scrapes = Scrapes(inventory)
        self._settings = settings
        self._inventory = inventory
        self._watchers = watchers
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._feed = feed
        self._metrics = metrics
        self._group = group
        self._turns: dict[tuple[str, str, Probe], _Turn] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Ask whoever is due, for ever."""
        while True:
            now = asyncio.get_running_loop().time()
            next_due = now + _LOOK[1]
            for container in self._inventory:
                for probe in container.probes:
                    next_due = min(next_due, self._look(container, probe, now))
            self._forget()
            await asyncio.sleep(max(_LOOK[0], next_due - now))

    def _every(self, probe: Probe) -> float | None:
        said = self._settings.config.monitoring
        return said.every if probe is Probe.monitor else said.metrics_every

    def _look(self, container: Container, probe: Probe, now: float) -> float:
        """Ask a container if that is due; tell when it is else."""
        key = (container.engine, container.id, probe)
        every, turn = self._every(probe), self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn(seen=now - self._age(container, now))
        if turn.is_open or turn.is_none or every is None:
            return now + _LOOK[1]
        if turn.due is not None:
            due = min(turn.due, now + every * (1 + _SPREAD))  # the interval may be shorter now
        else:
            settled = turn.seen + SETTLED.total_seconds()
            due = now if container.health == "healthy" else settled
        if due > now:
            return due
        turn.is_open = True
        name = f"ask {container.name} for {probe}"
        self._group.create_task(self._ask(turn, container, probe, every), name=name)
        return now + _LOOK[1]

    def _age(self, container: Container, now: float) -> float:
        """Seconds for which a container that appeared has been there, as far as we know."""
        if now - self._began > _BEGINNING:
            return 0.0
        return max(0.0, (datetime.now(UTC) - container.created_at).total_seconds())

    def _forget(self) -> None:
        """Let go of what was known of containers that are gone."""
        gone = [key for key in self._turns if self._inventory.get(*key[:2]) is None]
        for key in gone:
            if not self._turns[key].is_open:
                del self._turns[key]
                self._locks.pop(key[:2], None)
        self.scrapes.forget()

    async def _ask(self, turn: _Turn, container: Container, probe: Probe, every: float) -> None:
        """Ask a container once there is a slot, and it may be asked."""
        loop = asyncio.get_running_loop()
        wait = every * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - jitter
        asked_at = loop.time()
        try:
            lock = self._locks.setdefault((container.engine, container.id), asyncio.Lock())
            slot = self._slots.setdefault(container.engine, asyncio.Semaphore(_AT_ONCE))
            async with lock, slot:
                asked_at = loop.time()
                found = self._free(container)
                if found is None or not await self._reach(turn, *found, probe):
                    wait = min(wait, _BUSY)
        finally:
            turn.due = asked_at + wait
            turn.is_open = False

    def _free(self, container: Container) -> tuple[Container, Engine] | None:
        """A container as it is now, and its engine, where it may be asked."""
        current = self._inventory.get(container.engine, container.id)
        if (
            current is None
            or current.state != "running"
            or not self._dispatcher.is_free(current)
        ):
            return None
        watcher = self._watchers.get(current.engine)
        if watcher is None or not watcher.is_connected:
            return None
        return current, watcher.engine

    async def _reach(
        self, turn: _Turn, container: Container, engine: Engine, probe: Probe
    ) -> bool:
        """Ask a container, and take what it says; tell whether that was an answer."""
        if turn.call is not None:  # never two at once: it would be one more each minute
            await turn.call.stop()
            if turn.call.left is not None:
                self._failed(container, probe, f"the call before goes on: {turn.call.left}")
                return True
            turn.call = None
        own = self._settings.project_of(container)
        call = Call(engine, container, probe, own=own)
        limit = self._settings.config.monitoring.timeout
        try:
            reply = await call.make(timeout=limit, visits=self._dispatcher.visits)
        except (ContainerGoneError, EngineUnavailableError) as error:
            log.debug("cannot ask", container=container.name, probe=probe, error=str(error))
            return False
        except EngineError as error:
            self._metrics.called(probe, "failed")
            self._without(turn, container, probe, str(error))
            return True
        turn.call = call if call.left is not None else None
        self._metrics.called(probe, reply.way)
        if reply.way is Way.gave_way:
            return False
        if reply.way is Way.ended:
            await self._take(turn, container, probe, reply)
        else:
            why = {
                Way.timed_out: f"it did not end within {limit:g} s",
                Way.flooded: f"it printed more than {LIMITS[probe] // 2**10} KiB",
            }[reply.way]
            self._without(turn, container, probe, f"{why}, and was stopped")
        return True

    async def _take(
        self, turn: _Turn, container: Container, probe: Probe, reply: Reply
    ) -> None:
        """Take what a container said."""
        is_named = container.names(probe)
        if probe is Probe.monitor:
            found = monitoring.read(reply.code, reply.output, is_named=is_named)
            if found is not None:
                self._take_state(container, *found)
            elif container.monitored is not None:
                self._take_state(container, MonitorState.unknown, "it does not say any more")
            else:
                turn.is_none = True
        elif reply.code == NO_METHOD:
            turn.is_none = True
        elif reply.code == 0 and (is_named or reply.output.strip()):
            await self.scrapes.take(container, reply.output)
        else:
            line = monitoring.first_line(reply.output)
            told = f"exit code {reply.code}{f': {line}' if line else ''}"
            self._without(turn, container, probe, told)

    def _without(self, turn: _Turn, container: Container, probe: Probe, why: str) -> None:
        """Take that there was no answer: of a program that may not know the word, none ever."""
        if container.names(probe):
            self._failed(container, probe, why)
        else:
            turn.is_none = True

    def _failed(self, container: Container, probe: Probe, why: str) -> None:
        if probe is Probe.monitor:
            self._take_state(container, MonitorState.unknown, why)
        else:
            self.scrapes.fail(container, why)

    def _take_state(self, container: Container, state: MonitorState, text: str) -> None:
        """Take how a container says that it is; that is recorded only if it changed."""
        current = self._inventory.get(container.engine, container.id)
        if current is None:
            return
        before = current.monitored
        known = replace(
            current, monitored=monitoring.taken(before, state, text, datetime.now(UTC))
        )
        if before is not None and before.state is state:
            self._inventory.put(known)
            return
        log.info("container says", container=known.name, state=state, text=text)
        self._recorder.put(containers=[self._inventory.remember(known)])
        self._feed.tell(StateChanged(known))
