"""The sign of life that systemd waits for, given only while the work can go on."""

import asyncio
from collections.abc import Callable, Iterable

from hookrunner.adapters.store import Store
from hookrunner.errors import StoreError
from hookrunner.service.watcher import Watcher

_PER_INTERVAL = 3
"""Signs in systemd's interval: one may come late, and one be lost. A guess."""


class Pulse:
    """Tells systemd at intervals that the program lives, and in words how it is.

    Each sign is given by the event loop, after the store has written something: a loop that
    hangs, or a store that does, gives none, and systemd starts the program anew. A store that
    *says* that it cannot write is alive, and so is a program whose engine is away: starting
    it again would mend neither.

    Args:
        notify: Sends lines to systemd.
        listening: What the status begins with.
        interval: Seconds after which systemd takes the program for dead.
    """

    def __init__(
        self,
        store: Store,
        watchers: Iterable[Watcher],
        *,
        notify: Callable[..., None],
        listening: str,
        interval: float,
    ) -> None:
        self._store = store
        self._watchers = list(watchers)
        self._notify = notify
        self._listening = listening
        self._interval = interval

    async def run(self) -> None:
        """Give signs for ever."""
        while True:
            troubles = [
                f"engine {watcher.engine.name} is away"
                for watcher in self._watchers
                if not watcher.is_connected
            ]
            try:
                await self._store.healthy()
            except StoreError as error:
                troubles.append(str(error))
            self._notify("WATCHDOG=1", f"STATUS={'; '.join([self._listening, *troubles])}")
            await asyncio.sleep(self._interval / _PER_INTERVAL)
