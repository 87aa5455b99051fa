"""Servers that know what a test puts into them, and a browser."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from browsing import Reader, start_browser
from world import opened

from hookrunner.model import Outcome, Phase, Status


@pytest.fixture
async def make_world(tmp_path):
    """A function: start a server; it stops when the test ends.

    Each lives in a task of its own: fixtures start and end in different ones, and a task
    group ends in its own alone.
    """
    loop, over, tasks = asyncio.get_running_loop(), asyncio.Event(), []

    async def hold(more, started):
        async with opened(tmp_path, more) as world:
            started.set_result(world)
            await over.wait()

    async def make(more=""):
        started = loop.create_future()
        tasks.append(loop.create_task(hold(more, started)))
        await asyncio.wait([tasks[-1], started], return_when=asyncio.FIRST_COMPLETED)
        return started.result() if started.done() else tasks[-1].result()

    yield make
    over.set()
    await asyncio.gather(*tasks)


@pytest.fixture
async def world(make_world):
    """A running server that knows nothing yet."""
    return await make_world()


@pytest.fixture
async def busy(world):
    """A running server that knows some of everything."""
    bind, second = world.container("bind-1"), world.container("bind-2")
    mail = world.container("mail-1", "mail")
    phases = (
        Phase(title="Fetching", started_at=datetime.now(UTC), seconds=0.5),
        Phase(title="Reloading", started_at=datetime.now(UTC), seconds=1.5),
    )
    run, _ = await world.run(
        bind, second, output=b">> Fetching\nfine\n>> Reloading\nok\n", step={"phases": phases}
    )
    failed = {
        "status": Status.failed,
        "outcome": Outcome.invalid,
        "exit_code": 65,
        "reason": "the new revision did not validate",
    }
    await world.run(mail, status=Status.failed, step=failed, output=b"no\n")
    verdicts = [world.verdict(bind), world.verdict(second)]
    earlier = datetime.now(UTC) - timedelta(minutes=1)
    await world.delivery(world.receipt(run=run.id, verdicts=verdicts), received_at=earlier)
    no = world.verdict(mail, target=False, reason="it follows main", remedy="set its branch")
    await world.delivery(world.receipt(ignored="nothing fits", verdicts=[no]))
    return world


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser without a window."""
    made = start_browser(tmp_path_factory.mktemp("browser"))
    yield made
    made.quit()


@pytest.fixture
async def reader(browser, world):
    """Somebody who signed in."""
    made = Reader(browser, world.url)
    await made.sign_in()
    await made.complaints()
    return made
