"""What runs: containers with their metadata, and what engines say of them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from hookrunner.model.runs import Action
from hookrunner.units import parse_duration


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A data directory in a container that is a git checkout.

    Attributes:
        repository: Its clone URL; None means the container's ``git_repo``.
        branch: Its branch; None means the container's.
    """

    path: str
    repository: str | None = None
    branch: str | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a running container's project, key by key from the best origin.

    Attributes:
        keys: The merged keys of the container standard, those of the user included.
        origins: Where each key came from: ``container label``, ``configuration``,
            ``image label``, ``container --metadata``, ``OCI label``; of runtime facts:
            ``environment``, ``engine``.
        problems: What is wrong with what was said, in words; it was left out.
    """

    keys: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: tuple[str, ...] = ()

    def text(self, key: str) -> str | None:
        """The value of a key where it is a string that is not empty."""
        value = self.keys.get(key)
        return value if isinstance(value, str) and value else None


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """What a container's last validation said.

    Attributes:
        since: When the first of the validations in a row ended that said so.
        at: When the last one ended.
        reason: Why it is not valid; None where it is.
    """

    valid: bool
    since: datetime
    at: datetime
    reason: str | None = None


class Probe(StrEnum):
    """What a container is asked at intervals, beside any step."""

    monitor = "monitor"
    metrics = "metrics"


class MonitorState(StrEnum):
    """What ``container --monitor`` says, in the style of monitoring plug-ins.

    Source:
        https://www.monitoring-plugins.org/doc/guidelines.html
    """

    ok = "ok"
    warning = "warning"
    critical = "critical"
    unknown = "unknown"


class MonitorChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a container's state.

    Attributes:
        at: When it was first seen.
        text: The line that went with it.
    """

    state: MonitorState
    at: datetime
    text: str


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """How a container is, by its own word.

    Attributes:
        since: When it was first seen in this state.
        at: When it was last asked.
        text: The line that it said then.
        changes: How its state changed, newest first; the first is how it came to this one.
    """

    state: MonitorState
    since: datetime
    at: datetime
    text: str
    changes: tuple[MonitorChange, ...] = ()


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A running container as the inventory knows it.

    Attributes:
        image: The name that it was started from.
        labels: The container's labels, those of its image included.
        state: ``running`` or ``paused``.
        health: ``healthy``, ``unhealthy``, ``starting``, or None without a health check.
        mounts: What it mounts: a volume's name or a host path, by the place in the container.
        metadata: None while it is still being asked.
        runtime: What is known of its start: ``deployed_at``, ``deployed_by``,
            ``deployed_reason``, ``deployed_node``, all of them text.
        methods: The actions that it can do.
        probes: What it may be asked at intervals; who has them unsaid is asked to find out.
        wrapped: A POSIX shell is there, so actions run in the wrapper.
        gitref: The commit of the build; None if unknown.
        current_gitref: The commit that it serves; None if unknown.
        gitrefs: Where several repositories feed it, the commit that it serves of each that
            is known, by the repository's key as text.
        dirty: Its last step did not succeed, so what lies on its disk is not known.
        validity: None where it was never validated.
        monitored: None where it was never asked how it is, or has no word for it.
    """

    id: str
    name: str
    engine: str
    image: str
    image_id: str
    created_at: datetime
    labels: dict[str, str] = {}
    state: str = "running"
    health: str | None = None
    mounts: dict[str, str] = {}
    metadata: Metadata | None = None
    runtime: Metadata = Metadata()
    methods: frozenset[Action] = frozenset()
    probes: frozenset[Probe] = frozenset()
    wrapped: bool = False
    current_gitref: str | None = None
    gitrefs: dict[str, str] = {}
    dirty: bool = False
    validity: Validity | None = None
    monitored: Monitored | None = None

    def names(self, probe: Probe) -> bool:
        """Whether its metadata says that it has an answer to that."""
        return self.metadata is not None and f"{probe}_method" in self.metadata.keys

    def gitref_of(self, repository: str) -> str | None:
        """The commit that it serves of a repository, or None if that is not known.

        Args:
            repository: The repository's key as text.
        """
        return self.gitrefs.get(repository) if self.gitrefs else self.current_gitref

    @property
    def project(self) -> str:
        """What its metadata says it belongs to; empty if nothing does."""
        return (self.metadata.text("project") if self.metadata else None) or ""

    @property
    def gitref(self) -> str | None:
        """The commit embedded at build time, or None."""
        return self.metadata.text("gitref") if self.metadata else None

    @property
    def git_repo(self) -> str | None:
        """The clone URL of the repository that it was built from, or None."""
        return self.metadata.text("git_repo") if self.metadata else None

    @property
    def git_branch(self) -> str | None:
        """The branch that it was built from, or None."""
        return self.metadata.text("git_branch") if self.metadata else None

    @property
    def validate_every(self) -> float | None:
        """Seconds between its validations; None where it has none at intervals."""
        told = self.metadata.text("validate_every") if self.metadata else None
        return parse_duration(told) if told else None


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a container was started with.

    Attributes:
        environment: Its variables, as far as the engine tells.
        is_on_host: It shares the machine's network.
        gateways: The addresses by which it reaches its machine, one for each network.
        started_at: When it started last, by the engine's clock.
        command: What it runs, with its entrypoint in front.
        is_interactive: Its standard input is open.
        is_removed: It is gone once it stops (``--rm``).
    """

    environment: dict[str, str] = {}
    is_on_host: bool = False
    gateways: tuple[str, ...] = ()
    started_at: datetime | None = None
    command: tuple[str, ...] = ()
    is_interactive: bool = False
    is_removed: bool = False

    def is_throwaway(self, image: "Image") -> bool:
        """Whether somebody only tries something in it.

        It is gone once it stops, and runs something else than its image is for, or waits
        for somebody to type.
        """
        return self.is_removed and (self.is_interactive or self.command != image.command)


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says of an image.

    Attributes:
        search_path: The directories of its ``PATH``, in order.
        layers: The ids of its layers, lowest first.
        command: What its containers run unless told otherwise, with the entrypoint in front.
    """

    id: str
    labels: dict[str, str] = {}
    search_path: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


class EngineEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says happened to a container.

    Attributes:
        action: ``start``, ``die``, ``destroy``, ``rename``, ``pause``, ``unpause`` or
            ``health_status``.
        at: Seconds since the epoch, by the engine's clock.
    """

    action: str
    container_id: str
    at: float


class ExecState(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine says of an exec.

    Attributes:
        running: Its process runs, as far as the engine knows.
        exit_code: None while it runs, and where it never started.
    """

    running: bool
    exit_code: int | None
