"""What is told to others, and what they answer."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How a commit stands with a project."""

    pending = "pending"
    success = "success"
    failure = "failure"


class CommitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a push in one project.

    Attributes:
        repository: The full name as the forge has it.
        commit: Its id, whole.
        ref: The ref that was pushed.
        context: What tells it from others' statuses of the commit: ``hookrunner/bind``.
        text: One short line.
        url: Where more is to be seen, or None.
    """

    repository: str
    commit: str
    ref: str
    context: str
    state: State
    text: str
    url: str | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A request that is to be sent.

    Attributes:
        url: Its beginning is always the operator's.
        secret: Headers that prove who sends it.
    """

    url: str
    body: bytes
    method: str = "POST"
    headers: Mapping[str, str] = {}
    secret: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Show it without its secret."""
        return f"Outgoing(url={self.url!r}, body={self.body!r})"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back.

    Attributes:
        text: The beginning of the body.
        retry_after: Seconds that the server wants to be left alone, or None.
        location: Where it would have us go instead, or None.
    """

    status: int
    text: str = ""
    retry_after: float | None = None
    location: str | None = None
