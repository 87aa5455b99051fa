"""What is still to be reported of runs."""

import sqlite3
from collections.abc import Iterable

import msgspec

from hookrunner.adapters.store.database import QUERIES, explained
from hookrunner.adapters.store.readers import Readers
from hookrunner.adapters.store.writer import Writer
from hookrunner.core.reporting import Report

_decode = msgspec.json.Decoder(Report).decode


class Reports:
    """The reports that are not at their end; `Store` says what its methods raise."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def all(self) -> list[Report]:
        """All of them, by run and project."""

        def work(connection: sqlite3.Connection) -> list[Report]:
            return [_decode(document) for (document,) in connection.execute(QUERIES["reports"])]

        return await self._readers.read("read what is to be reported", work)

    async def save(self, reports: Iterable[Report]) -> None:
        """Record how they stand now."""
        with explained("record what is to be reported"):
            rows = [
                {
                    "run": one.run,
                    "project": one.project,
                    "document": msgspec.json.encode(one),
                }
                for one in reports
            ]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(QUERIES["save_report"], rows)

        await self._writer.write("record what is to be reported", work)

    async def forget(self, report: Report) -> None:
        """It was reported, or nobody wants to know any more."""
        row = {"run": report.run, "project": report.project}

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["delete_report"], row)

        await self._writer.write("forget what was reported", work)
