"""One engine's containers: list, then watch, and list again whenever something may be missed.

Events are best effort, so every one only names a container to look at again; the listing is
the truth. Images are asked for their metadata once, and remembered.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.store import Changes, Store
from hookrunner.config import Discover
from hookrunner.core import commands, metadata
from hookrunner.core.inventory import Inventory
from hookrunner.core.packages import Package
from hookrunner.errors import EngineUnavailableError, HookrunnerError
from hookrunner.gate import table
from hookrunner.model import Container
from hookrunner.service.images import Images
from hookrunner.service.metrics import Metrics
from hookrunner.service.served import first_of
from hookrunner.service.settings import Settings

log = structlog.get_logger()

_RELIST = 60.0
"""Seconds after which everything is listed again: what an event that got lost may cost."""
_BELATED = 0.5
"""Seconds after an event until its container is looked at once more: dockerd tells of a pause
before it lists it (daemon/pause.go logs the event, then updates what lists read)."""
_BACKOFF = (0.2, 2.5)
"""Seconds before the first and the last of repeated tries to reach the engine: what there is
is to be known 5 s after its return."""
_PATIENCE = 30.0
"""Seconds that a push waits for containers whose metadata is being asked."""
_ASK_TIMEOUT = 10.0
"""Seconds that `container --gitref` may take."""
_ASKED_AT_ONCE = 4
"""Execs at once: dockerd slows down from about sixteen on, and updates come first."""


class Watcher:
    """Keeps the inventory of one engine.

    Args:
        on_change: Called when a container or the engine's state changed.

    Attributes:
        is_connected: The engine answers, and its containers are known.
        error: Why the engine does not answer, or None.
        images: What is known of its images.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        settings: Settings,
        inventory: Inventory,
        store: Store,
        on_change: Callable[[], None],
        group: asyncio.TaskGroup,
        metrics: Metrics,
    ) -> None:
        self.engine = engine
        self.is_connected = False
        self.error: str | None = None
        self._settings = settings
        self._inventory = inventory
        self._store = store
        self._on_change = on_change
        self._group = group
        self._metrics = metrics
        self.images = Images(engine, store, settings)
        self._stale: set[str] = set()
        self._started: set[str] = set()
        self._look = asyncio.Event()
        self._looking: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._asking: set[str] = set()
        self._others: dict[str, Container] = {}
        self._slots = asyncio.Semaphore(_ASKED_AT_ONCE)

    @property
    def is_settled(self) -> bool:
        """The containers were listed, and none is still being asked for its metadata.

        One that takes longer than 30 s does not count any more.
        """
        if self.engine.name not in self._inventory.engines:
            return False
        now = asyncio.get_running_loop().time()
        return all(now - since > _PATIENCE for since in self._looking.values())

    @property
    def others(self) -> list[Container]:
        """The running containers that no metadata tells anything about, or that are hidden."""
        return list(self._others.values())

    def take_started(self) -> set[str]:
        """The ids of the containers that started since this was last asked."""
        found, self._started = self._started, set()
        return found

    def is_asking(self, container: Container) -> bool:
        """Whether a container is just being asked what it serves."""
        return container.id in self._asking

    async def packages(self, container: Container) -> list[Package]:
        """The packages that a container's image has.

        Raises:
            HookrunnerError: It cannot tell; the message says why.
        """
        async with self._slots:
            return await self.images.packages(container)

    def relearn(self) -> None:
        """Find out anew what each container is: the configuration says something else now.

        Until that is known they are what they were, and pushes wait for it.
        """
        now = asyncio.get_running_loop().time()
        hidden = {c.id for c in self._others.values() if metadata.is_hidden(c.labels)}
        for container in [*self._inventory.on(self.engine.name), *self._others.values()]:
            if container.id not in hidden and container.id not in self._looking:
                self._looking[container.id] = now
                self._group.create_task(self._learn(container), name=f"learn {container.name}")

    def forget(self) -> None:
        """Let go of all containers: the engine is watched no more."""
        for container in self._inventory.on(self.engine.name):
            self._inventory.remove(self.engine.name, container.id)
        self._inventory.engines.discard(self.engine.name)
        self._looking.clear()
        self._on_change()

    async def look_at(self, container_id: str) -> None:
        """Look at a container now, without waiting for an event."""
        if self.is_connected:
            with contextlib.suppress(EngineUnavailableError):  # the watch sees it too
                await self._list_or_log([container_id])

    async def run(self) -> None:
        """Watch for ever."""
        delay = _BACKOFF[0]
        await self.images.load()
        while True:
            try:
                await self._watch()
            except HookrunnerError as error:
                if self.error is None:
                    self._metrics.lost(self.engine.name)
                    log.warning("engine away", engine=self.engine.name, error=str(error))
                delay = _BACKOFF[0] if self.is_connected else min(delay * 2, _BACKOFF[1])
                self.is_connected = False
                self.error = str(error)
                self._on_change()
            await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def _watch(self) -> None:
        """Connect, list, and follow events until they end."""
        await self.engine.ping()
        lost: list[EngineUnavailableError] = []
        watchdog = asyncio.timeout(None)
        try:
            async with watchdog, self.engine.events() as events:
                self._stale.clear()
                self.images.forget()  # they may have started anew
                await self._list()
                look = self._group.create_task(
                    self._keep_looking(watchdog, lost), name=f"{self.engine.name} looks"
                )
                try:
                    later = asyncio.get_running_loop().call_later
                    async for event in events:
                        self._metrics.told(self.engine.name)
                        if event.action == "start":
                            self._started.add(event.container_id)
                        self._mark(event.container_id)
                        later(_BELATED, self._mark, event.container_id)
                finally:
                    look.cancel()
        except TimeoutError:
            if not watchdog.expired():
                raise
            raise lost[0] from None

    def _mark(self, container_id: str) -> None:
        """Have a container looked at."""
        self._stale.add(container_id)
        self._look.set()

    async def _keep_looking(
        self, watchdog: asyncio.Timeout, lost: list[EngineUnavailableError]
    ) -> None:
        """Look at the containers that events named, and at all of them now and then.

        Args:
            watchdog: Ends the watch where the engine does not answer any more: the events of
                one that vanished from the network never end by themselves.
            lost: Takes the reason.
        """
        clock = asyncio.get_running_loop().time
        relist = clock() + _RELIST
        while True:
            try:
                async with asyncio.timeout_at(relist):
                    await self._look.wait()
            except TimeoutError:
                relist = clock() + _RELIST
                self._stale.clear()
            self._look.clear()
            ids = list(self._stale)
            self._stale.clear()
            try:
                await self._list_or_log(ids)
            except EngineUnavailableError as error:
                lost.append(error)
                watchdog.reschedule(clock())
                return

    async def _list_or_log(self, ids: list[str]) -> None:
        try:
            await self._list(ids)
        except EngineUnavailableError:
            raise
        except HookrunnerError as error:
            log.warning("cannot list", engine=self.engine.name, error=str(error))
            self._stale.update(ids)

    async def _list(self, ids: list[str] | None = None) -> None:
        """Take what the engine says of some containers, or of all."""
        found = {
            container.id: container
            for container in await self.engine.list_containers(ids or [])
        }
        name = self.engine.name
        known = {container.id for container in self._inventory.on(name)}
        asked = self._looking.keys() | self._refused.keys()
        looked_at = set(ids) if ids else known | self._others.keys() | asked
        changed = [self._lose(gone) for gone in looked_at - set(found)]
        changed += [self._see(container) for container in found.values()]
        if not ids:
            self._inventory.engines.add(name)
            if not self.is_connected:
                log.info("engine listed", engine=name, containers=len(found))
            self.is_connected = True
            self.error = None
        if not ids or any(changed):
            self._on_change()

    def _lose(self, container_id: str) -> bool:
        """Forget a container that does not run any more; tell whether it was known."""
        self.images.forget(container_id)
        found = [
            self._inventory.remove(self.engine.name, container_id),
            self._others.pop(container_id, None),
            self._looking.pop(container_id, None),
            self._refused.pop(container_id, None),
        ]
        return any(one is not None for one in found)

    def _see(self, container: Container) -> bool:
        """Take one container as it is listed; tell whether it was known as another."""
        known = self._inventory.get(container.engine, container.id)
        if known is not None:
            seen = replace(
                known, name=container.name, state=container.state, health=container.health
            )
            if seen != known:
                self._inventory.put(seen)
                return True
        elif container.id in self._others or container.id in self._looking:
            pass
        elif metadata.is_hidden(container.labels):
            self._others[container.id] = container
        else:
            now = asyncio.get_running_loop().time()
            self._looking[container.id] = self._refused.get(container.id, now)
            self._group.create_task(self._learn(container), name=f"learn {container.name}")
        return False

    async def _learn(self, container: Container) -> None:
        """Find out what a container is; then what it serves."""
        may_ask = self._settings.config.discover is Discover.all or metadata.is_labelled(
            container.labels
        )
        try:
            async with self._slots:
                known = await self.images.describe(container, may_ask=may_ask)
        except HookrunnerError as error:
            log.warning("cannot examine", container=container.name, error=str(error))
            since = self._looking.pop(container.id, None)
            if since is not None:  # nobody waits for it again when it is asked again
                self._refused[container.id] = since
            self._on_change()
            return
        self._refused.pop(container.id, None)
        if self._looking.pop(container.id, None) is None:
            return
        told = known.metadata
        self._others.pop(container.id, None)
        if told is None or not (told.keys or told.problems):
            self._inventory.remove(container.engine, container.id)
            self._others[container.id] = known
            self._on_change()
            return
        state = self._inventory.states.get((container.engine, container.name))
        if state is not None and state.container_id == container.id:
            known = replace(
                known,
                current_gitref=state.gitref,
                gitrefs=state.gitrefs,
                dirty=state.dirty,
                validity=state.validity,
                monitored=state.monitored,
            )
        else:
            known = replace(known, current_gitref=known.gitref)
            if known.methods:
                self._asking.add(known.id)
                self._group.create_task(self._ask_gitref(known), name=f"ask {known.name}")
        self._inventory.put(known)
        self._on_change()

    async def _ask_gitref(self, container: Container) -> None:
        """Ask a container that was never seen which commit it serves."""
        feeds = self._inventory.feeds(container)
        gitrefs: dict[str, str] = {}
        gitref = None
        try:
            if feeds:
                for key in feeds:
                    told = await self._asked_gitref(container, key.path)
                    gitrefs |= {str(key): told} if told else {}
                gitref = first_of([str(key) for key in feeds], gitrefs)
            else:
                gitref = await self._asked_gitref(container, None)
        except HookrunnerError as error:
            log.info("gitref not known", container=container.name, error=str(error))
        finally:
            self._asking.discard(container.id)
        known = self._inventory.get(container.engine, container.id)
        if known is not None and gitref is not None:
            await self._keep(replace(known, current_gitref=gitref, gitrefs=gitrefs))
        self._on_change()

    async def _asked_gitref(self, container: Container, repository: str | None) -> str | None:
        """What `container --gitref` says.

        Args:
            repository: Of which of several repositories, by its path.
        """
        project = self._settings.project_of(container)
        if not (project.gitref or await self.images.has_program(container)):
            return None
        command = table.gitref(project)
        async with self._slots:
            code, text = await self.engine.run(
                container.id,
                command.argv,
                environment=commands.repository_environment(repository),
                user=command.user,
                timeout=_ASK_TIMEOUT,
            )
        said = text.decode("utf-8", "replace").strip()
        return said if code == 0 and commands.is_gitref(said) else None

    async def _keep(self, container: Container) -> None:
        state = self._inventory.remember(container)
        try:
            await self._store.save(Changes(containers=(state,)))
        except HookrunnerError as error:
            log.warning("cannot record", container=container.name, error=str(error))
