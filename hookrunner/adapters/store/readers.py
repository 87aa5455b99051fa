"""Reading: a few threads with a read-only connection each."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from hookrunner.adapters.store.database import connect, explained
from hookrunner.errors import StoreError

T = TypeVar("T")

READERS = 2
"""Connections that read at once, so that a long list does not hold up a short look (guess)."""


class Readers:
    """The connections that read. They see what is committed, and never wait for the writer."""

    def __init__(self, path: Path) -> None:
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for _ in range(READERS):
            self._idle.put(connect(path, writable=False))
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")
        self._is_closed = False

    async def read(self, doing: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Ask something; all of it sees the database at one instant.

        Args:
            doing: What it is, for the error: "cannot ...".
            work: Runs in a reader's thread.

        Raises:
            StoreError: The database or a record in it cannot be read.
        """
        if self._is_closed:
            raise StoreError(f"cannot {doing}: the store is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._read, doing, work)

    def refuse(self) -> None:
        """Take nothing more; what is queued is still done. In the loop's thread."""
        self._is_closed = True

    def close(self) -> None:
        """Do what is queued, then close the connections. Blocks; after `refuse`."""
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def _read(self, doing: str, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._idle.get()
        try:
            with explained(doing):
                connection.execute("BEGIN")
                return work(connection)
        finally:
            try:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            finally:
                self._idle.put(connection)
