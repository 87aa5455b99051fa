"""The schema is brought up to date step by step, wherever it is cut off."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from hookrunner.adapters.store import Store, database
from hookrunner.errors import StoreError

SECOND = "ALTER TABLE runs ADD COLUMN colour TEXT;\nUPDATE runs SET colour = 'red';"
THIRD = "CREATE TABLE colours (name TEXT);\nINSERT INTO colours SELECT colour FROM runs;"


@pytest.fixture
def of_0_1_0(tmp_path):
    """A database as the first release makes it, with a run in it."""
    with closing(sqlite3.connect(tmp_path / "hookrunner.db")) as made:
        made.executescript(database.migrations()[0] + "\nPRAGMA user_version = 1;")
        made.execute(
            "INSERT INTO runs (id, status, created_at, routine, document)"
            " VALUES ('r1', 'failed', 1, 0, '')"
        )
        made.commit()
    return tmp_path


def form(directory):
    named = "SELECT name FROM sqlite_schema WHERE name = 'colours'"
    with closing(sqlite3.connect(directory / "hookrunner.db")) as read:
        (version,) = read.execute("PRAGMA user_version").fetchone()
        return version, {name for (name,) in read.execute(named)}


async def test_database_of_the_first_release_is_brought_up_to_date(of_0_1_0, monkeypatch):
    known = [*database.migrations(), SECOND, THIRD]
    monkeypatch.setattr(database, "migrations", lambda: known)

    async with Store.open(of_0_1_0):
        pass

    assert form(of_0_1_0) == (3, {"colours"})
    with closing(sqlite3.connect(of_0_1_0 / "hookrunner.db")) as read:
        assert read.execute("SELECT name FROM colours").fetchall() == [("red",)]


async def test_migration_that_fails_leaves_the_one_before_and_goes_on_later(
    of_0_1_0, monkeypatch
):
    known = [*database.migrations(), SECOND, THIRD.replace("colour FROM", "size FROM")]
    monkeypatch.setattr(database, "migrations", lambda: known)

    with pytest.raises(StoreError, match="no such column"):
        async with Store.open(of_0_1_0):
            pass
    assert form(of_0_1_0) == (2, set())

    known[2] = THIRD
    async with Store.open(of_0_1_0):
        pass
    assert form(of_0_1_0) == (3, {"colours"})


KILLED = """
import os, sqlite3, sys
from pathlib import Path
from hookrunner.adapters.store import database
second, third, left = sys.argv[2:4] + [int(sys.argv[4])]
database.migrations = lambda known=database.migrations(): [*known, second, third]
connection = database.connect(Path(sys.argv[1]) / "hookrunner.db", writable=True)
def count():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
connection.set_trace_callback(lambda _: count())
database.migrate(connection, Path(sys.argv[1]))
"""


@pytest.mark.process
@pytest.mark.parametrize("statement", range(2, 12))
def test_kill_at_any_statement_is_made_good_at_the_next_start(of_0_1_0, monkeypatch, statement):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, of_0_1_0, SECOND, THIRD, str(statement)], check=False
    )
    known = [*database.migrations(), SECOND, THIRD]
    monkeypatch.setattr(database, "migrations", lambda: known)

    with closing(database.connect(of_0_1_0 / "hookrunner.db", writable=True)) as again:
        database.migrate(again, of_0_1_0)

    assert killed.returncode in {-9, 0}
    assert form(of_0_1_0) == (3, {"colours"})
    with closing(sqlite3.connect(of_0_1_0 / "hookrunner.db")) as read:
        assert read.execute("SELECT name FROM colours").fetchall() == [("red",)]
