"""What is past its time goes from the store and the disk, and what is needed stays."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hookrunner.adapters.spool import Spool
from hookrunner.adapters.store import Changes, DeliveryQuery, RunQuery, Store, UseQuery
from hookrunner.config import Config, Retention
from hookrunner.core.tokens import Use
from hookrunner.model import Action, Chunk, PushReceipt, Status, Stream, Trigger
from hookrunner.service import housekeeping
from hookrunner.service.housekeeping import Housekeeping
from hookrunner.service.settings import Settings

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OLD = NOW - 200 * DAY


@pytest.fixture
def tidied(tmp_path, monkeypatch):
    """A function: prune with these bounds, without a pause."""
    monkeypatch.setattr(housekeeping, "_PAUSE", 0.0)

    async def tidy(store, **bounds):
        settings = Settings(Config(retention=Retention(**bounds)), {})
        spool = Spool(tmp_path / "output")
        return await Housekeeping(settings=settings, store=store, spool=spool).tidy()

    return tidy


async def test_old_runs_go_with_their_deliveries_steps_and_output(
    tmp_path, tidied, run, step, delivery
):
    spool = Spool(tmp_path / "output")
    deliveries, runs, steps = [], [], []
    async with Store.open(tmp_path) as store:
        for number in range(250):
            at = OLD + number * timedelta(minutes=1)
            one = run(number, created_at=at, delivery=f"d{number:06}", finished_at=at)
            came = delivery(number, received_at=at)
            receipt = PushReceipt(push=came.pushes[0].push, run=one.id)
            did = step(1, one, finished_at=at, container="a" if number == 3 else "bind")
            deliveries.append(msgspec.structs.replace(came, pushes=(receipt,)))
            runs.append(one)
            steps.append(did)
            writer = spool.writer(one.id, did.id, limit=100)
            writer.append(0, Chunk(Stream.stdout, b"done"), 0.0)
            writer.close()
        (tmp_path / "output/r999999").mkdir()
        await store.save(
            Changes(deliveries=tuple(deliveries), runs=tuple(runs), steps=tuple(steps))
        )

        done = await tidied(store)

        left = [found.id for found, _ in await store.runs(RunQuery())]
        came = [found.id for found in await store.deliveries(DeliveryQuery())]
        last = {step.container for step in await store.last_steps()}
    assert left == ["r000249", "r000003"], "the last steps of both containers"
    assert came == ["d000249", "d000003"]
    assert last == {"a", "bind"}
    assert {path.name for path in (tmp_path / "output").iterdir()} == {*left}
    assert (done.runs, done.removed_runs, done.removed_deliveries) == (2, 248, 248)
    with closing(sqlite3.connect(tmp_path / "hookrunner.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert database.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM steps").fetchone() == (2,)


async def test_what_is_routine_goes_sooner_and_takes_no_place_of_others(
    tmp_path, tidied, run, step
):
    routine = {"trigger": Trigger.schedule, "action": Action.validate}
    passed = [run(n, created_at=NOW - n * DAY / 4, **routine) for n in range(300)]
    failed = run(900, created_at=OLD + 190 * DAY, status=Status.failed, **routine)
    waits = run(901, created_at=OLD, status=Status.queued, **routine)
    others = [run(n, created_at=NOW - n * DAY / 4) for n in range(1000, 1100)]
    spool = Spool(tmp_path / "output")
    async with Store.open(tmp_path) as store:
        everything = (*passed, failed, waits, *others)
        steps = tuple(step(1, one, **routine) for one in (*passed, failed))
        await store.save(Changes(runs=everything, steps=steps))
        await store.save(Changes(runs=(msgspec.structs.replace(failed, reason="again"),)))
        (tmp_path / "output/r000200").mkdir(parents=True, exist_ok=True)

        done = await tidied(store, runs=101, age=365 * 86400.0)

        left = {found.id for found, _ in await store.runs(RunQuery(limit=1000))}
        counted = await store.pruning.runs()
    assert left == {one.id for one in (*passed[:4], failed, waits, *others)}
    assert (done.runs, done.removed_runs, counted) == (101, 0, 101)
    assert not spool.sizes()


async def test_open_runs_stay_however_old(tmp_path, tidied, run, step):
    async with Store.open(tmp_path) as store:
        waits = run(1, created_at=OLD, status=Status.queued)
        stuck = run(2, created_at=OLD, status=Status.failed)
        over = run(3, created_at=OLD)
        steps = (
            step(1, waits, status=Status.queued, finished_at=None),
            step(1, stuck, status=Status.stuck, finished_at=None),
            step(1, over, status=Status.superseded),
            step(1, run(4, created_at=NOW)),
        )
        await store.save(
            Changes(runs=(waits, stuck, over, run(4, created_at=NOW)), steps=steps)
        )

        await tidied(store)

        left = [found.id for found, _ in await store.runs(RunQuery())]
    assert left == ["r000004", "r000002", "r000001"]


async def test_pushes_that_newer_ones_outnumber_go(tmp_path, tidied, known_push):
    async with Store.open(tmp_path) as store:
        pushes = [known_push(number) for number in range(320)]
        await store.save(Changes(pushes=(*pushes, known_push(999, ref="refs/heads/x"))))

        await tidied(store)

        left = await store.known_pushes(1000)
    assert [one.id for one in left] == [f"p{n:06}" for n in (*range(220, 320), 999)]


async def test_audit_log_is_shortened_at_its_old_end_only(tmp_path, tidied):
    async with Store.open(tmp_path) as store:
        for at in (OLD, NOW - 5 * DAY, NOW):
            use = Use(at=at, who="token ci", what="POST /x", status=200, address="::1")
            await store.add_use(use, None)

        await tidied(store, audit=100 * 86400.0)

        left = [use.at for _, use in await store.uses(UseQuery())]
    assert left == [NOW, NOW - 5 * DAY]
    with closing(sqlite3.connect(tmp_path / "hookrunner.db")) as database:
        for change in (
            "DELETE FROM audit",
            "UPDATE audit SET who = 'nobody'",
            "UPDATE audit_kept SET since = 0",
        ):
            with pytest.raises(sqlite3.IntegrityError, match=r"old end only|only added to"):
                database.execute(change)


async def test_more_than_one_page_of_space_is_given_back_at_a_time(tmp_path, delivery):
    async with Store.open(tmp_path) as store:
        long = "x" * 20_000
        old = [
            msgspec.structs.replace(delivery(number, received_at=OLD), forge=long)
            for number in range(300)
        ]
        await store.save(Changes(deliveries=tuple(old)))
        with closing(sqlite3.connect(tmp_path / "hookrunner.db")) as other:
            other.execute("DELETE FROM deliveries")
            other.commit()
            [free] = other.execute("PRAGMA freelist_count").fetchone()

        left = await store.pruning.give_back()

        assert left < (free - 1) * 4096
