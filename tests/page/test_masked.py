"""What somebody wrote as a reason is shown without the secrets that are known."""

from datetime import UTC, datetime

import pytest
from browsing import live_run
from msgspec.structs import replace

from hookrunner.model import Metadata, Outcome, Status, Validity

pytestmark = pytest.mark.process  # a server each: a third of a second

SECRET = "a secret of the tests, long enough"
REASON = f"it cannot log in with {SECRET}"
SHOWN = f"it cannot log in with {'*' * len(SECRET)}"


async def test_what_is_wrong(world):
    failed = world.container("failed-1")
    ended = {"status": Status.failed, "outcome": Outcome.error, "reason": REASON}
    await world.run(failed, status=Status.failed, step=ended)
    at = datetime.now(UTC)
    world.container("invalid-1", validity=Validity(valid=False, since=at, at=at, reason=REASON))
    world.container("odd-1", metadata=Metadata(keys={"project": "odd"}, problems=(REASON,)))

    _, _, page = await world.page("/")

    assert page.count(SHOWN) == 3
    assert SECRET not in page


async def test_what_is_stuck(world):
    _, step = live_run(world.container())
    stuck = replace(step, status=Status.stuck, reason=REASON)
    world.services.dispatcher._stuck.add(stuck)

    _, _, told = await world.ask("GET", "/api/v1/health")

    assert [one["reason"] for one in told["stuck"]] == [SHOWN]


async def test_what_is_held_and_waits_for_it(world):
    run, step = live_run(world.container())
    waiting = replace(step, status=Status.queued, started_at=None)
    world.services.dispatcher.submit(run, [waiting])

    _, _, held = await world.ask(
        "POST", "/api/v1/holds", json={"project": "bind", "reason": REASON}
    )

    assert held["reason"] == SHOWN
    for path in ("/", f"/runs/{run.id}"):
        _, _, page = await world.page(path)
        assert SHOWN in page, path
        assert SECRET not in page, path
