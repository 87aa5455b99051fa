"""A run's output as lines of a page, wherever its bytes were cut."""

from collections import deque
from collections.abc import Sequence

import msgspec

from hookrunner.core.painting import Part, paint
from hookrunner.core.record import Piece
from hookrunner.model import Stream

_LINE_LIMIT = 1 << 16
"""Bytes after which a line without an end counts as one; a guess, minified files have more."""


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A line as it was printed.

    Attributes:
        at: The offset of its first byte in the run's record; the order within its stream.
    """

    step: str
    stream: Stream
    at: int
    data: bytes

    @property
    def shown(self) -> list[list[Part]]:
        """The lines that it is shown as, in parts of one look."""
        return paint(self.data)

    @property
    def title(self) -> str | None:
        """The title of the phase that it starts, or None."""
        text = "".join(text for _, text in self.shown[0])
        return text[3:].strip() if text.startswith(">> ") else None


class LineReader:
    """Makes lines of pieces.

    Attributes:
        quiet: The offset in the run's record before which every line is whole: who begins
            again from there misses nothing.
    """

    def __init__(self, quiet: int = 0) -> None:
        self.quiet = quiet
        self._open: dict[tuple[str, Stream], tuple[int, bytes]] = {}

    def feed(self, piece: Piece) -> list[Line]:
        """Take bytes; return the lines that end with them."""
        key = (piece.step, piece.stream)
        at, kept = self._open.pop(key, (piece.offset, b""))
        whole, *more = (kept + piece.data).split(b"\n")
        lines = []
        for following in more:
            lines.append(Line(step=piece.step, stream=piece.stream, at=at, data=whole))
            at += len(whole) + 1
            whole = following
        if len(whole) >= _LINE_LIMIT:
            lines.append(Line(step=piece.step, stream=piece.stream, at=at, data=whole))
            at, whole = piece.end, b""
        if whole:
            self._open[key] = (at, whole)
        if not self._open:
            self.quiet = piece.end
        return lines

    def rest(self, step: str | None = None) -> list[Line]:
        """Return what did not end, of a step that is over or of all."""
        ended = [key for key in self._open if step in {None, key[0]}]
        found = [(key, self._open.pop(key)) for key in ended]
        return [Line(step=key[0], stream=key[1], at=at, data=data) for key, (at, data) in found]


class Tail:
    """The last lines of a step, and how many there were."""

    def __init__(self, kept: int) -> None:
        self.count = 0
        self._lines: deque[Line] = deque(maxlen=kept)

    def add(self, lines: Sequence[Line]) -> None:
        """Add lines."""
        self.count += len(lines)
        self._lines.extend(lines)

    @property
    def lines(self) -> list[tuple[int, Line]]:
        """Each with its place in its step, from 1."""
        return list(enumerate(self._lines, self.count - len(self._lines) + 1))
