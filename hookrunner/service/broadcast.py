"""Tell any number of readers that something moved, without ever waiting for one.

Nothing is queued for a reader: it learns that there is more, and reads the record at its own
pace.
"""

import asyncio
from collections import defaultdict


class Broadcast:
    """Topics that readers wait on, by name: a run's id.

    Attributes:
        count: How often any of them moved.
    """

    def __init__(self) -> None:
        self.count = 0
        self._versions: dict[str, int] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)

    def version(self, topic: str) -> int:
        """A number that grows whenever the topic moves."""
        return self._versions.get(topic, 0)

    def moved(self, topic: str) -> None:
        """Wake all who wait on a topic."""
        self.count += 1
        self._versions[topic] = self.version(topic) + 1
        for waiter in self._waiting.pop(topic, ()):
            if not waiter.done():
                waiter.set_result(None)

    def forget(self, topic: str) -> None:
        """Wake all who wait on a topic for the last time."""
        self.moved(topic)
        self._versions.pop(topic, None)

    async def wait(self, topic: str, *, beyond: int) -> None:
        """Wait until a topic moved since it had a version, or was moved for the last time."""
        if self.version(topic) == beyond:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting[topic].add(waiter)
            try:
                await waiter
            finally:
                if topic in self._waiting:
                    self._waiting[topic].discard(waiter)
