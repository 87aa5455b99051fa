"""Output on disk: what each step printed, as it came, in files that readers follow.

A run's output is one record: every byte of its steps has an offset in it, in the order of
arrival. Each step writes its own files, in frames that carry the offset: the first part of
its output is kept, and the last; what lies between is deleted as more comes, segment by
segment. Reading puts the frames of all steps back into one sequence.

Files are `DIRECTORY/RUN/STEP.SEGMENT`, mode 0600: output may hold what people did not mean
to print.
"""

import contextlib
import errno
import os
import shutil
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path

import msgspec

from hookrunner.core.record import Kept, Piece
from hookrunner.errors import StoreError
from hookrunner.model import Chunk, Stream

_HEADER = struct.Struct("<QQdBI")
"""Offset in the run's record, offset in the step's output, epoch seconds, stream, length."""
_PIECE = 2**16
"""Bytes of the largest piece of a record, of which every reader holds one at a time."""
_STREAMS = (Stream.stdout, Stream.stderr)
_SEGMENTS = 8
"""Pieces that the tail is kept in: what exceeds the limit on disk is one of them at most."""


class Spool:
    """The directory of all output.

    Args:
        directory: Made if missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def writer(self, run: str, step: str, *, limit: int) -> "SpoolWriter":
        """Start recording a step's output; nothing is made before there is some.

        Args:
            limit: Bytes that are kept.
        """
        return SpoolWriter(self._directory / run, step, Kept(limit=limit))

    def reader(self, run: str, totals: Mapping[str, Kept]) -> "SpoolReader":
        """Read a run's record from its beginning.

        Args:
            totals: What is kept of the steps that ended.
        """
        return SpoolReader(self._directory / run, totals)

    def end(self, run: str) -> int:
        """The offset behind the last byte of a run's record, as far as it was written.

        Raises:
            StoreError: The files cannot be read.
        """
        try:
            ends = [
                frame[0] + frame[4]
                for path in _segments(self._directory / run)
                for frame, _ in _frames(path)
            ]
        except OSError as error:
            raise StoreError(f"cannot read output: {error.strerror}") from error
        return max(ends, default=0)

    def sizes(self) -> dict[str, int]:
        """Bytes that each run's record takes, by the run's id. Reads the whole directory.

        Raises:
            StoreError: The files cannot be read.
        """
        found: dict[str, int] = {}
        try:
            for run in _segments(self._directory):
                with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                    found[run.name] = sum(path.stat().st_size for path in _segments(run))
        except OSError as error:
            raise StoreError(f"cannot read output: {error.strerror}") from error
        return found

    def remove(self, run: str) -> None:
        """Delete a run's record."""
        shutil.rmtree(self._directory / run, ignore_errors=True)


