"""What is said behind a path: parameters and bodies, read to the little that they may mean.

Each reader takes what it knows out of the parameters and gives what is to be said to the
engine instead; what it leaves there is not known, and the caller refuses it.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from hookrunner.core import engine_api
from hookrunner.gate.table import Table

Query = tuple[tuple[str, str], ...]
"""Parameters for the engine, in order."""
Said = tuple[Query, bytes | None]
"""Parameters and a body for the engine."""
WHOLE_ID = "[0-9a-f]{64}"
"""The id of a container or an exec, as engines give it."""

_MOST_IDS = 1000
_MOST_VARIABLES = 16
_PATH_LENGTH = 1024  # bytes; Linux takes 4096 of a path
_QUERY = re.compile(r"[!$-~]*")
_NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_STATES = frozenset(
    {"created", "restarting", "running", "removing", "paused", "exited", "dead"}
)
_T = TypeVar("_T")


class No(Exception):  # noqa: N818 - a decision
    """The request is refused, and why."""


def parameters(query: str) -> dict[str, str]:
    """Read a query: every name once, every value decoded once."""
    if not _QUERY.fullmatch(query) or _NO_ESCAPE.search(query):
        raise No("the query has characters that it cannot have")
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch("[a-z_]{1,20}", name):
            raise No("the query is no list of parameters")
        if name in found:
            raise No(f"the parameter `{name}` is there twice")
        try:
            found[name] = unquote_to_bytes(value.replace("+", " ")).decode()
        except UnicodeDecodeError:
            raise No(f"the parameter `{name}` is no UTF-8") from None
    return found


class _Struct(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody may say as JSON, and nothing beside it."""


class _ListFilters(_Struct):
    status: tuple[str, ...] = ()
    id: tuple[str, ...] = ()


class _EventFilters(_Struct):
    type: tuple[str, ...] = ("container",)
    event: tuple[str, ...] = engine_api.EVENTS


class _Create(_Struct, rename="pascal"):
    cmd: list[str]
    env: list[str] | None = None
    user: str = ""
    attach_stdout: bool = False
    attach_stderr: bool = False
    attach_stdin: bool = False
    tty: bool = False
    privileged: bool = False
    working_dir: str = ""
    detach_keys: str = ""


class _Start(_Struct, rename="pascal"):
    detach: bool = False
    tty: bool = False


def _decode(body: str | bytes, kind: type[_T], what: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise No(f"{what}: {error}") from None


def containers(given: dict[str, str], body: bytes, table: Table) -> Said:
    """Which containers to list: in which states, of which whole ids."""
    del body, table
    query: Query = ()
    if "all" in given:
        value = given.pop("all")
        if value not in {"0", "1", "false", "true"}:
            raise No("the parameter `all` is neither true nor false")
        query += (("all", value),)
    if "filters" in given:
        filters = _decode(given.pop("filters"), _ListFilters, "the filters")
        if not _STATES.issuperset(filters.status):
            raise No("the filter `status` names an unknown state")
        wrong = [one for one in filters.id if not re.fullmatch(WHOLE_ID, one)]
        if wrong or len(filters.id) > _MOST_IDS:
            raise No("the filter `id` names something else than whole ids")
        said = {"status": filters.status, "id": filters.id}
        query += (("filters", _json({k: v for k, v in said.items() if v})),)
    return query, None


def processes(given: dict[str, str], body: bytes, table: Table) -> Said:
    """The one list of processes that is asked for: numbers and ages, no command lines."""
    del body, table
    if given.pop("ps_args", None) != engine_api.PS:
        raise No(f"processes are listed with ps_args={engine_api.PS!r} alone: no command lines")
    return (("ps_args", engine_api.PS),), None


def _path(given: dict[str, str]) -> str:
    path = given.pop("path", "")
    is_plain = path.startswith("/") and path == "/" + posixpath.normpath(path).lstrip("/")
    if not is_plain or not path.isprintable() or len(path.encode()) > _PATH_LENGTH:
        raise No("the parameter `path` is no plain absolute path")
    return path


def presence(given: dict[str, str], body: bytes, table: Table) -> Said:
    """A path whose presence is looked up."""
    del body, table
    path = _path(given)
    if not engine_api.is_looked_at(path):
        raise No(f"whether there is {path[:100]} is nobody's business here")
    return (("path", path),), None


def record(given: dict[str, str], body: bytes, table: Table) -> Said:
    """A file that is read out."""
    del body, table
    path = _path(given)
    if path not in engine_api.RECORDS:
        raise No(f"the file {path[:100]} is not read out")
    return (("path", path),), None


def create(given: dict[str, str], body: bytes, table: Table) -> Said:
    """A command out of the table, and its variables; nothing else that an exec can have."""
    del given
    said = _decode(body, _Create, "the body")
    for name, is_there in (
        ("Privileged", said.privileged),
        ("Tty", said.tty),
        ("AttachStdin", said.attach_stdin),
        ("WorkingDir", said.working_dir),
        ("DetachKeys", said.detach_keys),
    ):
        if is_there:
            raise No(f"an exec with {name}")
    environment = _environment(said.env or [])
    user = said.user or None
    problem = table.problem(said.cmd, environment, user)
    if problem is not None:
        raise No(problem)
    made: dict[str, Any] = {
        "Cmd": said.cmd,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "AttachStdin": False,
        "AttachStdout": said.attach_stdout,
        "AttachStderr": said.attach_stderr,
        "Privileged": False,
        "Tty": False,
    }
    if user is not None:
        made["User"] = user
    return (), msgspec.json.encode(made)


def _environment(said: Sequence[str]) -> Mapping[str, str]:
    if len(said) > _MOST_VARIABLES:
        raise No("too many variables")
    found: dict[str, str] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals:
            raise No("a variable without a value")
        if name in found:
            raise No(f"the variable {name[:50]!r} is there twice")
        found[name] = value
    return found


def start(given: dict[str, str], body: bytes, table: Table) -> Said:
    """How an exec is started: its output is followed, on no terminal."""
    del given, table
    said = _decode(body, _Start, "the body")
    if said.detach or said.tty:
        raise No(f"a start with {'Detach' if said.detach else 'Tty'}")
    return (), msgspec.json.encode({"Detach": False, "Tty": False})


def events(given: dict[str, str], body: bytes, table: Table) -> Said:
    """Which events of containers to follow, and since when."""
    del body, table
    filters = _decode(given.pop("filters", "{}"), _EventFilters, "the filters")
    if filters.type != ("container",):
        raise No("events of anything but containers")
    if not filters.event or not set(engine_api.EVENTS).issuperset(filters.event):
        raise No(f"other events than {' '.join(engine_api.EVENTS)}")
    wanted = _json({"type": ["container"], "event": filters.event})
    query: Query = (("filters", wanted),)
    if "since" in given:
        since = given.pop("since")
        if not re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", since):
            raise No("the parameter `since` is no time")
        query += (("since", since),)
    return query, None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
