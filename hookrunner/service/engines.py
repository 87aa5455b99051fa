"""The engines, each with its watcher; they come and go with the configuration."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.store import Store
from hookrunner.core.inventory import Inventory
from hookrunner.service.metrics import Metrics
from hookrunner.service.settings import Settings
from hookrunner.service.watcher import Watcher

_STREAMS = 64
"""Output streams of one engine that may be open at once: the most that `max_parallel` can be,
which may grow while the engine stays."""


class Engines:
    """Connects engines and has them watched.

    Args:
        stack: Keeps the connections until the program ends: a step that runs on an engine
            which was taken out of the configuration still needs its own.
        on_change: Called when a container or an engine's state changed.

    Attributes:
        watchers: By the engine's name; it is always the same dictionary.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        inventory: Inventory,
        store: Store,
        stack: AsyncExitStack,
        group: asyncio.TaskGroup,
        on_change: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self.watchers: dict[str, Watcher] = {}
        self._urls: dict[str, str] = {}
        self._settings = settings
        self._inventory = inventory
        self._store = store
        self._stack = stack
        self._group = group
        self._on_change = on_change
        self._metrics = metrics
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def prepare(self, engines: Mapping[str, str]) -> list[Engine]:
        """Connect those that are new, or elsewhere than before; nothing changes yet.

        Raises:
            EngineError: An address is wrong, or what it needs is not installed.
        """
        async with AsyncExitStack() as opened:
            made = [
                await opened.enter_async_context(Engine.connect(name, url, streams=_STREAMS))
                for name, url in engines.items()
                if self._urls.get(name) != url
            ]
            self._stack.push_async_exit(opened.pop_all())
        return made

    def change(self, engines: Mapping[str, str], made: list[Engine]) -> None:
        """Take up what `prepare` made, and forget the containers of all that is gone."""
        for name in [one for one, url in self._urls.items() if engines.get(one) != url]:
            if name in self._tasks:
                self._tasks.pop(name).cancel()
            self.watchers.pop(name).forget()
        for engine in made:
            self.watchers[engine.name] = Watcher(
                engine,
                settings=self._settings,
                inventory=self._inventory,
                store=self._store,
                on_change=self._on_change,
                group=self._group,
                metrics=self._metrics,
            )
        self._urls = dict(engines)

    def watch(self) -> None:
        """Watch every engine that is not watched yet."""
        for name, watcher in self.watchers.items():
            if name not in self._tasks:
                self._tasks[name] = self._group.create_task(watcher.run(), name=f"watch {name}")

    def relearn(self) -> None:
        """Find out anew what every container is."""
        for watcher in self.watchers.values():
            watcher.relearn()
