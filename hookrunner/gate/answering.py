"""What is told of an engine's answers: listed fields, and nothing beside them.

An answer is decoded to a struct that has the listed fields alone, and written anew from it.
Bytes in, bytes out: no socket, no clock, no engine.
"""

import base64
import io
import re
import tarfile
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from hookrunner.core.engine_api import EVENTS, PS_TITLES, PathStat, decode, looked_at_labels
from hookrunner.errors import EngineError

MAX_RECORD = 4096
"""Bytes of a record of how a step ended; it is a line."""

_VARIABLES = ("PATH", "CONTAINER_")
_ELAPSED = re.compile(r"[0-9:-]{1,20}")

Shows = Callable[[Collection[str], Mapping[str, str]], bool]
"""Whether a container of these names and labels may be seen."""


class _Told(msgspec.Struct, rename="pascal"):
    """Part of an answer: all that is told of it, what is not listed is skipped."""


class Version(_Told):
    """The engine's version."""

    version: str = ""
    api_version: str = ""
    min_api_version: str = msgspec.field(name="MinAPIVersion", default="")
    os: str = ""
    arch: str = ""


class Mount(_Told):
    """A volume, with a name, or a path of the host."""

    type: str = ""
    name: str | None = None
    source: str | None = None
    destination: str = ""


class Listed(_Told):
    """A container in a list."""

    id: str
    names: list[str] | None = None
    image: str = ""
    image_id: str = msgspec.field(name="ImageID", default="")
    created: int = 0
    state: str = ""
    status: str | None = None
    labels: dict[str, str] | None = None
    mounts: list[Mount] | None = None


def shown_containers(body: bytes, shows: Shows) -> list[Listed]:
    """The containers of a list that may be seen.

    Raises:
        EngineError: It is no list of containers.
    """
    found = [
        one
        for one in decode(body, list[Listed])
        if shows(own_names(one.names), one.labels or {})
    ]
    for one in found:
        one.labels = looked_at_labels(one.labels)
    return found


def own_names(names: Sequence[str] | None) -> list[str]:
    """A container's names without their slash, links (``/other/alias``) left out."""
    plain = [name.removeprefix("/") for name in names or ()]
    return [name for name in plain if "/" not in name]


class _State(_Told):
    status: str = ""
    running: bool = False
    paused: bool = False
    restarting: bool = False
    pid: int = 0
    exit_code: int = 0
    started_at: str = ""
    finished_at: str = ""


class _Config(_Told):
    image: str = ""
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    open_stdin: bool = False
    labels: dict[str, str] | None = None

    def reduce(self) -> None:
        """Leave out variables and labels that nobody looks at."""
        self.env = [one for one in self.env or () if _is_told(one)]
        self.labels = looked_at_labels(self.labels)


def _is_told(variable: str) -> bool:
    name = variable.partition("=")[0]
    return name == _VARIABLES[0] or name.startswith(_VARIABLES[1])


class _HostConfig(_Told):
    network_mode: str = ""
    auto_remove: bool = False


class _Endpoint(_Told):
    gateway: str = ""


class _Networks(_Told):
    networks: dict[str, _Endpoint] | None = None


class Container(_Told):
    """A container, as inspected."""

    id: str
    name: str = ""
    created: str = ""
    image: str = ""
    state: _State = msgspec.field(default_factory=_State)
    config: _Config | None = None
    host_config: _HostConfig | None = None
    network_settings: _Networks | None = None

    def is_shown(self, shows: Shows) -> bool:
        """Whether it may be seen."""
        labels = self.config.labels if self.config else None
        return shows(own_names([self.name]), labels or {})

    def told(self) -> bytes:
        """What is told of it."""
        if self.config is not None:
            self.config.reduce()
        return msgspec.json.encode(self)


class _RootFS(_Told):
    type: str = ""
    layers: list[str] | None = None


