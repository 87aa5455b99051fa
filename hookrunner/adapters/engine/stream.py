"""The bytes of an exec's output stream, apart into stdout and stderr.

Bytes in, chunks out: no socket and no clock.
"""

import struct
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from hookrunner.errors import EngineError
from hookrunner.model import Chunk, Stream

MAX_FRAME = 16 * 2**20
"""The longest frame that is believed, in bytes. dockerd frames what one read of the pipe
gave (32 KiB), so anything near this is a broken or a hostile engine."""

_HEADER = struct.Struct(">BxxxL")
_STREAMS = {1: Stream.stdout, 2: Stream.stderr}


class FrameParser:
    """Takes the frames of a stream apart, however its bytes are cut.

    A frame's bytes are handed on as they come, so what is kept never exceeds one header.

    Source:
        https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """

    def __init__(self) -> None:
        self._header = b""
        self._stream = Stream.stdout
        self._left = 0

    @property
    def is_inside_frame(self) -> bool:
        """More bytes must follow: a stream that ends now was cut."""
        return bool(self._header) or self._left > 0

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Take the next bytes; the chunks come before an error that follows them.

        Frames of one stream that follow each other come as one chunk: what was read at once
        is written at once.

        Raises:
            EngineError: A frame is of an unknown kind or longer than `MAX_FRAME`.
        """
        pieces: list[Chunk] = []
        error: EngineError | None = None
        try:
            for piece in self._pieces(data):
                pieces.append(piece)  # noqa: PERF402 - those before an error count
        except EngineError as caught:
            error = caught
        for stream, some in groupby(pieces, key=attrgetter("stream")):
            yield Chunk(stream, b"".join([piece.data for piece in some]))
        if error is not None:
            raise error

    def _pieces(self, data: bytes) -> Iterator[Chunk]:
        position = 0
        while position < len(data):
            if self._left == 0:
                missing = _HEADER.size - len(self._header)
                self._header += data[position : position + missing]
                position += missing
                if len(self._header) == _HEADER.size:
                    self._begin_frame()
                continue
            piece = data[position : position + self._left]
            position += len(piece)
            self._left -= len(piece)
            yield Chunk(self._stream, piece)

    def _begin_frame(self) -> None:
        kind, length = _HEADER.unpack(self._header)
        if kind not in _STREAMS:
            raise EngineError(f"the exec stream has a frame of the unknown kind {kind}")
        if length > MAX_FRAME:
            raise EngineError(f"the exec stream has a frame of {length} bytes")
        self._header = b""
        self._stream = _STREAMS[kind]
        self._left = length