class SpoolWriter:
    """Records one step's output. Not for two threads at once.

    Attributes:
        total: The bytes that came, whether or not they are kept.
        is_lossy: Something between the first and the last part could not be kept, or
            could not be written.
    """

    def __init__(self, folder: Path, step: str, kept: Kept) -> None:
        self._folder = folder
        self._step = step
        self._kept = kept
        self._segment = -1
        self._file = -1
        self._room = 0
        self._ends: deque[tuple[int, int]] = deque()
        self.total = 0
        self.is_lossy = False

    def append(self, offset: int, chunk: Chunk, at: float) -> None:
        """Write bytes.

        Args:
            offset: Of the first byte, in the run's record.
            at: When they came, in seconds since the epoch.

        Raises:
            StoreError: The disk is full, or fails. The bytes count as lost.
        """
        data = memoryview(chunk.data)
        try:
            while data:
                if not self._room:
                    self._next_segment()
                part = data[: min(self._room, _PIECE)]
                header = _HEADER.pack(
                    offset, self.total, at, _STREAMS.index(chunk.stream), len(part)
                )
                self._write(header, part)
                offset += len(part)
                self.total += len(part)
                self._room -= len(part)
                data = data[len(part) :]
        except OSError as error:
            self.total += len(data)
            self.is_lossy = True
            self._room = 0
            raise StoreError(f"cannot record output: {error.strerror}") from error

    def close(self) -> None:
        """Make sure that what was written is on the disk, and let go of the files."""
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        self.is_lossy = self.is_lossy or self.total > self._kept.limit

    def _write(self, header: bytes, part: memoryview) -> None:
        start = os.lseek(self._file, 0, os.SEEK_CUR)
        written = os.writev(self._file, [header, part])
        if written != len(header) + len(part):
            os.ftruncate(self._file, start)
            os.lseek(self._file, start, os.SEEK_SET)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _next_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._ends.append((self._segment, self.total))
        self._segment += 1
        while len(self._ends) > 1 and self._ends[1][1] <= self.total - self._kept.tail:
            gone, _ = self._ends[1]
            (self._folder / f"{self._step}.{gone}").unlink(missing_ok=True)
            del self._ends[1]
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{self._step}.{self._segment}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._room = self._kept.head if not self._segment else -(-self._kept.tail // _SEGMENTS)


class SpoolReader:
    """Reads a run's record in the order of its offsets, also while it grows."""

    def __init__(self, folder: Path, totals: Mapping[str, Kept]) -> None:
        self._folder = folder
        self._totals = dict(totals)
        self._steps: dict[str, _StepReader] = {}

    def finish(self, step: str, kept: Kept) -> None:
        """Learn how much of a step is kept, once it ended."""
        self._totals[step] = kept

    def read(self, *, offset: int, limit: int) -> list[Piece]:
        """Read the next pieces.

        Args:
            offset: Pieces that end before it are passed over.
            limit: Bytes after which enough was read.

        Returns:
            Pieces in order, what came together as one; none where there is no more yet.

        Raises:
            StoreError: The files cannot be read.
        """
        try:
            self._discover()
            found: list[Piece] = []
            size = 0
            while size < limit:
                heads = [(head.offset, s) for s, r in self._steps.items() if (head := r.peek())]
                if not heads:
                    break
                piece = self._steps[min(heads)[1]].take()
                if piece.end <= offset:
                    continue
                kept = self._totals.get(piece.step)
                for part in kept.clip(piece) if kept else (piece,):
                    found.append(part)
                    size += len(part.data)
        except OSError as error:
            raise StoreError(f"cannot read output: {error.strerror}") from error
        return _whole(found)

    def close(self) -> None:
        """Let go of the files."""
        for step in self._steps.values():
            step.close()

    def _discover(self) -> None:
        for path in _segments(self._folder):
            step = path.name.rpartition(".")[0]
            self._steps.setdefault(step, _StepReader(self._folder, step))


class _StepReader:
    """Reads one step's frames, segment after segment."""

    def __init__(self, folder: Path, step: str) -> None:
        self._folder = folder
        self._step = step
        self._segment = -1
        self._file: BufferedReader | None = None
        self._next: Piece | None = None

    def peek(self) -> Piece | None:
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> Piece:
        piece, self._next = self.peek(), None
        if piece is None:
            raise LookupError(self._step)
        return piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Piece | None:
        while True:
            if self._file is not None:
                start = self._file.tell()
                header = self._file.read(_HEADER.size)
                if len(header) == _HEADER.size:
                    offset, within, at, stream, length = _HEADER.unpack(header)
                    if stream >= len(_STREAMS):
                        raise OSError(errno.EIO, f"{self._file.name} is damaged")
                    data = self._file.read(length)
                    if len(data) == length:
                        return Piece(offset, self._step, _STREAMS[stream], data, at, within)
                self._file.seek(start)
            following = self._following()
            if following is None:
                return None
            if self._file is not None and self._file.read(1):
                self._file.seek(-1, os.SEEK_CUR)
                continue
            self.close()
            self._segment = following
            with contextlib.suppress(FileNotFoundError):  # deleted since it was listed
                self._file = (self._folder / f"{self._step}.{following}").open("rb")

    def _following(self) -> int | None:
        numbers = [
            int(path.name.rpartition(".")[2]) for path in self._folder.glob(f"{self._step}.*")
        ]
        return min((number for number in numbers if number > self._segment), default=None)


def _whole(pieces: Sequence[Piece]) -> list[Piece]:
    """Put together again what was cut from one append: whoever shows it has less work."""
    rows: list[list[Piece]] = []
    for piece in pieces:
        if rows and _is_cut(rows[-1][-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [
        msgspec.structs.replace(row[0], data=b"".join([piece.data for piece in row]))
        for row in rows
    ]


def _is_cut(piece: Piece, rest: Piece) -> bool:
    return len(piece.data) == _PIECE and (piece.step, piece.stream, piece.at, piece.end) == (
        rest.step,
        rest.stream,
        rest.at,
        rest.offset,
    )


def _segments(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def _frames(path: Path) -> Iterator[tuple[tuple[int, int, float, int, int], int]]:
    """Go over a segment's headers without reading the data."""
    with path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            frame = _HEADER.unpack(header)
            yield frame, file.tell()
            file.seek(frame[4], os.SEEK_CUR)
