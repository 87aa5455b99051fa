"""A store with very many runs: those that a server really recorded, again and again."""

import asyncio
import itertools
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from hookrunner.adapters.store import Changes, RunQuery, Store
from hookrunner.model import Delivery, Run, Step
from hookrunner.units import new_id

_BATCH = 2000
_APART = timedelta(minutes=1)


def multiply(state: Path, count: int) -> None:
    """Put older runs below those that are there, a minute apart, with steps and deliveries.

    Args:
        state: A state directory that no server uses, with some finished runs of pushes.
        count: How many more.
    """
    asyncio.run(_multiply(state, count))


async def _multiply(state: Path, count: int) -> None:
    async with Store.open(state) as store:
        patterns: list[tuple[Delivery, Run, Step]] = []
        for run, [step, *_] in await store.runs(RunQuery(limit=100)):
            delivery = await store.delivery(run.delivery or "")
            if delivery is not None:
                patterns.append((delivery, run, step))
        pattern = itertools.cycle(patterns)
        at = min(run.created_at for _, run, _ in patterns)
        for begin in range(0, count, _BATCH):
            made = [
                _copy(*next(pattern), at=at - _APART * number)
                for number in range(begin + 1, min(begin + _BATCH, count) + 1)
            ]
            deliveries, runs, steps = zip(*made, strict=True)
            await store.save(Changes(deliveries=deliveries, runs=runs, steps=steps))


def _copy(
    delivery: Delivery, run: Run, step: Step, *, at: datetime
) -> tuple[Delivery, Run, Step]:
    """The same, as if it had happened then."""
    shift = at - run.created_at
    ids = {delivery.id: new_id(at), run.id: new_id(at)}
    [receipt] = delivery.pushes
    return (
        replace(
            delivery,
            id=ids[delivery.id],
            received_at=at,
            body_hash=ids[delivery.id],
            sender_id=ids[delivery.id],
            pushes=(replace(receipt, run=ids[run.id]),),
        ),
        replace(
            run,
            id=ids[run.id],
            delivery=ids[delivery.id],
            created_at=at,
            finished_at=at + ((run.finished_at or run.created_at) - run.created_at),
        ),
        replace(
            step,
            id=new_id(at),
            run=ids[run.id],
            created_at=step.created_at + shift,
            started_at=step.started_at and step.started_at + shift,
            finished_at=step.finished_at and step.finished_at + shift,
        ),
    )
