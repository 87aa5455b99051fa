"""Links that sign somebody in to the page once."""

import secrets
from datetime import UTC, datetime, timedelta

from hookrunner.core.tokens import digest
from hookrunner.web.caller import Caller


class Links:
    """The links that nobody used yet; they are forgotten when the program ends."""

    LIFE = timedelta(minutes=10)
    """A guess at how long somebody takes from the terminal to the browser."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Caller, datetime]] = {}

    def make(self, caller: Caller) -> str:
        """Make the code of a link."""
        now = datetime.now(UTC)
        self._waiting = {k: v for k, v in self._waiting.items() if v[1] > now}
        code = secrets.token_urlsafe(32)
        self._waiting[digest(code)] = (caller, now + self.LIFE)
        return code

    def take(self, code: str) -> Caller | None:
        """Use a code up; None where it is not known, or too old."""
        caller, until = self._waiting.pop(digest(code), (None, None))
        return caller if until is not None and until > datetime.now(UTC) else None
