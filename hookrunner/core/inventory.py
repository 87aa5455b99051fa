"""All running containers that are known, and the ways in which a push finds them.

A reducer: the watcher tells what it saw, and asks nothing back.
After any order of events the state is that of a fresh listing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hookrunner.core.history import ContainerState
from hookrunner.core.metadata import checkouts
from hookrunner.core.repository import canonical_host, parse_repository_url
from hookrunner.model import Container, RepositoryKey

ContainerKey = tuple[str, str]
"""Engine and container id: one container, until it is removed."""
Place = tuple[str, str]
"""Engine and container name: whatever container has the name."""


class Inventory:
    """The known containers, indexed by what pushes name.

    Args:
        aliases: Other names of hosts, each with the name that stands for it.

    Attributes:
        aliases: As given.
        engines: The engines that were listed at least once.
        states: What was learnt of containers, by engine and name; it outlives their stop.
        version: Another number after every change.
    """

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self.aliases = aliases or {}
        self._containers: dict[ContainerKey, Container] = {}
        self._index: defaultdict[tuple[str, str], dict[ContainerKey, None]] = defaultdict(dict)
        self._entries: dict[ContainerKey, tuple[tuple[str, str], ...]] = {}
        self.engines: set[str] = set()
        self.states: dict[Place, ContainerState] = {}
        self.version = 0

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._containers.values()))

    def __len__(self) -> int:
        return len(self._containers)

    def put(self, container: Container) -> None:
        """Add a container, or take what is new about it."""
        key = (container.engine, container.id)
        self.remove(*key)
        self._containers[key] = container
        self.version += 1
        entries = tuple(self._entries_of(container))
        self._entries[key] = entries
        for entry in entries:
            self._index[entry][key] = None

    def take_aliases(self, aliases: Mapping[str, str]) -> None:
        """Take other names of hosts, and find containers by them from now on."""
        self.aliases = aliases
        for container in self:
            self.put(container)

    def remove(self, engine: str, container_id: str) -> Container | None:
        """Forget a container; return what was known of it."""
        key = (engine, container_id)
        container = self._containers.pop(key, None)
        if container is None:
            return None
        self.version += 1
        for entry in self._entries.pop(key):
            found = self._index[entry]
            del found[key]
            if not found:
                del self._index[entry]
        return container

    def get(self, engine: str, container_id: str) -> Container | None:
        """The container of an id, or None."""
        return self._containers.get((engine, container_id))

    def named(self, engine: str, name: str) -> Container | None:
        """The running container of a name, or None; while two have it, the newer one."""
        found = [one for one in self.find("name", [name]) if one.engine == engine]
        return max(found, key=lambda one: (one.created_at, one.id), default=None)

    def on(self, engine: str) -> list[Container]:
        """All containers of one engine."""
        return self.find("engine", [engine])

    def label(self, engine: str, name: str) -> str:
        """How people see a container's name: with the host in front where names repeat."""
        having = self._index.get(("name", name), {})
        return f"{engine}/{name}" if len(having) > 1 else name

    def find(self, kind: str, values: Iterable[str]) -> list[Container]:
        """The containers that one of the values leads to.

        Args:
            kind: ``repository`` (a key as text), ``path`` (a key's path), ``gitref``,
                ``project``, ``image`` (an image's name), ``name``, ``engine``.
        """
        keys: dict[ContainerKey, None] = {}
        for value in values:
            keys |= self._index.get((kind, value), {})
        return [self._containers[key] for key in keys]

    def repositories(self, container: Container) -> list[RepositoryKey]:
        """The repositories that a container names, its checkouts' included."""
        urls = [container.git_repo]
        if container.metadata is not None:
            urls += [checkout.repository for checkout in checkouts(container.metadata)]
        keys = [parse_repository_url(url) for url in urls if url]
        return [canonical_host(key, self.aliases) for key in keys if key is not None]

    def feeds(self, container: Container) -> list[RepositoryKey]:
        """The repositories that feed a container, where they are several; else nothing."""
        named = list(dict.fromkeys(self.repositories(container)))
        return named if len(named) > 1 else []

    def remember(self, container: Container) -> ContainerState:
        """Take what was learnt of a container, and give it as it is to be recorded."""
        self.put(container)
        state = ContainerState(
            engine=container.engine,
            container=container.name,
            container_id=container.id,
            image_id=container.image_id,
            gitref=container.current_gitref,
            gitrefs=container.gitrefs,
            dirty=container.dirty,
            validity=container.validity,
            monitored=container.monitored,
        )
        self.states[container.engine, container.name] = state
        return state

    def _entries_of(self, container: Container) -> Iterable[tuple[str, str]]:
        yield "engine", container.engine
        yield "name", container.name
        if container.project:
            yield "project", container.project.lower()
        for gitref in {container.gitref, container.current_gitref} - {None}:
            yield "gitref", gitref or ""
        image_name = container.metadata.text("image_name") if container.metadata else None
        for image in {image_name, container.image} - {None}:
            yield "image", (image or "").lower()
        for key in self.repositories(container):
            yield "repository", str(key)
            yield "path", key.path


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an engine answers.

    Attributes:
        error: Why it does not, or None.
        listed: Its containers were listed at least once.
    """

    name: str
    url: str
    listed: bool = False
    error: str | None = None
