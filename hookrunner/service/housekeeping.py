"""Let go of what is over and past its time, bit by bit, while everything else goes on."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from msgspec import Struct

from hookrunner.adapters.spool import Spool
from hookrunner.adapters.store import Store
from hookrunner.adapters.store.pruning import AT_ONCE
from hookrunner.core.history import KEPT_PER_REF
from hookrunner.core.retention import Kept, expired
from hookrunner.errors import HookrunnerError
from hookrunner.service.settings import Settings

log = structlog.get_logger()

_EVERY = 600.0
"""Seconds between rounds: what is past its time by as long does no harm."""
_PAUSE = 0.05
"""Seconds between transactions: each takes some 5 ms of the writer, so that pushes have most
of its time; a guess."""


class Round(Struct, frozen=True, kw_only=True):
    """What a round left, and took.

    Attributes:
        runs: How many runs there are that are not routine.
        output: Bytes of all output.
        free: Bytes of the database that are free, and not given back yet.
    """

    at: datetime
    runs: int
    output: int
    free: int
    removed_runs: int
    removed_deliveries: int


class Housekeeping:
    """Prunes the store and the output.

    Attributes:
        last: The last round that went through, or None.
    """

    def __init__(self, *, settings: Settings, store: Store, spool: Spool) -> None:
        self._settings = settings
        self._store = store
        self._spool = spool
        self.last: Round | None = None

    async def run(self) -> None:
        """Prune for ever."""
        while True:
            try:
                self.last = await self.tidy()
            except HookrunnerError as error:
                log.warning("cannot remove what is old", error=str(error), hint=error.hint)
            await asyncio.sleep(_EVERY)

    async def tidy(self) -> Round:
        """Take out all that is past its time.

        Raises:
            StoreError: The store cannot be changed now; what went is gone.
        """
        bounds, now, pruning = self._settings.config.retention, _now(), self._store.pruning
        sizes = await asyncio.to_thread(self._spool.sizes)
        kept = Kept(runs=await pruning.runs(), size=sum(sizes.values()))
        began_with = kept.runs
        above = ""
        while runs := await pruning.oldest_runs(above):
            above = runs[-1].id
            gone, kept = expired(runs, kept, bounds, sizes=sizes, now=now)
            if gone:
                await pruning.remove_runs(gone)
                await self._remove_output(gone)
            if len(gone) < sum(not run.is_needed for run in runs):
                break
            await _pace()
        await self._remove_routine(now - timedelta(seconds=bounds.validations))
        deliveries = await pruning.remove_deliveries(
            before=now - timedelta(seconds=bounds.age), most=bounds.runs, pace=_pace
        )
        while await pruning.remove_pushes(KEPT_PER_REF):
            await _pace()
        while await pruning.remove_uses(now - timedelta(seconds=bounds.audit)):
            await _pace()
        await pruning.remove_sessions(now)
        # What a crash left between the two: the run is gone, and its output is not.
        ids = list(sizes)
        for start in range(0, len(ids), AT_ONCE):
            await self._remove_output(await pruning.unknown_runs(ids[start : start + AT_ONCE]))
            await asyncio.sleep(0)
        free = before = await pruning.give_back()
        while free and (free := await pruning.give_back()) < before:
            before = free
            await _pace()
        done = Round(
            at=now,
            runs=kept.runs,
            output=kept.size,
            free=free,
            removed_runs=began_with - kept.runs,
            removed_deliveries=deliveries,
        )
        if done.removed_runs or deliveries:
            log.info("old runs removed", runs=done.removed_runs, deliveries=deliveries)
        return done

    async def _remove_routine(self, before: datetime) -> None:
        """Take out validations that nobody asked for, and that did not fail."""
        pruning = self._store.pruning
        while (ids := await pruning.old_routine_runs(before)) and await pruning.remove_runs(
            ids
        ):
            await self._remove_output(ids)
            await _pace()

    async def _remove_output(self, runs: list[str]) -> None:
        def remove() -> None:
            for run in runs:
                self._spool.remove(run)

        if runs:
            await asyncio.to_thread(remove)


async def _pace() -> None:
    await asyncio.sleep(_PAUSE)


def _now() -> datetime:
    return datetime.now(UTC)
