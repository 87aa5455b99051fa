"""Everything that changes, in order, for any number of readers; nobody waits for one.

The newest changes are kept. A reader that is too slow, or comes back too late, is told that
some were missed, and looks at the whole again.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from hookrunner.model import Container, Delivery, Run, Step

_KEPT = 4096
"""Changes that are kept: a reader may be away for a minute of a hundred pushes a second, with
some steps each; a guess."""


class RunChange(msgspec.Struct, frozen=True):
    """A run has another status, or is new; with its steps as they were then."""

    run: Run
    steps: Sequence[Step]


class Moved(msgspec.Struct, frozen=True):
    """A container may be another: it started, stopped, or something was pushed for it."""


class StateChanged(msgspec.Struct, frozen=True):
    """A container says that it is otherwise than it said before."""

    container: Container


Change = Delivery | RunChange | Step | Moved | StateChanged


class Missed(msgspec.Struct, frozen=True):
    """Changes that are not kept any more."""


class Feed:
    """The newest changes.

    Attributes:
        era: Names this process: positions of another one mean nothing here.
        position: Of the newest change; grows by one with each.
        observers: Called with each change at once, so that they miss none; they must be
            quick, and never fail.
    """

    def __init__(self) -> None:
        self.era = secrets.token_hex(4)
        self.position = 0
        self.observers: list[Callable[[Change], None]] = []
        self._kept: deque[Change] = deque(maxlen=_KEPT)
        self._waiting: list[asyncio.Future[None]] = []

    def tell(self, *changes: Change) -> None:
        """Add changes, and wake all readers."""
        self._kept.extend(changes)
        self.position += len(changes)
        for observe in self.observers:
            for change in changes:
                observe(change)
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    def since(self, position: int) -> Sequence[Change | Missed]:
        """The changes behind a position, the oldest first."""
        count = self.position - position
        if count <= 0:
            return []
        if count > len(self._kept):
            return [Missed()]
        return list(self._kept)[-count:]

    async def wait(self, beyond: int) -> None:
        """Wait until there is a change behind a position."""
        if self.position <= beyond:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
