"""Tokens, and the record of what was done with them: who may do what, and who did."""

import hashlib
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

SCOPES = ("read", "run", "admin")
"""What a token may be for; each includes those before it."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A bearer token as it is recorded: everything but the token itself.

    Attributes:
        name: What people call it; unique among those that are neither revoked nor expired.
        hash: SHA-256 of the token, hexadecimal.
        scopes: Out of ``read``, ``run``, ``admin``.
        project: The pattern of the projects that it reaches (`reaches`).
        expires_at: The instant from which on it is worth nothing; None for never.
        last_used_at: None before the first use.
        revoked_at: None while it is good.
    """

    id: str
    name: str
    hash: str
    scopes: frozenset[str]
    created_at: datetime
    project: str = "*"
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def worthless(self, now: datetime) -> str | None:
        """Why it is not good any more, or None."""
        if self.revoked_at is not None:
            return "was revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "has expired"
        return None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who signed in to the page: everything but what their browser keeps.

    Attributes:
        hash: SHA-256 of what the browser keeps, hexadecimal.
        name: Who it is, as it is recorded: ``token NAME``, ``user NAME``.
        scopes: Out of `SCOPES`.
        project: The pattern of the projects that it reaches (`reaches`).
        token: The id of the token that they signed in with, which ends with it; or None.
    """

    hash: str
    name: str
    scopes: frozenset[str]
    project: str
    token: str | None
    created_at: datetime
    expires_at: datetime


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One use of the API, as the audit log keeps it: who, what, when, from where.

    Attributes:
        who: ``token NAME``, or ``user NAME`` over the control socket.
        what: The method and the path.
        about: What the request's body named, or None.
        run: The run that it started, or None.
        status: The answer's HTTP status.
        address: Where it came from: an address, or ``unix``.
    """

    at: datetime
    who: str
    what: str
    status: int
    address: str
    about: str | None = None
    run: str | None = None


def digest(secret: str) -> str:
    """What is recorded of a token, or of what a browser keeps: SHA-256, hexadecimal.

    Requests carry bytes that are no UTF-8 too: those fit nothing that was recorded.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def reaches(pattern: str, project: str) -> bool:
    """Whether a token's pattern covers a project.

    Args:
        pattern: One or several with commas between; ``*`` and ``?`` stand for any
            characters and any one. ``*`` alone also covers containers of no project.
    """
    return any(
        one == "*" or (bool(project) and fnmatchcase(project, one))
        for one in (part.strip() for part in pattern.split(","))
    )


def reaches_all(pattern: str) -> bool:
    """Whether a pattern covers every project."""
    return any(part.strip() == "*" for part in pattern.split(","))
