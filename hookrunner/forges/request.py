"""One webhook request as it came in, before anything of it is believed."""

import re
from dataclasses import dataclass, field

from hookrunner.errors import DeliveryError, SignatureError

_LABEL = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")
"""Names and ids of events and deliveries, at most 200 characters: a guess, UUIDs have 36."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a forge's module may know of a request.

    Headers, body and path can hold secrets, so none of them is in the `repr`.

    Attributes:
        headers: As received, repeated ones too. Bytes that are not UTF-8 are lone
            surrogates in them (``surrogateescape``), as aiohttp has it.
        body: The bytes as received; no content encoding was undone.
        path_secret: The last part of ``/hooks/SOURCE/SECRET``, or None.
        received_at: When it came in, in Unix time. Left out it is 1970, and no proof that
            has a time in it holds.
    """

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    path_secret: str | None = field(default=None, repr=False)
    received_at: float = 0.0
    _by_name: dict[str, list[str]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Sort the headers once: a dozen are asked for until a push is known (4 % of it)."""
        for name, value in self.headers:
            self._by_name.setdefault(name.lower(), []).append(value)

    def has(self, name: str) -> bool:
        """Whether a header is there, also an empty one."""
        return bool(self._values(name))

    def header(self, name: str) -> str | None:
        """The value of a header, whatever the case of its name; None if it is not there.

        Raises:
            DeliveryError: It is there twice, so two readers could read two things.
        """
        values = self._values(name)
        if len(values) > 1:
            raise DeliveryError(f"the header {name} is there more than once")
        return values[0] if values else None

    def label(self, name: str) -> str | None:
        """The value of a header that names an event or a delivery; None if it is empty.

        Raises:
            DeliveryError: It is there twice, or it is no short, printable ASCII text.
        """
        return checked_label(self.header(name), f"the header {name}")

    def proof(self, name: str) -> bytes:
        """The value of a header that proves who sent the request, in the bytes received.

        Raises:
            SignatureError: It is missing, empty, or there more than once. Gitea, Forgejo
                and Gogs send an empty one where the webhook has no secret.
        """
        values = self._values(name)
        if len(values) > 1:
            raise SignatureError(f"the header {name} is there more than once")
        if not values or not values[0]:
            raise SignatureError(
                f"the header {name} is missing or empty",
                hint="give the webhook the secret that its source has",
            )
        return _bytes(values[0], f"the header {name}")

    def proof_in_path(self) -> bytes:
        """The secret at the end of the path, in the bytes received.

        Raises:
            SignatureError: There is none.
        """
        if not self.path_secret:
            raise SignatureError(
                "the path has no secret in it",
                hint="have the forge send to /hooks/SOURCE/SECRET",
            )
        return _bytes(self.path_secret, "the secret in the path")

    def _values(self, name: str) -> list[str]:
        return self._by_name.get(name.lower(), [])


def _bytes(value: str, what: str) -> bytes:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SignatureError(f"{what} is not text") from None


def checked_label(text: str | None, what: str) -> str | None:
    """Let the name of an event or the id of a delivery through, or say what is wrong.

    Such text is kept, logged and shown, and often nobody signed it.

    Args:
        text: The name or id; an empty one counts as none.
        what: What to call it in the error.

    Raises:
        DeliveryError: It is no printable ASCII text of at most 200 characters.
    """
    if not text:
        return None
    if not _LABEL.fullmatch(text):
        raise DeliveryError(f"{what} is not up to 200 characters of printable ASCII")
    return text
