"""Writes in batches: what fails together, and what does not."""

import asyncio
import sqlite3
import threading
from contextlib import asynccontextmanager

import pytest

from hookrunner.adapters.store import Changes, DeliveryQuery, RunQuery, Store
from hookrunner.adapters.store.database import QUERIES
from hookrunner.errors import StoreError


async def hold(store):
    """Make the writer busy until the gate is set; the gate, and what then ends."""
    gate, busy = threading.Event(), threading.Event()

    def wait(_):
        busy.set()
        assert gate.wait(10)

    waiting = asyncio.ensure_future(store._writer.write("wait", wait))
    assert await asyncio.to_thread(busy.wait, 10)
    return gate, waiting


@asynccontextmanager
async def held(store):
    """Keep the writer busy, so that what is written meanwhile becomes one batch."""
    gate, waiting = await hold(store)
    try:
        yield
    finally:
        gate.set()
        await waiting


async def queued(store, *writes):
    """Start writes while the writer is held, and return once all are in its queue."""
    tasks = [asyncio.ensure_future(write) for write in writes]
    await asyncio.sleep(0)  # each has its turn
    assert store._writer._queue.qsize() == len(tasks)
    return tasks


async def together(store, *writes):
    """Write in one batch; what each returned or raised."""
    async with held(store):
        tasks = await queued(store, *writes)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_bad_operation_does_not_take_the_others_of_its_batch_with_it(
    delivery, run, step, store
):
    half_bad = Changes(deliveries=(delivery(3),), steps=(step(1, run(9)),))

    good, bad, other = await together(
        store,
        store.save(Changes(deliveries=(delivery(1),))),
        store.save(half_bad),
        store.save(Changes(deliveries=(delivery(2),))),
    )

    assert good is other is None
    assert isinstance(bad, StoreError)
    assert str(bad) == "cannot record delivery d000003: FOREIGN KEY constraint failed"
    assert await store.deliveries(DeliveryQuery()) == [delivery(2), delivery(1)]


async def test_a_commit_that_fails_fails_all_of_its_batch_and_nothing_later(delivery, store):
    def break_commit(connection):
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO run_projects VALUES ('no such run', '', '', NULL)")

    outcomes = await together(
        store,
        store.save(Changes(deliveries=(delivery(1),))),
        store._writer.write("break", break_commit),
    )

    assert [str(error) for error in outcomes] == [
        "cannot record delivery d000001: FOREIGN KEY constraint failed",
        "cannot break: FOREIGN KEY constraint failed",
    ]
    await store.save(Changes(deliveries=(delivery(2),)))
    assert await store.deliveries(DeliveryQuery()) == [delivery(2)]


async def test_nobody_is_told_of_success_where_sqlite_undid_the_whole_batch(delivery, store):
    def undo(connection):
        connection.execute("ROLLBACK")  # as SQLite does by itself where the disk fails
        raise sqlite3.OperationalError("disk I/O error")

    outcomes = await together(
        store,
        store.save(Changes(deliveries=(delivery(1),))),
        store._writer.write("go on", undo),
        store.save(Changes(deliveries=(delivery(2),))),
    )

    assert [str(error) for error in outcomes] == [
        "cannot record delivery d000001: disk I/O error",
        "cannot go on: disk I/O error",
        "cannot record delivery d000002: disk I/O error",
    ]
    assert await store.deliveries(DeliveryQuery()) == []
    await store.healthy()


async def test_a_write_happens_also_when_its_caller_leaves(delivery, store):
    async with held(store):
        (task,) = await queued(store, store.save(Changes(deliveries=(delivery(1),))))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    await store.healthy()
    assert await store.delivery("d000001") == delivery(1)


async def test_closing_writes_what_is_queued_and_then_takes_nothing(delivery, tmp_path):
    saves = [Changes(deliveries=(delivery(number),)) for number in range(50)]
    async with Store.open(tmp_path) as store:
        gate, waiting = await hold(store)
        tasks = await queued(store, *map(store.save, saves))
        asyncio.get_running_loop().call_soon(gate.set)

    await asyncio.gather(waiting, *tasks)
    with pytest.raises(StoreError, match="the store is closed"):
        await store.healthy()
    with pytest.raises(StoreError, match="the store is closed"):
        await store.runs(RunQuery())
    async with Store.open(tmp_path) as store:
        assert len(await store.deliveries(DeliveryQuery(limit=100))) == 50


async def test_the_database_syncs_its_log_at_each_commit(store):
    def ask(connection):
        names = ["journal_mode", "synchronous", "foreign_keys", "mmap_size", "user_version"]
        answers = [connection.execute(f"PRAGMA {name}").fetchone() for name in names]
        return [answer[0] if answer else 0 for answer in answers]

    assert await store._writer.write("ask", ask) == ["wal", 2, 1, 0, 1]


async def test_readers_cannot_write(store):
    with pytest.raises(StoreError, match="readonly") as caught:
        await store._readers.read("write", lambda one: one.execute(QUERIES["count_write"]))

    assert "writable" in caught.value.hint
