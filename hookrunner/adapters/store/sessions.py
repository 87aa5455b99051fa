"""Who is signed in to the page."""

import sqlite3
from datetime import datetime

import msgspec

from hookrunner.adapters.store.database import QUERIES, explained
from hookrunner.adapters.store.readers import Readers
from hookrunner.adapters.store.records import decode_token, instant
from hookrunner.adapters.store.writer import Writer
from hookrunner.core.tokens import Session, Token

_decode = msgspec.json.Decoder(Session).decode


class Sessions:
    """The sessions of the page; `Store` says what its methods raise."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, session: Session) -> None:
        """Record a session, and forget those that are over."""
        doing = f"sign {session.name} in"
        with explained(doing):
            row = {
                "hash": session.hash,
                "expires_at": instant(session.expires_at),
                "now": instant(session.created_at),
                "document": msgspec.json.encode(session),
            }

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["drop_sessions"], row)
            connection.execute(QUERIES["add_session"], row)

        await self._writer.write(doing, work)

    async def find(self, digest: str, now: datetime) -> Session | None:
        """The session with that hash, if neither it nor its token is over."""

        def work(connection: sqlite3.Connection) -> Session | None:
            rows = connection.execute(QUERIES["session"], {"hash": digest}).fetchall()
            session = next((_decode(document) for (document,) in rows), None)
            if session is None or session.expires_at <= now:
                return None
            if session.token is None:
                return session
            rows = connection.execute(QUERIES["token"], {"id": session.token}).fetchall()
            token: Token | None = next((decode_token(one) for (one,) in rows), None)
            return None if token is None or token.worthless(now) else session

        return await self._readers.read("look for a session", work)

    async def end(self, digest: str) -> None:
        """Forget a session."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(QUERIES["end_session"], {"hash": digest})

        await self._writer.write("sign out", work)
