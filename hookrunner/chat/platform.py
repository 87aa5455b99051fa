"""What every platform's module offers, and what they share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import msgspec

from hookrunner.chat.message import Markup
from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import Request

JSON = dict[str, Any]

WINDOW = 300.0
"""Seconds that a signed time may differ from our clock, before and after.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
"""
_LONGEST_URL = 2000
_LONGEST_NAME = 80
"""Characters of a name that somebody chose; guesses, as the longest URL is."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed, and where.

    Attributes:
        text: The words behind the command's own name; that too, where it is a verb.
        user: The platform's id; never a name, which people choose themselves.
        channel: The platform's id.
        name: What the user is called, for people to read.
        place: What the channel is called, for people to read.
        later: Where the request wants later answers, as it says; None: nowhere.
    """

    text: str
    user: str
    channel: str
    name: str | None = None
    place: str | None = None
    later: str | None = None


def _never(_request: Request) -> bool:
    return False


def _any(_secret: bytes) -> bool:
    return True


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """One chat: how to prove and read what it sends, and how it takes answers.

    Attributes:
        title: What people call it.
        key: What of the configuration has to hold what of the platform's, for a hint.
        verify: Returns the index of the secret that fits. Raises `SignatureError`, or
            another `DeliveryError` where the request cannot be read so far.
        decode: Reads a proven request; None is the platform's own test, answered `pong`.
            Raises nothing but `DeliveryError`.
        is_test: It is a test that proves nothing, and is answered 200.
        pong: The answer to a test.
        said: The answer to a request: a text in the platform's mark-up, and whether
            everybody in the channel is to see it.
        late: The body of a later answer.
        deferred: The answer that says that another one follows, by whether everybody is to
            see that; None: a text has to say so.
        target: The method and URL of later answers, below the configured base; None where
            the request names no place there.
        fits: Whether a secret can be one of the platform's.
        patience: Seconds in which a request has to be answered, with a margin for the way.
        lasts: Seconds after a request in which later answers are taken, with a margin.
    """

    name: str
    title: str
    key: str
    markup: Markup
    verify: Callable[[Request, Sequence[bytes]], int]
    decode: Callable[[Request], Asked | None]
    said: Callable[[str, bool], JSON]
    late: Callable[[str, bool], JSON]
    target: Callable[[str, str], tuple[str, str] | None]
    patience: float
    lasts: float
    fits: Callable[[bytes], bool] = _any
    is_test: Callable[[Request], bool] = _never
    pong: Mapping[str, Any] = {}
    deferred: Callable[[bool], JSON] | None = None


@contextmanager
def proving(hint: str) -> Iterator[None]:
    """Say of a proof that does not hold what would make it hold here.

    Raises:
        SignatureError: As was raised, with the hint.
    """
    try:
        yield
    except SignatureError as error:
        raise SignatureError(str(error), hint=hint) from error


def below(url: str, base: str) -> bool:
    """Whether a URL that a request names lies below one of the operator's.

    So a request leads nowhere else: to no other host, scheme or port, whatever the name
    server says of them, and to no other path.
    """
    tail = unquote(url.removeprefix(f"{base}/"))
    return (
        url.startswith(f"{base}/")
        and len(url) <= _LONGEST_URL
        and url.isascii()
        and url.isprintable()
        and not set(tail) & set(' \\#?@<>"')
        and not {"", ".", ".."} & set(tail.split("/"))
    )


def identity(text: object, what: str) -> str:
    """Let a platform's id through.

    Raises:
        DeliveryError: It is none: empty, long, or of other characters than ids have.
    """
    is_good = isinstance(text, str) and text.isascii() and text.isprintable()
    if not is_good or not text or " " in str(text) or len(str(text)) > _LONGEST_ID:
        raise DeliveryError(f"the request has no {what}")
    return str(text)


_LONGEST_ID = 200
"""Characters; those of Microsoft Teams have some 80, with a bot's conversation 160."""


def readable(name: object) -> str | None:
    """What is left to read of a name that somebody chose; None where that is nothing."""
    if not isinstance(name, str):
        return None
    return "".join(c for c in name if c.isprintable()).strip()[:_LONGEST_NAME] or None


def worded(command: str, text: str, verbs: Sequence[str]) -> str:
    """The words of a command, with its own name where that is the verb (``/update bind``)."""
    name = command.strip().lstrip("/").lower()
    return f"{name} {text}" if name in verbs else text
