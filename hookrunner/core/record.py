"""What is kept of output, and the pieces that it is read in."""

from collections.abc import Sequence

import msgspec

from hookrunner.model import Stream

HEAD = 1 << 20
"""Bytes of a step's beginning that are kept: what was run, and the first error."""


class Piece(msgspec.Struct, frozen=True):
    """Bytes of one stream of one step, in their place in the run's record.

    Attributes:
        offset: Of the first byte, in the run's record.
        at: When they came, in seconds since the epoch.
        within: The offset of the first byte in the step's own output.
    """

    offset: int
    step: str
    stream: Stream
    data: bytes
    at: float = 0.0
    within: int = 0

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + len(self.data)

    def part(self, start: int, end: int) -> "Piece":
        """The bytes from `start` to `end`, counted within the piece."""
        return Piece(
            self.offset + start,
            self.step,
            self.stream,
            self.data[start:end],
            self.at,
            self.within + start,
        )


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a step's output is kept: the first bytes and the last.

    Attributes:
        limit: Bytes in all.
        total: Bytes that the step printed; None while it runs.
    """

    limit: int
    total: int | None = None

    @property
    def head(self) -> int:
        """Bytes of the beginning: 1 MiB, less where the limit is small."""
        return min(HEAD, max(1, self.limit // 10))

    @property
    def tail(self) -> int:
        """Bytes of the end."""
        return self.limit - self.head

    def clip(self, piece: Piece) -> Sequence[Piece]:
        """Cut off what is not kept, so that exactly the first and the last bytes remain."""
        if self.total is None or self.total <= self.limit:
            return (piece,)
        found = []
        start, end = piece.within, piece.within + len(piece.data)
        if start < self.head:
            found.append(piece.part(0, min(end, self.head) - start))
        gone_until = self.total - self.tail
        if end > gone_until:
            found.append(piece.part(max(0, gone_until - start), len(piece.data)))
        return found