class Image(_Told):
    """An image, as inspected."""

    id: str
    repo_tags: list[str] | None = None
    config: _Config | None = None
    root_fs: _RootFS | None = msgspec.field(name="RootFS", default=None)

    def told(self) -> bytes:
        """What is told of it."""
        if self.config is not None:
            self.config.reduce()
        return msgspec.json.encode(self)


class ListedImage(_Told):
    """An image in a list."""

    id: str
    repo_tags: list[str] | None = None
    created: int = 0
    size: int = 0
    labels: dict[str, str] | None = None


def shown_images(body: bytes, used: Collection[str]) -> bytes:
    """The images of a list that are used by containers that may be seen.

    Raises:
        EngineError: It is no list of images.
    """
    found = [one for one in decode(body, list[ListedImage]) if plain_id(one.id) in used]
    for one in found:
        one.labels = looked_at_labels(one.labels)
    return msgspec.json.encode(found)


def plain_id(image_id: str) -> str:
    """An image's id without the name of its hash, which some engines leave out."""
    return image_id.removeprefix("sha256:")


class Created(_Told):
    """A new exec."""

    id: str


class Exec(_Told):
    """An exec, as inspected; nothing of its command."""

    id: str = msgspec.field(name="ID", default="")
    running: bool = False
    exit_code: int | None = None
    pid: int | None = None
    can_remove: bool = False
    container_id: str = msgspec.field(name="ContainerID", default="")


class _Top(_Told):
    titles: list[str] | None = None
    processes: list[list[str]] | None = None


def told_processes(body: bytes) -> bytes:
    """The processes of a container: numbers and ages.

    Raises:
        EngineError: The columns are others than were asked for.
    """
    top = decode(body, _Top)
    rows = top.processes or []
    if [title.strip() for title in top.titles or ()] != PS_TITLES or not all(
        len(row) == len(PS_TITLES)
        and row[0].isascii()
        and row[0].isdecimal()
        and row[1].isascii()
        and row[1].isdecimal()
        and _ELAPSED.fullmatch(row[2])
        for row in rows
    ):
        raise EngineError("the engine lists processes in another form")
    return msgspec.json.encode({"Titles": PS_TITLES, "Processes": rows})


def told_stat(stat: PathStat) -> str:
    """What is told of a file; where it leads is nobody's business: it was followed here."""
    told = {"mode": stat.mode, "mtime": stat.modified, "linkTarget": ""}
    return base64.b64encode(msgspec.json.encode(told)).decode()


def told_record(archive: bytes) -> bytes:
    """The one small file of an archive, in an archive of its own.

    Raises:
        EngineError: It is anything else.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            member = tar.next()
            is_small = member is not None and member.isreg() and member.size <= MAX_RECORD
            file = tar.extractfile(member) if member is not None and is_small else None
            if file is None:
                raise EngineError("this is no small file")
            data = file.read()
    except tarfile.TarError as error:
        raise EngineError(f"the engine's answer makes no sense: {error}") from error
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("last")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


class _Actor(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    attributes: dict[str, str] | None = msgspec.field(name="Attributes", default=None)


class _Event(msgspec.Struct):
    kind: str = msgspec.field(name="Type")
    action: str = msgspec.field(name="Action")
    actor: _Actor = msgspec.field(name="Actor")
    time: int = 0
    time_nano: int = msgspec.field(name="timeNano", default=0)


_HEALTH = frozenset({"healthy", "unhealthy", "starting"})


def told_event(line: bytes, shows: Shows) -> bytes | None:
    """What is told of an event, as a line; None for one that nobody is to know of.

    Raises:
        EngineError: It is no event.
    """
    event = decode(line, _Event)
    action, _, more = event.action.partition(": ")
    if event.kind != "container" or action not in EVENTS:
        return None
    attributes = event.actor.attributes or {}
    names = [attributes.get("name", ""), attributes.get("oldName", "")]
    if not shows(own_names([name for name in names if name]), attributes):
        return None
    event.action = f"{action}: {more}" if more in _HEALTH else action
    event.actor.attributes = {}
    return msgspec.json.encode(event) + b"\n"
