"""What a request asks for: one of the few things that are passed on, or why it is refused.

A request is read to its meaning, and what goes to the engine is written anew from that: no
byte of it is handed on. Bytes in, a decision out: no socket, no clock, no engine.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from urllib.parse import quote

import msgspec

from hookrunner.gate import meaning
from hookrunner.gate.meaning import WHOLE_ID, No, Said
from hookrunner.gate.table import Table


class What(StrEnum):
    """What can be asked for; the value says it to people."""

    ping = "ping"
    version = "version"
    containers = "the list of containers"
    container = "a container"
    processes = "the processes of a container"
    presence = "the presence of a file"
    record = "how a step ended"
    create = "a new exec"
    start = "the start of an exec"
    exec = "an exec"
    images = "the list of images"
    image = "an image"
    events = "events"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came.

    Attributes:
        target: What stands in its first line, undecoded.
        headers: Names and values, as often as they came.
    """

    method: str
    target: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Refused(msgspec.Struct, frozen=True):
    """Why a request is not passed on."""

    reason: str
    status: int = 403


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for.

    Attributes:
        version: The version of the API, as ``/v1.41``, or empty.
        subject: The container (a name, an id, or the start of one), exec or image.
        query: What is said behind the question mark, in order.
        body: JSON.
    """

    what: What
    version: str = ""
    subject: str = ""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def target(self, subject: str | None = None) -> tuple[str, str]:
        """The method and the first line's target for the engine, from nothing but this.

        Args:
            subject: What it is about, where that is known better than the request said it.
        """
        method, path = _TARGETS[self.what]
        said = quote(self.subject if subject is None else subject, safe=":")
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.query)
        return method, f"{self.version}{path.replace('*', said)}{'?' if query else ''}{query}"


_TARGETS = {
    What.ping: ("GET", "/_ping"),
    What.version: ("GET", "/version"),
    What.containers: ("GET", "/containers/json"),
    What.container: ("GET", "/containers/*/json"),
    What.processes: ("GET", "/containers/*/top"),
    What.presence: ("HEAD", "/containers/*/archive"),
    What.record: ("GET", "/containers/*/archive"),
    What.create: ("POST", "/containers/*/exec"),
    What.start: ("POST", "/exec/*/start"),
    What.exec: ("GET", "/exec/*/json"),
    What.images: ("GET", "/images/json"),
    What.image: ("GET", "/images/*/json"),
    What.events: ("GET", "/events"),
}
_CONTAINER = "([a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})"
"""A name or an id. Source: https://github.com/moby/moby/blob/v20.10.24/daemon/names/names.go"""
_EXEC = f"({WHOLE_ID})"
_IMAGE = "((?:sha256:)?[0-9a-f]{64})"
_PATHS: Sequence[tuple[What, re.Pattern[str]]] = [
    (
        what,
        re.compile(
            r"(/v1\.[0-9]{1,2})?"
            + re.escape(path)
            .replace(r"containers/\*", f"containers/{_CONTAINER}")
            .replace(r"exec/\*", f"exec/{_EXEC}")
            .replace(r"images/\*", f"images/{_IMAGE}")
        ),
    )
    for what, (_, path) in _TARGETS.items()
]
_FRAMING = frozenset(
    {
        "connection",  # may name other headers, and ask for an upgrade
        "content-encoding",
        "expect",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-http-method-override",
    }
)
"""Headers that change what a request is, or where it ends; see `_check_headers`."""
_ONCE = frozenset({"connection", "content-length", "content-type", "host"})


def judge(request: Request, table: Table) -> Asked | Refused:
    """Say what a request asks for, or why it is not passed on.

    Which containers may be seen, and which execs were made here, is not known here.

    Args:
        table: What may be executed.
    """
    path, mark, query = request.target.partition("?")
    try:
        _check_headers(request.headers)
        what, version, subject = _find(request.method, path)
        if request.body and request.method != "POST":
            return Refused(f"{request.method} with a body")
        given = meaning.parameters(query) if mark else {}
        read = _READERS.get(what, _read_nothing)
        said = read(given, request.body, table)
    except No as no:
        return Refused(str(no))
    if given:
        return Refused(f"the parameter `{next(iter(given))}` is not known here")
    return Asked(what=what, version=version, subject=subject, query=said[0], body=said[1])


def _read_nothing(given: dict[str, str], body: bytes, table: Table) -> Said:
    del given, body, table
    return (), None


def _check_headers(headers: Sequence[tuple[str, str]]) -> None:
    seen = set()
    for name, value in headers:
        lower = name.lower()
        if lower in _ONCE and lower in seen:
            raise No(f"the header {lower} is there twice")
        seen.add(lower)
        if lower == "connection" and value.strip().lower() in {"close", "keep-alive"}:
            continue
        if lower in _FRAMING:
            raise No(f"the header {lower}")


def _find(method: str, path: str) -> tuple[What, str, str]:
    """Find what a path stands for; it is not decoded, and nothing in it is resolved."""
    others = []
    for what, pattern in _PATHS:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        wanted = _TARGETS[what][0]
        if method == wanted or (what is What.ping and method == "HEAD"):
            version, *subject = match.groups()
            return what, version or "", subject[0] if subject else ""
        others.append(wanted)
    if others:
        raise No(f"only {' and '.join(others)} is passed on here, not {method[:20]!r}")
    raise No("this path is none of those that are passed on")


_READERS: Mapping[What, Callable[[dict[str, str], bytes, Table], Said]] = {
    What.containers: meaning.containers,
    What.processes: meaning.processes,
    What.presence: meaning.presence,
    What.record: meaning.record,
    What.create: meaning.create,
    What.start: meaning.start,
    What.events: meaning.events,
}
