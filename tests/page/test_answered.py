"""Who is answered that something is done finds it on the disk, also after a crash."""

from datetime import UTC, datetime, timedelta

import pytest
from browsing import Printer, live_run
from msgspec.structs import replace

from hookrunner.adapters.store import Changes
from hookrunner.model import Status

pytestmark = pytest.mark.process  # a server each: a third of a second


async def waiting(world):
    """A run whose only step tries again in an hour, taken up and recorded."""
    run, step = live_run(world.container("bind-1"))
    later = datetime.now(UTC) + timedelta(hours=1)
    run = replace(run, status=Status.queued)
    step = replace(step, status=Status.queued, started_at=None, not_before=later)
    await world.services.store.save(Changes(runs=(run,), steps=(step,)))
    world.services.dispatcher.submit(run, [step])
    return run


async def running(world):
    """A run whose only step is at work."""
    run, step = live_run(world.container("bind-1"))
    await Printer(world, run, step).begin()
    return run


async def on_disk(world, run):
    _, [step] = await world.services.store.run(run.id)
    return step


async def ask(world, way, run, action):
    if way == "api":
        return (await world.ask("POST", f"/api/v1/runs/{run.id}/{action}"))[0]
    headers = {"Cookie": await world.cookie(), "Origin": world.url}
    path = f"/runs/{run.id}/{action}"
    return (await world.ask("POST", path, scope=None, headers=headers))[0]


@pytest.mark.parametrize(("way", "answer"), [("api", 202), ("page", 303)])
async def test_a_cancel_that_was_answered_is_on_the_disk(world, way, answer):
    run = await running(world)
    assert (await on_disk(world, run)).ending is None

    status = await ask(world, way, run, "cancel")

    step = await on_disk(world, run)
    assert status == answer
    assert step.ending == (Status.cancelled, "cancelled by token admin")


@pytest.mark.parametrize(("way", "answer"), [("api", 202), ("page", 303)])
async def test_a_retry_that_was_answered_is_on_the_disk(world, way, answer):
    run = await waiting(world)
    before = (await on_disk(world, run)).not_before

    status = await ask(world, way, run, "retry")

    after = (await on_disk(world, run)).not_before
    assert status == answer
    assert after is None or after < before
