"""Look after containers without a push: after each start, and at intervals."""

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from msgspec.structs import replace

from hookrunner.adapters.store import Changes, Store
from hookrunner.core.history import KnownPush
from hookrunner.core.inventory import ContainerKey, Inventory
from hookrunner.core.upkeep import (
    Interval,
    caught_up,
    may_catch_up_at,
    next_due,
    ready_at,
)
from hookrunner.errors import HookrunnerError
from hookrunner.model import Action, Container, Trigger
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.intake import Intake
from hookrunner.service.settings import Settings
from hookrunner.service.upkeep import Due, Upkeep
from hookrunner.service.validating import BY, Validating, names
from hookrunner.service.watcher import Watcher

log = structlog.get_logger()

_JITTER = 10.0
"""Seconds within which containers that started together catch up: a host's reboot must not
have all of them ask one git server at once; a guess."""
_BUSY = timedelta(seconds=5)
"""How long a project's next catch-up waits while one goes on, before it looks again."""
_LOOK = (0.2, 30.0)
"""Seconds between looks, at least and at most."""


class _Start(msgspec.Struct, frozen=True):
    """A container that started.

    Attributes:
        since: When, by our clock.
        started_at: When, by the engine's.
    """

    since: datetime
    started_at: datetime


class Catchup:
    """Notices starts, and begins what is due."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        inventory: Inventory,
        watchers: Mapping[str, Watcher],
        dispatcher: Dispatcher,
        intake: Intake,
        upkeep: Upkeep,
        intervals: Iterable[Interval],
    ) -> None:
        self._settings = settings
        self._store = store
        self._inventory = inventory
        self._watchers = watchers
        self._dispatcher = dispatcher
        self._intake = intake
        self._upkeep = upkeep
        self._validating = Validating(
            inventory=inventory,
            dispatcher=dispatcher,
            intake=intake,
            upkeep=upkeep,
        )
        self._intervals = {one.project: one for one in intervals}
        self._began = datetime.now(UTC)
        self._old_engines = upkeep.engines
        self._seen: set[ContainerKey] = set()
        self._starts: dict[ContainerKey, _Start] = {}

    async def run(self) -> None:
        """Look after containers for ever."""
        while True:
            self._upkeep.wake.clear()
            try:
                await self._notice_all()
                await self._after_starts()
                await self._catch_up()
                await self._validating.begin_due()
                await self._at_intervals()
            except HookrunnerError as error:
                log.warning("cannot look after containers", error=str(error))
            await asyncio.sleep(_LOOK[0])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._next_look()):
                    await self._upkeep.wake.wait()

    def _next_look(self) -> float:
        """Seconds until something is due."""
        now = self._upkeep.clock.now()
        times = [due.at for due in self._upkeep.due.values()]
        for (engine, container_id), start in self._starts.items():
            container = self._inventory.get(engine, container_id)
            if container is not None:
                times.append(ready_at(container, start.since, now))
        times += self._validating.due.values()
        for name, project in self._settings.config.projects.items():
            if project.every is not None:
                last = self._intervals.get(name)
                times.append(next_due(last.at if last else None, project.every, now))
        wait = min(((at - now).total_seconds() for at in times), default=_LOOK[1])
        return min(_LOOK[1], max(_LOOK[0], wait))

    async def _notice_all(self) -> None:
        """Find the containers that started since they were last looked at."""
        started: set[ContainerKey] = set()
        for name, watcher in self._watchers.items():
            if watcher.is_connected:
                started |= {(name, one) for one in watcher.take_started()}
            else:
                self._seen = {key for key in self._seen if key[0] != name}
        there = {(container.engine, container.id) for container in self._inventory}
        self._seen = self._seen & there - started
        self._upkeep.throwaway &= there
        for key in set(self._starts) - there:
            del self._starts[key]
        for container in self._inventory:
            watcher = self._watchers[container.engine]
            key = (container.engine, container.id)
            if watcher.is_connected and key not in self._seen:
                await self._notice(container, watcher, is_new_start=key in started)

    async def _notice(
        self, container: Container, watcher: Watcher, *, is_new_start: bool
    ) -> None:
        """Look whether a container started since it was last taken care of."""
        key = (container.engine, container.id)
        try:
            around = await watcher.images.surroundings(container, is_new_start=is_new_start)
            image = await watcher.images.image(container.image_id)
        except HookrunnerError as error:
            log.info("start not known", container=container.name, error=str(error))
            return
        self._seen.add(key)
        started_at = around.started_at or container.created_at
        attended = self._upkeep.of(container)
        if around.is_throwaway(image):
            self._upkeep.throwaway.add(key)
        elif (attended.container_id, attended.started_at) == (container.id, started_at):
            return
        elif (
            attended.started_at is None
            and container.engine not in self._old_engines
            and started_at < self._began
        ):  # it ran before hookrunner was there
            self._attend(container, started_at)
        else:
            age = max(timedelta(0), datetime.now(UTC) - started_at)
            self._starts[key] = _Start(self._upkeep.clock.now() - age, started_at)

    def _attend(self, container: Container, started_at: datetime) -> None:
        """Remember that a start was taken care of."""
        self._upkeep.put(
            replace(
                self._upkeep.of(container),
                project=container.project,
                container_id=container.id,
                started_at=started_at,
            )
        )

    async def _after_starts(self) -> None:
        """Validate the containers that started, and have them catch up."""
        now = self._upkeep.clock.now()
        started: list[Container] = []
        for key, start in list(self._starts.items()):
            container = self._inventory.get(*key)
            if container is None or ready_at(container, start.since, now) > now:
                continue
            if container.state != "running" or self._watchers[key[0]].is_asking(container):
                continue
            del self._starts[key]
            started.append(container)
            if (
                self._settings.project_of(container).catch_up
                and Action.update in container.methods
            ):
                jitter = timedelta(seconds=random.uniform(0, _JITTER))  # noqa: S311 - jitter
                due = Due(now + jitter, 0, container.id, start.started_at)
                self._upkeep.due[container.engine, container.name] = due
            else:
                self._attend(container, start.started_at)
        await self._validating.after_starts(started)

    async def _catch_up(self) -> None:
        """Update the containers that started behind what was pushed."""
        now = self._upkeep.clock.now()
        groups: dict[tuple[str, str], tuple[KnownPush, list[Container]]] = {}
        for place, due in list(self._upkeep.due.items()):
            if due.at > now:
                continue
            container = self._inventory.named(*place)
            insist = due.tries > 0
            found = self._upkeep.missed(container, insist=insist) if container else None
            if container is None or found is None:
                del self._upkeep.due[place]
                if container is not None and due.container_id == container.id:
                    self._attend(container, due.started_at or now)
                continue
            allowed = may_catch_up_at(self._upkeep.of(container), now)
            if allowed > now:
                self._upkeep.due[place] = replace(due, at=allowed)
            elif self._is_occupied(container.project):
                self._upkeep.due[place] = replace(due, at=now + _BUSY)
            else:
                push, group = groups.setdefault((container.project, found.id), (found, []))
                group.append(container)
        for push, containers in groups.values():
            await self._update(push, containers, now)

    def _is_occupied(self, project: str) -> bool:
        """Whether a project still has to do with an update that nobody pushed or asked for."""
        return any(
            step.project == project
            and step.action is Action.update
            and step.trigger in {Trigger.schedule, Trigger.catch_up}
            for step in self._dispatcher.open_steps
        )

    async def _update(
        self, push: KnownPush, containers: list[Container], now: datetime
    ) -> None:
        after = (push.after or "")[:12]
        whys = {self._upkeep.due[one.engine, one.name].why for one in containers}
        await self._intake.begin(
            Trigger.catch_up,
            Action.update,
            containers,
            requested_by=BY,
            reason=f"{names(containers)} {' or '.join(sorted(whys))} {after}",
            push=push,
        )
        for container in containers:
            due = self._upkeep.due.pop((container.engine, container.name))
            self._upkeep.tried(container, due)
            self._upkeep.put(caught_up(self._upkeep.of(container), now))
            if due.started_at is not None and due.container_id == container.id:
                self._attend(container, due.started_at)

    async def _at_intervals(self) -> None:
        """Begin the updates that come at intervals."""
        now = self._upkeep.clock.now()
        for name, project in self._settings.config.projects.items():
            if project.every is None:
                continue
            last = self._intervals.get(name)
            if last is None:
                await self._begun(name, now)
            elif next_due(last.at, project.every, now) <= now:
                await self._interval(name, now)

    async def _interval(self, project: str, now: datetime) -> None:
        if not self._intake.is_settled or self._is_occupied(project):
            return
        containers = [
            one
            for one in self._inventory
            if one.project == project
            and Action.update in one.methods
            and (one.engine, one.id) not in self._upkeep.throwaway
            and not self._upkeep.is_blocked(one)
        ]
        if containers:
            await self._intake.begin(
                Trigger.schedule,
                Action.update,
                containers,
                requested_by=BY,
                reason=f"every update of {project}",
            )
        await self._begun(project, now)

    async def _begun(self, project: str, now: datetime) -> None:
        interval = Interval(project=project, at=now)
        self._intervals[project] = interval
        await self._store.save(Changes(intervals=(interval,)))
