"""The writer thread: everything that waits becomes one transaction, synced once."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from hookrunner.adapters.store.database import explain, explained
from hookrunner.errors import StoreError

T = TypeVar("T")


class _Operation(Generic[T]):
    """One caller's part of a batch, and in the end what came of it."""

    __slots__ = ("doing", "error", "future", "result", "work")

    def __init__(
        self, doing: str, work: Callable[[sqlite3.Connection], T], future: asyncio.Future[T]
    ) -> None:
        self.doing = doing
        self.work = work
        self.future = future
        self.result: T
        self.error: Exception | None = None

    def settle(self) -> None:
        if self.future.done():
            return  # the caller did not wait for it
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """The owner of the only connection that writes.

    A sync of the disk costs more than hundreds of rows, so that callers who come while
    one is under way share the next. Nobody is answered before it.

    Args:
        connection: Closed by `close`.
        on_write: Called with the seconds of each write, and whether it failed.
    """

    def __init__(
        self, connection: sqlite3.Connection, on_write: Callable[[float, bool], None]
    ) -> None:
        self._connection = connection
        self._on_write = on_write
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Operation[Any] | None] = SimpleQueue()
        self._is_closed = False
        # A daemon, so that a program that ends without closing the store does end.
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    async def write(self, doing: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in a transaction, and wait until it is on the disk.

        It is done also if the caller stops waiting.

        Args:
            doing: What it is, for the error: "cannot ...".
            work: Runs in the writer's thread; must neither begin nor commit. What it
                raises undoes its own changes and no one else's.

        Raises:
            StoreError: It could not be done, or not be committed.
        """
        if self._is_closed:
            raise StoreError(f"cannot {doing}: the store is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(_Operation(doing, work, future))
        began, failed = self._loop.time(), True
        try:
            result = await future
            failed = False
        finally:
            self._on_write(self._loop.time() - began, failed)
        return result

    def refuse(self) -> None:
        """Take nothing more; what is queued is still done. In the loop's thread."""
        self._is_closed = True

    def close(self) -> None:
        """Do what is queued, then close the connection. Blocks; after `refuse`."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batch, is_open = self._take()
            self._commit(batch)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_settle, batch)
        with suppress(sqlite3.Error):  # what is in the log is safe there
            self._connection.close()

    def _take(self) -> tuple[list[_Operation[Any]], bool]:
        batch: list[_Operation[Any]] = []
        operation = self._queue.get()
        while operation is not None:
            batch.append(operation)
            try:
                operation = self._queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[_Operation[Any]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for operation in batch:
                self._attempt(operation)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - every caller of the batch is told
            for operation in batch:
                operation.error = explain(error, operation.doing)
                operation.error.__cause__ = error
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _attempt(self, operation: _Operation[Any]) -> None:
        self._connection.execute("SAVEPOINT operation")
        try:
            with explained(operation.doing):
                operation.result = operation.work(self._connection)
        except Exception as error:  # noqa: BLE001 - this caller alone is told
            if not self._connection.in_transaction:
                # Where the disk is full or fails, SQLite may undo the whole batch.
                # Source: https://sqlite.org/lang_transaction.html
                raise error.__cause__ or error from None
            operation.error = error
            self._connection.execute("ROLLBACK TO operation")
        self._connection.execute("RELEASE operation")


def _settle(batch: Iterable[_Operation[Any]]) -> None:
    for operation in batch:
        operation.settle()
