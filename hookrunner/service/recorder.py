"""What the dispatcher changed, on its way to the store: newest state wins, nothing is lost.

The dispatcher decides in memory and goes on. What nobody waits for is written a moment later,
with what comes meanwhile, so that it takes no sync of the disk from pushes that are being
accepted. Whoever must know that a change is on the disk waits for `flush`.
While nothing can be written, changes wait here and are tried again.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

import structlog

from hookrunner.adapters.store import Changes, Store
from hookrunner.core.history import ContainerState
from hookrunner.core.upkeep import Attended
from hookrunner.errors import StoreError
from hookrunner.model import Run, Step

log = structlog.get_logger()
K = TypeVar("K")
V = TypeVar("V")

_MOMENT = 0.05
"""Seconds that a change waits for others: two or three syncs of the disk. Long enough that
pushes, each of which supersedes one, share them, and shorter than anybody looks again; a
guess."""
_SETTLING = 5.0
"""Seconds that who cancels something waits for the record of it. A guess."""
_RETRY = 1.0
"""Seconds between tries while the store fails; space on a disk returns by a person's hand."""


class Recorder:
    """Collects changes and writes them, many in one transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs: dict[str, Run] = {}
        self._steps: dict[str, Step] = {}
        self._containers: dict[tuple[str, str], ContainerState] = {}
        self._attended: dict[tuple[str, str], Attended] = {}
        self._wake = asyncio.Event()
        self._moment: asyncio.TimerHandle | None = None
        self._after: list[Callable[[], None]] = []

    def put(
        self,
        *,
        runs: Iterable[Run] = (),
        steps: Iterable[Step] = (),
        containers: Iterable[ContainerState] = (),
        attended: Iterable[Attended] = (),
    ) -> None:
        """Record these in a moment."""
        self._runs |= {run.id: run for run in runs}
        self._steps |= {step.id: step for step in steps}
        self._containers |= {(c.engine, c.container): c for c in containers}
        self._attended |= {(one.engine, one.container): one for one in attended}
        self._write_later()

    def _write_later(self) -> None:
        if self._moment is None:
            self._moment = asyncio.get_running_loop().call_later(_MOMENT, self.hurry)

    def hurry(self) -> None:
        """Write now what was put so far."""
        if self._moment is not None:
            self._moment.cancel()
            self._moment = None
        self._wake.set()

    def then(self, do: Callable[[], None]) -> None:
        """Do something once all that was put so far is on the disk."""
        self._after.append(do)
        self._write_later()

    async def flush(self) -> None:
        """Have all that was put so far written now, and wait until it is on the disk."""
        written = asyncio.Event()
        self.then(written.set)
        self.hurry()
        await written.wait()

    async def settle(self) -> None:
        """As `flush`, but for a few seconds at most.

        What somebody stops is stopped also while the disk is full, and they are answered.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_SETTLING):
                await self.flush()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            after, self._after = self._after, []
            await self._write()
            for do in after:
                do()

    async def _write(self) -> None:
        while self._runs or self._steps or self._containers or self._attended:
            changes = Changes(
                runs=tuple(self._runs.values()),
                steps=tuple(self._steps.values()),
                containers=tuple(self._containers.values()),
                attended=tuple(self._attended.values()),
            )
            try:
                await self._store.save(changes)
            except StoreError as error:
                log.error("cannot record", error=str(error), hint=error.hint)  # noqa: TRY400
                await asyncio.sleep(_RETRY)
                continue
            _drop(self._runs, {run.id: run for run in changes.runs})
            _drop(self._steps, {step.id: step for step in changes.steps})
            _drop(self._containers, {(c.engine, c.container): c for c in changes.containers})
            _drop(self._attended, {(c.engine, c.container): c for c in changes.attended})
            break  # what came meanwhile has its own moment


def _drop(waiting: dict[K, V], written: dict[K, V]) -> None:
    """Take out what was written and did not change meanwhile."""
    for key, value in written.items():
        if waiting.get(key) is value:
            del waiting[key]
