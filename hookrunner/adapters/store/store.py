"""The store: what is asked of it and what it is told, in the program's own words."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from hookrunner.adapters.store import records
from hookrunner.adapters.store.database import (
    DATABASE,
    QUERIES,
    check,
    connect,
    explained,
    lock,
    migrate,
)
from hookrunner.adapters.store.figures import Figures
from hookrunner.adapters.store.lists import list_deliveries, list_runs, list_uses, with_steps
from hookrunner.adapters.store.pruning import Pruning
from hookrunner.adapters.store.readers import Readers
from hookrunner.adapters.store.records import Changes, DeliveryQuery, RunQuery, UseQuery
from hookrunner.adapters.store.reports import Reports
from hookrunner.adapters.store.sessions import Sessions
from hookrunner.adapters.store.writer import Writer
from hookrunner.core.history import Binding, ContainerState, KnownPush
from hookrunner.core.holds import Hold
from hookrunner.core.tokens import Token, Use
from hookrunner.core.upkeep import Attended, Interval
from hookrunner.errors import ConflictError
from hookrunner.model import Delivery, Run, Step

T = TypeVar("T")


class Store:
    """Everything that survives: deliveries, runs, steps, pushes, containers, tokens.

    A method that changes something returns once the change is on the disk. A caller that
    is cancelled meanwhile cannot tell whether it will be: it will.
    All raise `StoreError` where the state directory cannot be read or written; the next call
    is tried afresh, so that a full disk heals without a restart.
    """

    def __init__(self, path: Path, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers
        self.sessions = Sessions(writer, readers)
        self.figures = Figures(readers, path)
        self.reports = Reports(writer, readers)
        self.pruning = Pruning(writer, readers)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: Path, *, on_write: Callable[[float, bool], None] = lambda *_: None
    ) -> AsyncIterator[Self]:
        """Open the state directory for this process alone; at the end write what is queued.

        Args:
            directory: Made with mode 0710 if it is missing.
            on_write: Called with the seconds of each write, and whether it failed.

        Raises:
            StoreError: Another process uses it, it cannot be used, or its database is
                damaged or a newer hookrunner's.
        """
        path = directory / DATABASE
        descriptor = await asyncio.to_thread(lock, directory)
        try:
            connection = await asyncio.to_thread(_open_database, path)
            writer = Writer(connection, on_write)
            try:
                readers = await asyncio.to_thread(Readers, path)
            except BaseException:
                writer.refuse()
                writer.close()
                raise
        except BaseException:
            os.close(descriptor)
            raise
        try:
            yield cls(path, writer, readers)
        finally:
            writer.refuse()
            readers.refuse()
            await asyncio.to_thread(_close, writer, readers, descriptor)

    async def save(self, changes: Changes) -> None:
        """Record all of the changes, or none.

        Raises:
            StoreError: Also where a step is of a run that is not recorded, or has the
                number of another one of its run.
        """
        doing = f"record {_first(changes)}"
        with explained(doing):
            statements = [(QUERIES[name], row) for name, row in records.statements(changes)]

        def work(connection: sqlite3.Connection) -> None:
            for query, row in statements:
                connection.execute(query, row)

        await self._writer.write(doing, work)

    async def healthy(self) -> None:
        """Write something and wait until it is on the disk.

        Raises:
            StoreError: Nothing can be recorded now.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["count_write"])

        await self._writer.write("write to the state directory", work)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """The delivery of that id."""
        return await self._one("delivery", records.decode_delivery, {"id": delivery_id})

    async def similar_deliveries(
        self, asked: Sequence[records.Similar]
    ) -> list[list[Delivery]]:
        """Of each the source's newest with that id of the sender's, and with that body.

        Those that were ignored as a whole do not count. Oldest first; one where both are it.
        """
        row = {"asked": msgspec.json.encode(asked).decode()}
        found: list[list[Delivery]] = [[] for _ in asked]

        def work(connection: sqlite3.Connection) -> None:
            for place, document in connection.execute(QUERIES["similar_deliveries"], row):
                found[place].append(records.decode_delivery(document))

        await self._readers.read("read similar deliveries", work)
        return found

    async def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """One page of the deliveries that fit, newest first."""
        return await self._readers.read(
            "list deliveries", lambda connection: list_deliveries(connection, query)
        )

    async def run(self, run_id: str) -> tuple[Run, list[Step]] | None:
        """The run of that id with its steps by number."""

        def work(connection: sqlite3.Connection) -> tuple[Run, list[Step]] | None:
            rows = connection.execute(QUERIES["run"], {"id": run_id}).fetchall()
            return next(iter(with_steps(connection, rows)), None)

        return await self._readers.read(f"read run {run_id}", work)

    async def runs(self, query: RunQuery) -> list[tuple[Run, list[Step]]]:
        """One page of the runs that fit, newest first, each with its steps by number."""
        return await self._readers.read(
            "list runs", lambda connection: list_runs(connection, query)
        )

    async def open_runs(self) -> list[tuple[Run, list[Step]]]:
        """The runs that are not at their end or have a step that is not, oldest first."""

        def work(connection: sqlite3.Connection) -> list[tuple[Run, list[Step]]]:
            return with_steps(connection, connection.execute(QUERIES["open_runs"]).fetchall())

        return await self._readers.read("read the open runs", work)

    async def last_id(self) -> str:
        """The id that sorts behind those of all deliveries and runs; empty if there is none."""

        def work(connection: sqlite3.Connection) -> str:
            (found,) = connection.execute(QUERIES["last_id"]).fetchone()
            return found or ""

        return await self._readers.read("read the last id", work)

    async def step(self, step_id: str) -> Step | None:
        """The step of that id."""
        return await self._one("step", records.decode_step, {"id": step_id})

    async def successions(self, steps: Iterable[Step]) -> list[Step]:
        """Those steps, whoever took their places, and those whose places they took."""
        row = {"steps": msgspec.json.encode([step.id for step in steps]).decode()}
        return await self._all("successions", records.decode_step, row)

    async def last_steps(self) -> list[Step]:
        """The step that finished last of each container, by engine and name."""
        return await self._all("last_steps", records.decode_step)

    async def known_pushes(self, per_ref: int) -> list[KnownPush]:
        """The newest pushes of each ref, oldest first.

        Args:
            per_ref: How many of each.
        """
        return await self._all("known_pushes", records.decode_push, {"per_ref": per_ref})

    async def container_states(self) -> list[ContainerState]:
        """What was last recorded of each container, by engine and name."""
        return await self._all("container_states", records.decode_container)

    async def bindings(self) -> list[Binding]:
        """The repository that each project was found to belong to, by project."""
        return await self._all("bindings", records.decode_binding)

    async def attended(self) -> list[Attended]:
        """What each container was given without a push, by engine and name."""
        return await self._all("attended", records.decode_attended)

    async def intervals(self) -> list[Interval]:
        """When what comes at intervals was last begun, by project and action."""
        return await self._all("intervals", records.decode_interval)

    async def holds(self) -> list[Hold]:
        """All holds by id, those that ended by themselves included."""
        return await self._all("holds", records.decode_hold)

    async def add_hold(self, hold: Hold) -> None:
        """Record a new hold."""
        with explained(f"record hold {hold.id}"):
            row = records.hold_row(hold)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["save_hold"], row)

        await self._writer.write(f"record hold {hold.id}", work)

    async def remove_holds(self, ids: Iterable[str]) -> None:
        """Forget holds."""
        rows = [{"id": hold_id} for hold_id in ids]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(QUERIES["delete_hold"], rows)

        await self._writer.write("remove holds", work)

    async def image_metadata(self, engine: str) -> dict[str, dict[str, Any] | None]:
        """What `container --metadata` answered, by image id; None where there is none."""

        def work(connection: sqlite3.Connection) -> dict[str, dict[str, Any] | None]:
            rows = connection.execute(QUERIES["image_metadata"], {"engine": engine})
            return {
                image_id: None if document is None else records.decode_image(document)
                for image_id, document in rows
            }

        return await self._readers.read("read the images' metadata", work)

    async def save_image_metadata(
        self, engine: str, image_id: str, document: Mapping[str, Any] | None
    ) -> None:
        """Record what `container --metadata` answered.

        Args:
            document: None where the image has no metadata.
        """
        doing = f"record the metadata of image {image_id}"
        with explained(doing):
            row = records.image_row(engine, image_id, document)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["save_image_metadata"], row)

        await self._writer.write(doing, work)

    async def add_token(self, token: Token) -> None:
        """Record a new token.

        Raises:
            ConflictError: Another one has the name, and is neither revoked nor expired
                when this one is created.
        """
        doing = f"record token {token.name}"
        with explained(doing):
            row = records.token_row(token)

        def work(connection: sqlite3.Connection) -> None:
            if _live_tokens(connection, token.name, token.created_at):
                raise ConflictError(
                    f"there is a token named {token.name} already",
                    hint="take another name, or revoke that one first",
                )
            connection.execute(QUERIES["add_token"], row)

        await self._writer.write(doing, work)

    async def token_by_hash(self, digest: str) -> Token | None:
        """The token with that hash. It may be revoked, or past its expiry.

        Args:
            digest: SHA-256 of the token, hexadecimal.
        """
        return await self._one("token_by_hash", records.decode_token, {"hash": digest})

    async def tokens(self) -> list[Token]:
        """All tokens by id, those that were revoked included."""
        return await self._all("tokens", records.decode_token)

    async def revoke_token(self, name: str, at: datetime) -> bool:
        """Make the token of that name worthless from now on.

        Returns:
            Whether there was one that was neither revoked nor expired.
        """

        def work(connection: sqlite3.Connection) -> bool:
            live = _live_tokens(connection, name, at)
            for token in live:
                _update_token(connection, msgspec.structs.replace(token, revoked_at=at))
            return bool(live)

        return await self._writer.write(f"revoke token {name}", work)

    async def add_use(self, use: Use, token_id: str | None) -> None:
        """Add to the audit log; nothing that is in there ever changes.

        Args:
            token_id: The token whose last use it is, or None.
        """
        doing = f"record what {use.who} did"
        with explained(doing):
            row = records.use_row(use)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["add_use"], row)
            for (document,) in connection.execute(
                QUERIES["token"], {"id": token_id}
            ).fetchall():
                token = records.decode_token(document)
                _update_token(connection, msgspec.structs.replace(token, last_used_at=use.at))

        await self._writer.write(doing, work)

    async def uses(self, query: UseQuery) -> list[tuple[int, Use]]:
        """One page of the audit log, newest first, each entry with its number."""
        return await self._readers.read(
            "list the audit log", lambda connection: list_uses(connection, query)
        )

    async def _all(
        self, query: str, decode: Callable[[bytes], T], row: records.Row | None = None
    ) -> list[T]:
        def work(connection: sqlite3.Connection) -> list[T]:
            rows = connection.execute(QUERIES[query], row or {})
            return [decode(document) for (document,) in rows]

        return await self._readers.read(f"read {query.replace('_', ' ')}", work)

    async def _one(
        self, query: str, decode: Callable[[bytes], T], row: records.Row
    ) -> T | None:
        return next(iter(await self._all(query, decode, row)), None)


def _open_database(path: Path) -> sqlite3.Connection:
    connection = connect(path, writable=True)
    try:
        check(connection, path)
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _close(writer: Writer, readers: Readers, descriptor: int) -> None:
    # The writer last: closing the last connection empties the write-ahead log.
    try:
        readers.close()
        writer.close()
    finally:
        os.close(descriptor)


def _first(changes: Changes) -> str:
    things: tuple[tuple[str, Iterable[Delivery | Run | Step | KnownPush]], ...] = (
        ("delivery", changes.deliveries),
        ("run", changes.runs),
        ("step", changes.steps),
        ("push", changes.pushes),
    )
    return next((f"{kind} {thing.id}" for kind, some in things for thing in some), "changes")


def _live_tokens(connection: sqlite3.Connection, name: str, at: datetime) -> list[Token]:
    row = {"name": name, "at": records.instant(at)}
    rows = connection.execute(QUERIES["live_tokens_of_name"], row).fetchall()
    return [records.decode_token(document) for (document,) in rows]


def _update_token(connection: sqlite3.Connection, token: Token) -> None:
    connection.execute(QUERIES["update_token"], records.token_row(token))
