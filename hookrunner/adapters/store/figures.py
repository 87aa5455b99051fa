"""What graphs are drawn of."""

import sqlite3
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

from hookrunner.adapters.store.database import QUERIES
from hookrunner.adapters.store.readers import Readers
from hookrunner.adapters.store.records import decode_step
from hookrunner.model import Status, Step

_EPOCH = date(1970, 1, 1)


class Figures:
    """Reads sums and series; `Store` says what its methods raise."""

    def __init__(self, readers: Readers, path: Path) -> None:
        self._readers = readers
        self._path = path

    @property
    def size(self) -> int:
        """Bytes that the database takes on the disk, its log included; 0 where it is gone."""
        found = 0
        for file in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            with suppress(OSError):
                found += file.stat().st_size
        return found

    async def run_days(self, since: date) -> dict[date, dict[Status, int]]:
        """How many runs of each day (UTC) stand how."""

        def work(connection: sqlite3.Connection) -> dict[date, dict[Status, int]]:
            found: dict[date, dict[Status, int]] = {}
            first = (since - _EPOCH).days
            for day, status, runs in connection.execute(QUERIES["run_days"], {"since": first}):
                found.setdefault(_EPOCH + timedelta(days=day), {})[Status(status)] = runs
            return found

        return await self._readers.read("count the runs of each day", work)

    async def steps_of(self, engine: str, container: str, limit: int) -> list[Step]:
        """The steps that ended last in a container, newest first."""

        def work(connection: sqlite3.Connection) -> list[Step]:
            row = {"engine": engine, "container": container, "limit": limit}
            rows = connection.execute(QUERIES["steps_of_container"], row)
            return [decode_step(document) for (document,) in rows]

        return await self._readers.read(f"read the steps of {container}", work)
