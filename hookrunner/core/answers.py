"""How an engine's answers are read, by the server and by the gate alike.

Bytes in, values out: no socket and no clock.
"""

import base64
import posixpath
from datetime import datetime
from typing import TypeVar

import msgspec

from hookrunner.errors import EngineError

PATH_STAT = "X-Docker-Container-Path-Stat"
"""The header that says what a file in a container is."""
MAX_LINKS = 8
"""How far symbolic links are followed: dockerd resolves all in one step, others need help."""

_T = TypeVar("_T")


def decode(body: bytes, kind: type[_T]) -> _T:
    """Read an answer's JSON.

    Raises:
        EngineError: It is no JSON, or of another form.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EngineError(f"the engine's answer makes no sense: {error}") from error


class PathStat(msgspec.Struct):
    """A file in a container.

    Attributes:
        mode: The bits of Go's ``os.FileMode``.
        link: Where a symbolic link leads, else empty.
        modified: When its content was last changed, in RFC 3339.

    Source:
        https://pkg.go.dev/io/fs#FileMode
    """

    mode: int
    link: str = msgspec.field(name="linkTarget", default="")
    modified: str = msgspec.field(name="mtime", default="")

    @classmethod
    def from_header(cls, text: str) -> "PathStat":
        """Read the header `PATH_STAT`.

        Raises:
            EngineError: The header is of another form.
        """
        try:
            body = base64.b64decode(text, validate=True)
        except ValueError as error:
            raise EngineError(f"the engine's answer makes no sense: {error}") from error
        return decode(body, cls)

    @property
    def changed_at(self) -> datetime | None:
        """When its content was last changed; None where the engine does not say."""
        try:
            return datetime.fromisoformat(self.modified)
        except ValueError:
            return None

    @property
    def is_link(self) -> bool:
        """A symbolic link."""
        return bool(self.mode & 1 << 27)

    @property
    def is_program(self) -> bool:
        """A plain file that somebody may execute."""
        kinds = 1 << 31 | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
        return not self.mode & kinds and bool(self.mode & 0o111)

    def leads_to(self, path: str) -> str:
        """Where a link at `path` leads."""
        joined = posixpath.join(posixpath.dirname(path), self.link)
        return "/" + posixpath.normpath(joined).lstrip("/")
