"""What engines answer, and the nouns that are made of it.

Values in, values out: no socket and no clock. Engines send null for what is empty, so every
map and list here may be None.
"""

import io
import posixpath
import re
import tarfile
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from hookrunner.core.engine_api import PS_TITLES
from hookrunner.core.processes import Process
from hookrunner.errors import EngineError
from hookrunner.model import Container, ExecState, Image, Surroundings

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where an image without a ``PATH`` has its programs.

Source: https://github.com/moby/moby/blob/v20.10.24/pkg/system/path.go
"""

_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_Instant = Annotated[int, msgspec.Meta(ge=0, le=253402300799)]  # the end of the year 9999


class Refusal(msgspec.Struct):
    """Why an engine refuses."""

    message: str = ""


class Created(msgspec.Struct, rename="pascal"):
    """A new exec."""

    id: str


class Mount(msgspec.Struct, rename="pascal"):
    """A volume, with a name, or a path of the host."""

    destination: str = ""
    name: str | None = None
    source: str | None = None


class Listed(msgspec.Struct, rename="pascal"):
    """A container in a list."""

    id: str
    image: str
    created: _Instant
    state: str
    image_id: str = msgspec.field(name="ImageID")
    names: list[str] | None = None
    labels: dict[str, str] | None = None
    status: str | None = None
    mounts: list[Mount] | None = None

    def container(self, engine: str) -> Container:
        """The container, as the inventory knows it before its metadata."""
        names = [name.removeprefix("/") for name in self.names or ()]
        own = [name for name in names if "/" not in name]  # a link reads "other/alias"
        health = _HEALTH.search(self.status or "")
        mounts = {m.destination: m.name or m.source or "" for m in self.mounts or ()}
        return Container(
            id=self.id,
            name=own[0] if own else self.id[:12],
            engine=engine,
            image=self.image,
            image_id=self.image_id,
            created_at=datetime.fromtimestamp(self.created, UTC),
            labels=self.labels or {},
            state=self.state,
            health=health[1] if health else None,
            mounts={place: volume for place, volume in mounts.items() if place and volume},
        )


class ImageConfig(msgspec.Struct, rename="pascal"):
    """What containers of an image start with."""

    labels: dict[str, str] | None = None
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    open_stdin: bool = False

    @property
    def command(self) -> tuple[str, ...]:
        """What is run."""
        return (*(self.entrypoint or ()), *(self.cmd or ()))


class RootFS(msgspec.Struct, rename="pascal"):
    """What an image's file system is made of."""

    layers: list[str] | None = None


class InspectedImage(msgspec.Struct, rename="pascal"):
    """An image, as inspected."""

    id: str
    config: ImageConfig | None = None
    root_fs: RootFS | None = msgspec.field(name="RootFS", default=None)

    def image(self) -> Image:
        """The image; of its ``PATH`` only what is absolute, as nothing else is searched."""
        config = self.config or ImageConfig()
        root = self.root_fs or RootFS()
        path = DEFAULT_PATH
        for variable in config.env or ():
            name, _, value = variable.partition("=")
            if name == "PATH":
                path = value
        return Image(
            id=self.id,
            labels=config.labels or {},
            search_path=tuple(_plain(part) for part in path.split(":") if part[:1] == "/"),
            layers=tuple(root.layers or ()),
            command=config.command,
        )


def _plain(path: str) -> str:
    """An absolute path without empty parts, ``.`` and ``..``, as a gate lets it pass."""
    return "/" + posixpath.normpath(path).lstrip("/")


class HostConfig(msgspec.Struct, rename="pascal"):
    """What a container has of its host."""

    network_mode: str = ""
    auto_remove: bool = False


class Begun(msgspec.Struct, frozen=True, rename="pascal"):
    """When a container started."""

    started_at: datetime | None = None


class NetworkEndpoint(msgspec.Struct, rename="pascal"):
    """A container's place in a network."""

    gateway: str = ""


class NetworkSettings(msgspec.Struct, rename="pascal"):
    """The networks that a container is in."""

    networks: dict[str, NetworkEndpoint] | None = None


class InspectedContainer(msgspec.Struct, rename="pascal"):
    """A container, as inspected."""

    config: ImageConfig | None = None
    host_config: HostConfig | None = None
    state: Begun = Begun()
    network_settings: NetworkSettings | None = None

    def surroundings(self) -> Surroundings:
        """What it was started with."""
        config, host = self.config or ImageConfig(), self.host_config or HostConfig()
        pairs = (text.partition("=") for text in config.env or ())
        networks = (self.network_settings or NetworkSettings()).networks or {}
        return Surroundings(
            environment={name: value for name, _, value in pairs},
            is_on_host=host.network_mode == "host",
            started_at=self.state.started_at,
            command=config.command,
            is_interactive=config.open_stdin,
            is_removed=host.auto_remove,
            gateways=tuple(one.gateway for one in networks.values() if one.gateway),
        )


class InspectedExec(msgspec.Struct, rename="pascal"):
    """An exec, as inspected."""

    running: bool
    exit_code: int | None = None
    pid: int | None = None
    can_remove: bool = False

    def state(self) -> ExecState:
        """The state.

        Podman gives the code 0, which says nothing, also to an exec that runs, and to one
        that was never started: that has no process, and is none to be cleared away yet.
        """
        never_ran = self.exit_code == 0 and self.pid == 0 and not self.can_remove
        says_nothing = self.running or never_ran
        return ExecState(
            running=self.running, exit_code=None if says_nothing else self.exit_code
        )


class Top(msgspec.Struct, rename="pascal"):
    """The processes of a container, as the engine's own ``ps`` lists them."""

    titles: list[str] | None = None
    processes: list[list[str]] | None = None

    def list(self) -> list[Process]:
        """The processes, where the columns are those of `PS`.

        Raises:
            EngineError: They are not.
        """
        if [title.strip() for title in self.titles or ()] != PS_TITLES:
            raise EngineError(f"the engine lists processes with the columns {self.titles}")
        try:
            return [
                Process(pid=int(pid), session=int(session), age=_elapsed(elapsed))
                for pid, session, elapsed in self.processes or ()
            ]
        except ValueError as error:
            raise EngineError(f"the engine's answer makes no sense: {error}") from error


def _elapsed(text: str) -> float:
    """Read ``[[days-]hours:]minutes:seconds``."""
    days, _, rest = text.rpartition("-")
    seconds = 0
    for part in rest.split(":"):
        seconds = 60 * seconds + int(part)
    return float(seconds + 86400 * int(days or 0))


_MAX_FILE = 4096


def read_archive(archive: bytes) -> bytes:
    """Take the only file out of a tar.

    Raises:
        EngineError: It is no tar of one plain file of 4 KiB at most.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            member = tar.next()
            file = tar.extractfile(member) if member and member.size <= _MAX_FILE else None
            if file is None:
                raise EngineError("the engine's answer is no small file")
            return file.read()
    except tarfile.TarError as error:
        raise EngineError(f"the engine's answer makes no sense: {error}") from error


class InspectedProcess(msgspec.Struct, frozen=True, rename="pascal"):
    """What an inspected container says of its first process."""

    pid: int = 0
    started_at: str = ""


class InspectedState(msgspec.Struct, rename="pascal"):
    """How an inspected container stands."""

    state: InspectedProcess = InspectedProcess()
