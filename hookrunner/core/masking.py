"""Hide secrets in output, byte for byte, so that every offset still holds.

Output is kept as it came and masked where it is shown: a secret that becomes known later
is hidden in old records too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hookrunner.core.record import Piece
from hookrunner.model import Stream

_CREDENTIALS = re.compile(rb"://(?!git@)([^\s/@]{1,1280})(?=@)")
"""``user:password`` in a URL, or a token alone; ``git`` is no secret. What stands in front is
matched too: a search that begins with letters is ten times as fast as one that looks back."""
_OPEN_CREDENTIALS = re.compile(rb":(?:/(?:/[^\s/@]{0,1280})?)?\Z")
"""What may become one with the next bytes."""

LOOKBACK = 4096
"""Bytes before an offset that are read too, so that a secret cut by the offset is hidden."""


class Masker:
    """Masks pieces of output as they come, in order.

    A piece whose end might be the start of a secret waits for the next bytes of its stream,
    and all that came after it waits too, so that the order stays.

    Args:
        secrets: What to hide, wherever it stands.
    """

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._waiting: list[Piece] = []
        self._hidden: dict[tuple[str, Stream], int] = {}

    def feed(self, piece: Piece) -> list[Piece]:
        """Take the next piece; return what can be shown now."""
        self._waiting.append(piece)
        return self._release(final=False)

    def rest(self) -> list[Piece]:
        """Return what waits, once nothing more follows."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> list[Piece]:
        waiting = self._waiting
        masked = list(waiting)
        stop = len(waiting)
        found: dict[tuple[str, Stream], list[tuple[int, int]]] = {}
        for key in {(piece.step, piece.stream) for piece in waiting}:
            places = [i for i, p in enumerate(waiting) if (p.step, p.stream) == key]
            text = b"".join(waiting[i].data for i in places)
            spans = [(0, self._hidden.get(key, 0)), *self._spans(text)]
            found[key] = spans
            hidden = _hide(text, spans)
            at = 0
            safe = len(text) if final else len(text) - self._open_end(text)
            for i in places:
                piece = waiting[i]
                end = at + len(piece.data)
                if hidden is not text:
                    masked[i] = msgspec.structs.replace(piece, data=hidden[at:end])
                at = end
                if at > safe:
                    stop = min(stop, i)
        self._waiting = waiting[stop:]
        for key, spans in found.items():
            shown = sum(len(p.data) for p in waiting[:stop] if (p.step, p.stream) == key)
            self._hidden[key] = max(e - shown if s <= shown < e else 0 for s, e in spans)
        return masked[:stop]

    def mask(self, text: bytes) -> bytes:
        """Hide every secret in a whole text."""
        return _hide(text, self._spans(text))

    def _spans(self, text: bytes) -> list[tuple[int, int]]:
        """Find what to hide, also where it overlaps."""
        spans: list[tuple[int, int]] = []
        if b"@" in text:  # most output has none, which is seen in a twentieth of the time
            spans += [match.span(1) for match in _CREDENTIALS.finditer(text)]
        for secret in self._secrets:
            at = text.find(secret)
            while at >= 0:
                spans.append((at, at + len(secret)))
                at = text.find(secret, at + 1)
        return spans

    def _open_end(self, text: bytes) -> int:
        """Count the bytes at the end that may belong to something to hide."""
        longest = 0
        match = _OPEN_CREDENTIALS.search(text[-1300:])
        if match:
            longest = len(match[0])
        for secret in self._secrets:
            at = text.find(secret[:1], max(0, len(text) - len(secret) + 1))
            while 0 <= at < len(text) - longest:
                if secret.startswith(text[at:]):
                    longest = len(text) - at
                at = text.find(secret[:1], at + 1)
        return longest


def _hide(text: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """Put stars into the spans; the very same text where there is nothing to hide."""
    if all(start == end for start, end in spans):
        return text
    hidden = bytearray(text)
    for start, end in spans:
        hidden[start:end] = b"*" * (end - start)
    return bytes(hidden)


def mask_value(value: Any, masker: Masker) -> Any:
    """Hide secrets in every text of a value that JSON can have, such as metadata."""
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogateescape")
        hidden = masker.mask(data)
        return value if hidden == data else hidden.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return {key: mask_value(inner, masker) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_value(inner, masker) for inner in value]
    return value
