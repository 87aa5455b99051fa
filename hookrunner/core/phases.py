"""Phases: the parts of a step's output that start with a line ``>> Title``."""

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from hookrunner.model import Phase, Stream

_SGR = re.compile(rb"\x1b\[[0-9;:]*m")
_TITLE_LIMIT = 200
"""Bytes of a title that are kept; a guess at what fits a line of a page."""
_PHASES_LIMIT = 500
"""Phases of a step that are kept, so that a script in a loop cannot fill the record."""


class PhaseReader:
    """Finds phases in output, however its bytes are cut.

    Attributes:
        phases: Those found so far; the last one has no `seconds` while it runs.
    """

    def __init__(self) -> None:
        self._line: dict[Stream, bytes] = {Stream.stdout: b"", Stream.stderr: b""}
        self.phases: list[Phase] = []

    def feed(self, stream: Stream, data: bytes, at: datetime) -> list[Phase]:
        """Take bytes of one stream; return the phases that started with them.

        Args:
            at: When the bytes came.
        """
        text = self._line[stream] + data
        end = text.rfind(b"\n") + 1
        self._line[stream] = text[end : end + _TITLE_LIMIT * 2]
        found = [self._start(line, at) for line in _marked(text, end) if _is_title(line)]
        return [phase for phase in found if phase is not None]

    def end(self, at: datetime) -> tuple[Phase, ...]:
        """Close the phase that runs and return all of them."""
        self._close(at)
        return tuple(self.phases)

    def _start(self, line: bytes, at: datetime) -> Phase | None:
        self._close(at)
        if len(self.phases) == _PHASES_LIMIT:
            return None
        title = (
            _SGR.sub(b"", line[: _TITLE_LIMIT * 2]).removeprefix(b">> ").strip()[:_TITLE_LIMIT]
        )
        phase = Phase(title=title.decode("utf-8", "replace"), started_at=at)
        self.phases.append(phase)
        return phase

    def _close(self, at: datetime) -> None:
        if self.phases and self.phases[-1].seconds is None:
            last = self.phases[-1]
            seconds = max(0.0, (at - last.started_at).total_seconds())
            self.phases[-1] = msgspec.structs.replace(last, seconds=seconds)


def _marked(text: bytes, end: int) -> Iterator[bytes]:
    """The lines with a bracket in them, up to `end`, which is behind a line's end.

    To look at each line was half of the work with output that floods in.
    """
    at = text.find(b">", 0, end)
    while at >= 0:
        stop = text.index(b"\n", at)
        yield text[text.rfind(b"\n", 0, at) + 1 : stop]
        at = text.find(b">", stop, end)


def _is_title(line: bytes) -> bool:
    return _SGR.sub(b"", line[: _TITLE_LIMIT * 2]).startswith(b">> ")
