"""The files of the store: whose they are, and what is said when they are no good."""

import sqlite3

import pytest

from hookrunner.adapters.store import Changes, DeliveryQuery, Store
from hookrunner.adapters.store.database import DATABASE
from hookrunner.errors import StoreError


async def test_a_second_store_of_one_process_is_refused(tmp_path):
    async with Store.open(tmp_path):
        with pytest.raises(StoreError, match=r"another hookrunner \(pid \d+\)") as caught:
            await enter(tmp_path)

    assert caught.value.hint
    assert await enter(tmp_path)


async def test_only_the_owner_reads_the_database(tmp_path):
    directory = tmp_path / "a" / "b"
    async with Store.open(directory) as store:
        await store.healthy()

        modes = {file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()}

    assert directory.stat().st_mode & 0o777 == 0o710
    assert set(modes) == {DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "lock"}
    assert set(modes.values()) == {0o600}


async def test_a_newer_schema_is_refused(tmp_path):
    await enter(tmp_path)
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(
        StoreError, match=r"a newer hookrunner wrote .*hookrunner\.db.* 99"
    ) as caught:
        await enter(tmp_path)

    assert "install the newer hookrunner" in caught.value.hint


async def test_a_file_that_is_no_database_is_said_with_the_way_out(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database " * 1000)

    with pytest.raises(StoreError, match="damaged") as caught:
        await enter(tmp_path)

    assert "restore a backup" in caught.value.hint


async def test_damage_inside_the_database_is_said_at_the_start(delivery, tmp_path):
    async with Store.open(tmp_path) as store:
        await store.save(Changes(deliveries=tuple(map(delivery, range(500)))))
    damage(tmp_path / DATABASE)

    with pytest.raises(StoreError, match="damaged") as caught:
        await enter(tmp_path)

    assert "restore a backup" in caught.value.hint


async def test_damage_that_comes_later_is_said_when_it_is_read(delivery, tmp_path):
    async with Store.open(tmp_path) as store:
        await store.save(Changes(deliveries=tuple(map(delivery, range(500)))))
    async with Store.open(tmp_path) as store:
        damage(tmp_path / DATABASE)

        with pytest.raises(StoreError, match="damaged") as caught:
            await store.deliveries(DeliveryQuery(limit=500))

    assert "restore a backup" in caught.value.hint


def damage(path):
    """Overwrite the second half."""
    half = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(half)
        file.write(b"\xff" * half)


async def test_a_failed_open_gives_the_lock_back(tmp_path):
    (tmp_path / DATABASE).write_bytes(b"not a database " * 1000)
    with pytest.raises(StoreError, match="damaged"):
        await enter(tmp_path)

    (tmp_path / DATABASE).unlink()

    assert await enter(tmp_path)


async def enter(directory):
    async with Store.open(directory) as store:
        await store.healthy()
        return True
