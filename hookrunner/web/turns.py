"""One at a time, and who is small does not wait for all who are large."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_RATE = 5 * 2**20
"""Bytes that a second of waiting makes up for: the largest body goes before others that came
5 s after it, and a usual one before all large ones of the last 5 s. Forges wait for 10 s."""


class Turns:
    """Gives turns, in the order of arrival but for what somebody's size adds to it."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._is_taken = False

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Wait for a turn, and have it until the context is left.

        Args:
            size: Bytes that it is about.
        """
        if self._is_taken:
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            self._count += 1
            heapq.heappush(self._waiting, (loop.time() + size / _RATE, self._count, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._pass_on()
                raise
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False
