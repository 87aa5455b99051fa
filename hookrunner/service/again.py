"""Once more, because a person asks: a run that failed, or a delivery as if it came again."""

import asyncio
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from hookrunner.adapters.store import Changes, Store
from hookrunner.core.outcome import run_status
from hookrunner.core.planning import try_again
from hookrunner.errors import ConflictError
from hookrunner.model import Decoded, Delivery, Run, Step
from hookrunner.service.arrivals import Earlier, Proof
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.intake import Intake
from hookrunner.service.settings import Settings

log = structlog.get_logger()


class Again:
    """Does once more what was recorded."""

    def __init__(
        self, store: Store, dispatcher: Dispatcher, intake: Intake, *, settings: Settings
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._intake = intake
        self._settings = settings
        self._lock = asyncio.Lock()

    async def retry(self, run_id: str, *, asked_by: str) -> None:
        """Let a run try again where it failed or was cancelled; a retry that waits goes now.

        Raises:
            ConflictError: It goes on, or there is nothing to try again.
            StoreError: It could not be recorded; nothing happens.
        """
        async with self._lock:  # two at once would make every step twice
            found = self._dispatcher.snapshot(run_id) or await self._store.run(run_id)
            if found is None:
                raise ConflictError(f"run {run_id} is not recorded any more")
            run, steps = found
            if run.finished_at is None:
                if not self._dispatcher.hurry(steps):
                    raise ConflictError(f"run {run_id} goes on: {run.status}")
                await self._dispatcher.recorded()
                return
            await self._reopen(run, steps, asked_by)

    async def _reopen(self, run: Run, steps: list[Step], asked_by: str) -> None:
        again = try_again(steps, asked_by=asked_by, now=datetime.now(UTC))
        if not again:
            raise ConflictError(
                f"nothing of run {run.id} failed: {run.status}",
                hint="to run it although nothing did: hookrunner update --force SELECTOR",
            )
        everything = [*steps, *again]
        run = replace(run, status=run_status(everything), finished_at=None)
        await self._store.save(Changes(runs=(run,), steps=tuple(again)))
        log.info("run tried again", run=run.id, by=asked_by, steps=len(again))
        self._dispatcher.submit(run, everything)

    async def replay(self, delivery: Delivery, *, asked_by: str) -> Delivery:
        """Take a delivery's pushes as if they came again now, whatever came of them before.

        The order of pushes stays: what was pushed later is newer than they are.

        Returns:
            The new delivery.

        Raises:
            ConflictError: There are no pushes in it, or its source is gone.
            StoreError: It could not be recorded; nothing happens.
        """
        if not delivery.pushes and delivery.repeats is not None:
            delivery = await self._store.delivery(delivery.repeats) or delivery
        if not delivery.pushes:
            raise ConflictError(f"delivery {delivery.id} has no pushes: {delivery.ignored}")
        if delivery.source not in self._settings.config.sources:
            raise ConflictError(f"no source {delivery.source} is configured any more")
        log.info("delivery replayed", delivery=delivery.id, by=asked_by)
        decoded = Decoded(
            forge=delivery.forge,
            event=delivery.event,
            sender_id=delivery.sender_id,
            pushes=tuple(receipt.push for receipt in delivery.pushes),
        )
        proof = Proof(
            source=delivery.source, secret=delivery.secret, body_hash=delivery.body_hash
        )
        return await self._intake.take(decoded, proof, Earlier(first=delivery))
