"""Copies of the database: taken while it is in use, and put in its place while it is not."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from hookrunner.adapters.store.database import (
    DATABASE,
    check,
    connect,
    explained,
    lock,
    migrations,
)
from hookrunner.errors import StoreError

_BESIDE = ("-wal", "-shm")


def copy_database(state: Path, target: Path) -> int:
    """Copy the database as it is at this instant, whoever writes to it meanwhile.

    Everything that was acknowledged before is in the copy: it reads what is committed.

    Args:
        target: The file to make, with mode 0600; one file, without a log beside it.

    Returns:
        The schema's version.

    Raises:
        StoreError: There is none, it cannot be read, or the copy is damaged.
    """
    path = state / DATABASE
    if not path.exists():
        raise StoreError(f"there is no {path}", hint="is `state` the server's?")
    with (
        closing(connect(path, writable=False)) as source,
        explained(f"copy {path}"),
        closing(_new(target)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE").fetchone()
        return schema_of(copy, target)


def check_copy(path: Path) -> int:
    """Read a whole copy, and tell its schema's version.

    Raises:
        StoreError: It is damaged, or a newer hookrunner's.
    """
    with closing(connect(path, writable=False)) as connection:
        version = schema_of(connection, path)
    known = len(migrations())
    if version > known:
        raise StoreError(
            f"a newer hookrunner made this backup: its schema is {version},"
            f" and this one knows no more than {known}",
            hint="install the newer hookrunner, and restore with that",
        )
    return version


def schema_of(connection: sqlite3.Connection, path: Path) -> int:
    """The version of a database's schema, once all of it was read.

    Raises:
        StoreError: It is damaged.
    """
    check(connection, path)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


@contextmanager
def exclusive(state: Path) -> Iterator[None]:
    """Keep every server out of a state directory.

    Raises:
        StoreError: One runs there.
    """
    descriptor = lock(state)
    try:
        yield
    finally:
        os.close(descriptor)


def replace_database(state: Path, new: Path, aside: Path) -> None:
    """Put a copy in the place of the database, under `exclusive`; the old one goes aside.

    However it is interrupted, there is the old database or the new one.

    Raises:
        StoreError: The files cannot be moved.
    """
    path = state / DATABASE
    with explained(f"put {path} in its place"):
        if path.exists():
            with contextlib.suppress(StoreError), closing(connect(path, writable=True)):
                pass  # its log goes into it, where it is not damaged
            for end in _BESIDE:
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(DATABASE + end).rename(aside / (DATABASE + end))
            os.link(path, aside / DATABASE)
        new.replace(path)
        descriptor = os.open(state, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _new(target: Path) -> sqlite3.Connection:
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return sqlite3.connect(target, isolation_level=None)
