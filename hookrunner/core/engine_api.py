"""What server and gate both know of an engine's API.

What it is asked for, word for word, since the server asks it and the gate lets it pass; and
how its answers are read. Bytes in, values out: no socket and no clock.
"""

import base64
import posixpath
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from hookrunner.core.commands import CONTAINER, SHELLS
from hookrunner.core.deployment import STARTED_FILES
from hookrunner.core.processes import KEPT
from hookrunner.errors import EngineError

STATES = ("running", "paused")
"""The states of the containers that are listed."""

EVENTS = ("start", "die", "destroy", "rename", "pause", "unpause", "health_status")
"""The events that are followed: everything else (execs above all) would only fill the
engine's memory of 256 events."""

PS = "-eo pid,sid,etime"
"""What an engine's ``ps`` is asked for: procps and busybox know it."""
PS_TITLES = ["PID", "SID", "ELAPSED"]

RECORDS = tuple(f"{place}/last" for place in KEPT)
"""The files that are read: how a wrapper ended, in a container that does not run any more."""

LABELS = ("hookrunner.", "org.opencontainers.image.", "com.docker.compose.oneoff")
"""How the labels begin that are looked at. Others may hold secrets, as those of proxies do."""


def is_looked_at(path: str) -> bool:
    """Whether a file's presence is looked up: `container`, a shell, a note of a first start."""
    fixed = {*SHELLS, *STARTED_FILES}
    return path in fixed or path.endswith(f"/{CONTAINER}")


def looked_at_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that are looked at, of all that there are."""
    return {name: value for name, value in (labels or {}).items() if name.startswith(LABELS)}


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
