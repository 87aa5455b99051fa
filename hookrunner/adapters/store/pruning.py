"""Take out what is past its time, a little at once, so that nobody waits for long."""

import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from hookrunner.adapters.store.database import QUERIES
from hookrunner.adapters.store.readers import Readers
from hookrunner.adapters.store.records import EPOCH, Row, instant
from hookrunner.adapters.store.writer import Writer
from hookrunner.core.retention import Past

AT_ONCE = 100
"""Rows that one transaction takes out: with all that hangs on a run, some 5 ms."""
_PAGES = 256
"""Pages of 4 KiB that one transaction gives back to the file system."""
_GIVING = 0.005
"""Seconds after which it gives no more: where very many are free each takes 0.2 ms to find, and
256 of them kept everybody else waiting for 60 ms."""


class Pruning:
    """Takes out; `Store` says what its methods raise."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def oldest_runs(self, above: str) -> list[Past]:
        """The oldest runs behind an id, oldest first, as many as are taken out at once."""

        def work(connection: sqlite3.Connection) -> list[Past]:
            rows = connection.execute(
                QUERIES["oldest_runs"], {"above": above, "limit": AT_ONCE}
            )
            return [
                Past(id=i, created_at=_at(at), is_needed=bool(needed)) for i, at, needed in rows
            ]

        return await self._readers.read("read the oldest runs", work)

    async def runs(self) -> int:
        """How many runs there are that are not routine."""

        def work(connection: sqlite3.Connection) -> int:
            (found,) = connection.execute(QUERIES["count_runs"]).fetchone()
            return int(found)

        return await self._readers.read("count the runs", work)

    async def old_routine_runs(self, before: datetime) -> list[str]:
        """Validations that nobody asked for, did not fail, and began before an instant."""
        row: Row = {"before": instant(before), "limit": AT_ONCE}

        def work(connection: sqlite3.Connection) -> list[str]:
            return [one for (one,) in connection.execute(QUERIES["old_routine_runs"], row)]

        return await self._readers.read("look for old validations", work)

    async def remove_runs(self, ids: Iterable[str]) -> int:
        """Take out runs with their steps, but for those that are not over any more.

        Returns:
            How many went.
        """
        return await self._change("remove old runs", "remove_runs", {"runs": _json(ids)})

    async def unknown_runs(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that no run has."""
        row = {"runs": _json(ids)}

        def work(connection: sqlite3.Connection) -> list[str]:
            return [one for (one,) in connection.execute(QUERIES["unknown_runs"], row)]

        return await self._readers.read("look for runs", work)

    async def remove_deliveries(
        self, *, before: datetime, most: int, pace: Callable[[], Awaitable[None]]
    ) -> int:
        """Take out deliveries that came before an instant, and the oldest above a number.

        Those whose runs are still there stay.

        Returns:
            How many went.
        """
        above, gone = "", 0

        def look(connection: sqlite3.Connection) -> str:
            found = connection.execute(QUERIES["outnumbered_delivery"], {"most": most})
            return next((one for (one,) in found), "")

        outnumbered = await self._readers.read("count the deliveries", look)
        while True:
            row: Row = {"above": above, "before": instant(before), "outnumbered": outnumbered}

            def work(connection: sqlite3.Connection, row: Row = row) -> tuple[str, list[str]]:
                rows = connection.execute(
                    QUERIES["old_deliveries"], row | {"limit": AT_ONCE}
                ).fetchall()
                of = {i: [r for r in msgspec.json.decode(runs) if r] for i, runs in rows}
                named = _json(run for runs in of.values() for run in runs)
                there = {
                    one for (one,) in connection.execute(QUERIES["known_runs"], {"runs": named})
                }
                last = rows[-1][0] if rows else ""
                return last, [i for i, runs in of.items() if not there & {*runs}]

            above, ids = await self._readers.read("read the oldest deliveries", work)
            if not above:
                return gone
            row = {"deliveries": _json(ids)}
            gone += await self._change("remove old deliveries", "remove_deliveries", row)
            await pace()

    async def remove_pushes(self, per_ref: int) -> int:
        """Take out pushes that newer ones of their ref outnumber; at most some of each ref."""
        row: Row = {"per_ref": per_ref, "limit": AT_ONCE}

        def work(connection: sqlite3.Connection) -> list[tuple[str, str]]:
            return connection.execute(QUERIES["crowded_refs"], row).fetchall()

        gone = 0
        for repository, ref in await self._readers.read("look for old pushes", work):
            place = row | {"repository": repository, "ref": ref}
            gone += await self._change("remove old pushes", "remove_pushes", place)
        return gone

    async def remove_uses(self, since: datetime) -> int:
        """Take out the oldest entries of the audit log that are from before an instant."""
        row: Row = {"since": instant(since), "limit": AT_ONCE}

        def work(connection: sqlite3.Connection) -> int:
            connection.execute(QUERIES["keep_uses_since"], row)
            return connection.execute(QUERIES["remove_uses"], row).rowcount

        return await self._writer.write("shorten the audit log", work)

    async def remove_sessions(self, now: datetime) -> int:
        """Take out the sessions that are over."""
        row = {"now": instant(now)}
        return await self._change("remove old sessions", "remove_sessions", row)

    async def give_back(self) -> int:
        """Give some of what is free in the database back; tell how many bytes still are."""

        def work(connection: sqlite3.Connection) -> int:
            end = time.monotonic() + _GIVING
            for _ in range(_PAGES):
                # Of more than one page Python's module steps through the first alone.
                connection.execute("PRAGMA incremental_vacuum(1)")
                if time.monotonic() > end:
                    break
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            return int(free) * int(size)

        return await self._writer.write("give space back", work)

    async def _change(self, doing: str, query: str, row: Row) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(QUERIES[query], row).rowcount

        return await self._writer.write(doing, work)


def _json(ids: Iterable[str]) -> str:
    return msgspec.json.encode(list(ids)).decode()


def _at(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
