"""Holds while the server runs: placed and released by people, recorded, looked up by others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from hookrunner.adapters.store import Store
from hookrunner.core.holds import Hold, Holds, covered, released_by
from hookrunner.core.inventory import Inventory, Place
from hookrunner.core.selection import Selector, find
from hookrunner.errors import UsageError
from hookrunner.model import Container, Step
from hookrunner.service.clock import Clock
from hookrunner.service.settings import Settings
from hookrunner.units import new_id

log = structlog.get_logger()


class Holding:
    """Keeps the holds.

    Args:
        holds: As they were recorded; those that are over do not count any more.
        on_change: Called when a hold came or went.
    """

    def __init__(
        self,
        *,
        store: Store,
        inventory: Inventory,
        settings: Settings,
        holds: Sequence[Hold],
        on_change: Callable[[], None],
    ) -> None:
        self._store = store
        self._inventory = inventory
        self._settings = settings
        self._on_change = on_change
        self._clock = Clock()
        self._holds = Holds(holds)
        self._places: Mapping[Place, Hold] = {}
        self._places_of: tuple[int, tuple[str, ...]] | None = None

    def __iter__(self) -> Iterator[Hold]:
        self._forget()
        return iter(self._holds)

    @property
    def next_end(self) -> datetime | None:
        """When the next hold ends by itself."""
        self._forget()
        return self._holds.next_end()

    def places(self) -> Mapping[Place, Hold]:
        """The running containers that are held, by engine and name."""
        seen = (self._inventory.version, tuple(hold.id for hold in self))
        if seen != self._places_of:
            self._places, self._places_of = self._holds.places(self.find), seen
        return self._places

    def of_step(self, step: Step) -> Hold | None:
        """The hold for which a step waits, or None."""
        places = self.places()
        return self._holds.of_step(step, places)

    def find(self, selector: Selector) -> list[Container]:
        """The running containers that a selector means."""
        return find(self._inventory, selector, self._settings.config.match.strip_prefixes)

    def covered(self, hold: Hold) -> list[Container]:
        """The running containers that a hold covers."""
        return covered(hold, self.find)

    async def place(
        self,
        selector: Selector,
        *,
        requested_by: str,
        scope: str,
        reason: str | None,
        seconds: float | None,
    ) -> Hold:
        """Hold what a selector means, once that is recorded.

        Args:
            scope: The pattern of the projects that the caller may touch.
            seconds: After which it ends by itself, or None.

        Raises:
            UsageError: The end is not in the future, or beyond the calendar's.
            StoreError: It could not be recorded; nothing is held.
        """
        now = self._clock.now()
        try:
            until = None if seconds is None else now + timedelta(seconds=seconds)
        except (OverflowError, ValueError) as error:
            raise UsageError(f"{seconds:g} s is beyond the end of the calendar") from error
        if until is not None and until <= now:
            raise UsageError("a hold ends in the future: give more than 0 seconds")
        hold = Hold(
            id=new_id(now),
            selector=selector,
            requested_by=requested_by,
            created_at=now,
            scope=scope,
            reason=reason,
            until=until,
        )
        await self._store.add_hold(hold)
        self._holds.put(hold)
        log.info("hold placed", hold=hold.id, selector=str(selector), by=requested_by)
        self._on_change()
        return hold

    async def release(self, selector: Selector, *, requested_by: str, scope: str) -> list[Hold]:
        """Let go of what a selector means.

        Returns:
            The holds that are no more.

        Raises:
            StoreError: It could not be recorded; all stays held.
        """
        found = released_by(selector, self, self.find, scope=scope)
        await self._end(found, requested_by)
        return found

    def may_release(self, hold: Hold, scope: str) -> bool:
        """Whether a caller for those projects may let go of all that a hold covers."""
        return bool(released_by(hold.selector, [hold], self.find, scope=scope))

    async def release_one(self, hold: Hold, *, requested_by: str) -> None:
        """Let go of what one hold covers, unless another covers it too.

        Raises:
            StoreError: It could not be recorded; all stays held.
        """
        await self._end([hold], requested_by)

    async def _end(self, holds: Sequence[Hold], requested_by: str) -> None:
        if not holds:
            return
        await self._store.remove_holds(hold.id for hold in holds)
        for hold in holds:
            self._holds.remove(hold.id)
            log.info(
                "hold released", hold=hold.id, selector=str(hold.selector), by=requested_by
            )
        self._on_change()

    def _forget(self) -> None:
        """Forget those that ended by themselves."""
        over = self._holds.over(self._clock.now())
        for hold in over:
            log.info("hold over", hold=hold.id, selector=str(hold.selector))
            self._holds.remove(hold.id)
        if over:
            self._on_change()
