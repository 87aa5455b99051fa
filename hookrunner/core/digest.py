"""What happened since some time, and how things stand now: what somebody reads once a day."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from hookrunner.core.outcome import FAILURES
from hookrunner.core.standing import Standing
from hookrunner.core.upkeep import built_at
from hookrunner.model import (
    Action,
    Container,
    MonitorState,
    Outcome,
    Run,
    Status,
    Step,
)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The container that something is said of, as people name it."""

    project: str | None
    container: str
    host: str


class Updated(About, frozen=True, kw_only=True):
    """A container that was updated: how often, from what it served first to what it serves."""

    times: int
    gitref_before: str | None
    gitref: str | None
    at: datetime
    run: str


class Failed(About, frozen=True, kw_only=True):
    """What failed in a container, the last time told; `is_over`: it went well since."""

    action: Action
    times: int
    status: Status
    outcome: Outcome | None
    reason: str
    at: datetime
    run: str
    is_over: bool


class Behind(About, frozen=True, kw_only=True):
    """A container that does not serve what was pushed."""

    current_gitref: str | None
    pushed_gitref: str | None
    since: datetime | None


class OldImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that should be built anew: a push touched what it is made of, or it is old."""

    project: str | None
    image: str
    containers: list[str]
    built_at: datetime
    image_behind: bool
    is_old: bool


class Ailing(About, frozen=True, kw_only=True):
    """What is wrong with a container: ``invalid``, ``dirty``, ``stuck``, or its own word."""

    what: str
    since: datetime | None
    reason: str


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `is_cut`: there were more runs than were looked at, the newest ones."""

    since: datetime
    until: datetime
    url: str | None
    runs: dict[Status, int]
    is_cut: bool
    containers: int
    engines_away: list[str]
    updated: list[Updated]
    failed: list[Failed]
    behind: list[Behind]
    images: list[OldImage]
    ailing: list[Ailing]


Name = Callable[[str, str], str]
"""How people see a container's name, of its engine and its name."""
Ran = tuple[Run, Sequence[Step]]
"""A run with its steps in order."""


def updated(runs: Iterable[Ran], name: Name) -> list[Updated]:
    """The containers that were updated.

    Args:
        runs: Oldest first.
    """
    found: dict[tuple[str, str], Updated] = {}
    for step in _ended(runs):
        if step.outcome is not Outcome.updated or step.finished_at is None:
            continue
        place = (step.engine, step.container)
        earlier = found.get(place)
        found[place] = Updated(
            project=step.project or None,
            container=name(*place),
            host=step.engine,
            times=earlier.times + 1 if earlier else 1,
            gitref_before=earlier.gitref_before if earlier else step.gitref_before,
            gitref=step.gitref,
            at=step.finished_at,
            run=step.run,
        )
    return sorted(found.values(), key=_by_name)


def failed(runs: Iterable[Ran], name: Name) -> list[Failed]:
    """What failed, and whether it went well since; what did not stands first.

    Args:
        runs: Oldest first.
    """
    found: dict[tuple[str, str, Action], Failed] = {}
    for step in _ended(runs):
        key = (step.engine, step.container, step.action)
        earlier = found.get(key)
        if step.status in FAILURES and step.finished_at is not None:
            found[key] = Failed(
                project=step.project or None,
                container=name(step.engine, step.container),
                host=step.engine,
                action=step.action,
                times=earlier.times + 1 if earlier else 1,
                status=step.status,
                outcome=step.outcome,
                reason=step.reason or f"exit code {step.exit_code}",
                at=step.finished_at,
                run=step.run,
                is_over=False,
            )
        elif earlier is not None and _is_good(step):
            found[key] = replace(earlier, is_over=True)
    return sorted(found.values(), key=lambda one: (one.is_over, *_by_name(one)))


def _ended(runs: Iterable[Ran]) -> Iterator[Step]:
    steps = (step for _, some in runs for step in some if step.finished_at is not None)
    return iter(sorted(steps, key=lambda step: (step.finished_at, step.id)))


def _is_good(step: Step) -> bool:
    return step.status is Status.succeeded or step.outcome is Outcome.current


def _by_name(one: About) -> tuple[str, str]:
    return one.project or "", one.container


def behind(containers: Iterable[tuple[Container, Standing]], name: Name) -> list[Behind]:
    """The containers that are behind, the one that has been longest first."""
    found = [
        Behind(
            project=one.project or None,
            container=name(one.engine, one.name),
            host=one.engine,
            current_gitref=one.current_gitref,
            pushed_gitref=stands.pushed_gitref,
            since=stands.behind_since,
        )
        for one, stands in containers
        if stands.behind
    ]
    return sorted(found, key=lambda one: (one.since is None, one.since, *_by_name(one)))


def old_images(
    containers: Iterable[tuple[Container, Standing]], name: Name, *, before: datetime
) -> list[OldImage]:
    """The images that should be built anew, the oldest first.

    Args:
        before: What was built before that is old.
    """
    users: defaultdict[tuple[str, str], list[tuple[Container, Standing]]] = defaultdict(list)
    for container, stands in containers:
        users[container.project, container.image_id].append((container, stands))
    found = []
    for (project, _), some in users.items():
        built = min(built_at(container) for container, _ in some)
        is_behind = any(stands.image_behind for _, stands in some)
        if is_behind or built < before:
            found.append(
                OldImage(
                    project=project or None,
                    image=some[0][0].image,
                    containers=sorted(name(one.engine, one.name) for one, _ in some),
                    built_at=built,
                    image_behind=is_behind,
                    is_old=built < before,
                )
            )
    return sorted(found, key=lambda one: (one.built_at, one.project or "", one.image))


def ailing(containers: Iterable[Container], stuck: Iterable[Step], name: Name) -> list[Ailing]:
    """What is wrong with containers now."""
    found = [
        Ailing(
            project=step.project or None,
            container=name(step.engine, step.container),
            host=step.engine,
            what="stuck",
            since=step.finished_at,
            reason=step.reason or "",
        )
        for step in stuck
    ]
    for one in containers:
        for what, since, reason in _ills(one):
            found.append(
                Ailing(
                    project=one.project or None,
                    container=name(one.engine, one.name),
                    host=one.engine,
                    what=what,
                    since=since,
                    reason=reason,
                )
            )
    return sorted(found, key=lambda one: (*_by_name(one), one.what))


def _ills(container: Container) -> Iterator[tuple[str, datetime | None, str]]:
    if container.validity is not None and not container.validity.valid:
        yield "invalid", container.validity.since, container.validity.reason or ""
    if container.dirty:
        yield "dirty", None, "its last update did not succeed"
    told = container.monitored
    if told is not None and told.state is not MonitorState.ok:
        yield told.state.value, told.since, told.text


def counted(runs: Iterable[Ran]) -> dict[Status, int]:
    """How many runs stand how."""
    return dict(sorted(Counter(run.status for run, _ in runs).items()))
