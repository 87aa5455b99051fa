"""The database file: its lock, its schema, its connections, and what its errors mean."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import msgspec

from hookrunner.errors import StoreError

DATABASE = "hookrunner.db"
LOCK = "lock"

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another program that writes, such as ``sqlite3`` (guess)."""

JOURNAL_LIMIT = 64 * 2**20
"""Bytes to which the write-ahead log is cut back after a burst (guess)."""

_PRIMARY = 0xFF
"""The bits of a result code that are the primary one. Source: https://sqlite.org/rescode.html"""

_FULL = "free space on the file system of the state directory: recording then goes on by itself"
_ACCESS = (
    "the state directory and its files must be writable by the user that hookrunner runs as"
)
_DAMAGED = (
    f"stop hookrunner, move {DATABASE}, {DATABASE}-wal and {DATABASE}-shm aside,"
    " and restore a backup, or start again without a history"
)
_DISK = "the disk or its file system failed: see the kernel's log"
_BUSY = f"another program holds {DATABASE} open for writing: end it"

_HINTS: Mapping[int, str] = MappingProxyType(
    {
        sqlite3.SQLITE_FULL: _FULL,
        sqlite3.SQLITE_READONLY: _ACCESS,
        sqlite3.SQLITE_PERM: _ACCESS,
        sqlite3.SQLITE_CANTOPEN: _ACCESS,
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_IOERR: _DISK,
        sqlite3.SQLITE_BUSY: _BUSY,
        sqlite3.SQLITE_LOCKED: _BUSY,
    }
)


_FOREIGN = (sqlite3.Error, OSError, UnicodeEncodeError, msgspec.MsgspecError)


def _read_queries() -> Mapping[str, str]:
    queries: dict[str, str] = {}
    for file in resources.files(__package__).iterdir():
        if file.name.endswith(".sql"):
            parts = re.split(r"^-- (\w+) --$", file.read_text("utf-8"), flags=re.MULTILINE)
            queries.update(zip(parts[1::2], map(str.strip, parts[2::2]), strict=True))
    return MappingProxyType(queries)


QUERIES = _read_queries()
"""Every section of the ``.sql`` files beside this module, by its name."""


def explain(error: Exception, doing: str) -> StoreError:
    """Say in our words what SQLite or the file system could not do.

    Args:
        error: What they raised.
        doing: What was being done, as in "cannot ...".
    """
    if isinstance(error, OSError):
        return StoreError(f"cannot {doing}: {error}", hint=_ACCESS)
    if isinstance(error, UnicodeEncodeError):
        return StoreError(f"cannot {doing}: it holds text that is not Unicode")
    if isinstance(error, msgspec.MsgspecError):
        return StoreError(
            f"cannot {doing}: a record is not as this hookrunner writes them: {error}",
            hint="if a newer hookrunner wrote it, install that one again",
        )
    hint = _HINTS.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
    damage = "the database is damaged: " if hint is _DAMAGED else ""
    return StoreError(f"cannot {doing}: {damage}{error}", hint=hint)


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn the errors of SQLite, of the file system and of records into `StoreError`.

    Raises:
        StoreError: The block raised one of theirs.
    """
    try:
        yield
    except _FOREIGN as error:
        raise explain(error, doing) from error


def lock(directory: Path) -> int:
    """Make the directory ours, and make it if it is missing.

    The kernel gives the lock back when the process ends, however it ends.

    Returns:
        The descriptor of the lock file; closing it gives the lock back.

    Raises:
        StoreError: Another process has it, or the directory cannot be used.
    """
    with explained(f"use {directory}"):
        if not directory.is_dir():
            directory.mkdir(mode=0o710, parents=True)
            directory.chmod(0o710)
        descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreError(
                f"another hookrunner (pid {pid or 'unknown'}) uses {directory}",
                hint="stop it, or give this one a state directory of its own (`state:`)",
            ) from error
        except BaseException:
            os.close(descriptor)
            raise
    return descriptor


def connect(path: Path, *, writable: bool) -> sqlite3.Connection:
    """Open the database, in autocommit: whoever uses it says BEGIN and COMMIT.

    The write-ahead log is synced at each commit (FULL): with NORMAL a power failure
    could take back what was acknowledged. There must be one writable connection alone:
    SQLite before 3.51.3 can lose the log when two checkpoint at once.

    Raises:
        StoreError: It cannot be opened, or is no database.
    """
    with explained(f"open {path}"):
        if writable:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
            finally:
                os.close(descriptor)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={'rw' if writable else 'ro'}",
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA mmap_size = 0")
            # Else large transactions put pages aside in /var/tmp: one more disk to be full.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA foreign_keys = ON")
            if writable:
                _set_journal(connection, path)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()
            raise
    return connection


def _set_journal(connection: sqlite3.Connection, path: Path) -> None:
    # Before anything is in the file, or it counts for nothing.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(
            f"cannot open {path}: its file system has no shared memory for SQLite",
            hint="keep the state directory on a local file system, not on a network's",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_LIMIT}")


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Read the whole database once, so that damage is told at the start and not in the middle.

    580 MB of it took 0.4 s.

    Raises:
        StoreError: It is damaged.
    """
    with explained(f"open {path}"):
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"cannot open {path}: the database is damaged: {found}", hint=_DAMAGED)


def migrations() -> list[str]:
    """The scripts that make the schema, in order; the n-th leads to version n."""
    files = (resources.files(__package__) / "migrations").iterdir()
    return [file.read_text("utf-8") for file in sorted(files, key=lambda file: file.name)]


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to what this program knows, one transaction a migration.

    Raises:
        StoreError: A newer hookrunner wrote the database, or a migration failed; the
            database is then as the last good migration left it.
    """
    known = migrations()
    with explained(f"bring {path} up to date"):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(known):
            raise StoreError(
                f"a newer hookrunner wrote {path}: its schema is {version},"
                f" and this one knows no more than {len(known)}",
                hint="install the newer hookrunner again, or restore a backup from before it",
            )
        for number, script in enumerate(known[version:], version + 1):
            try:
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;"
                )
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
