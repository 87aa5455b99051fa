"""What containers get without a push: after a start, and at intervals.

A broken revision must not be run again and again: what ended badly is remembered by the
commit that was newest then, and left alone until another one is pushed or somebody insists.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from hookrunner.core.history import KnownPush
from hookrunner.core.routine import GAVE_WAY
from hookrunner.model import Action, Container, Outcome, Status, Step, Trigger

RELOADED = timedelta(seconds=5)
"""How long a container gets after an update before it is validated: services reload in the
background, and of several updates in a row the last one counts. A guess."""

SETTLED = timedelta(seconds=30)
"""How long a container that does not say that it is healthy gets before it is looked after."""

CATCH_UPS = 3
"""How often a container catches up within `WINDOW`."""
WINDOW = timedelta(hours=1)
"""As the contract has it."""

TRY_AGAIN = (timedelta(minutes=2), timedelta(minutes=10))
"""When a catch-up that ended `error` is tried again: after a host's reboot the resolver and
the git server may come up later than the container. What ran because of a push is not."""


class Broken(msgspec.Struct, frozen=True):
    """An update that ended badly, after it ran.

    Attributes:
        after: The newest commit that was known then; None if none was.
        container_id: Where it says something about this container alone, since it stopped
            in mid-update; None where it says something about the commit.
    """

    after: str | None
    container_id: str | None = None


class Attended(msgspec.Struct, frozen=True, kw_only=True):
    """What a container was given, by its name: a container that takes its place goes on.

    Attributes:
        started_at: The start that was taken care of, as the engine tells it, of
            `container_id`.
        catch_ups: When it caught up within the last hour.
        broken: How its last update ended, where that was badly.
        unvalidated: Since when it is to be validated, after an update; None where it is not.
    """

    engine: str
    container: str
    project: str = ""
    container_id: str = ""
    started_at: datetime | None = None
    catch_ups: tuple[datetime, ...] = ()
    broken: Broken | None = None
    unvalidated: datetime | None = None


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """When the updates of a project that come at intervals were last begun."""

    project: str
    at: datetime


def after_update(attended: Attended, step: Step, newest: KnownPush | None) -> Attended:
    """Take the end of an update.

    Args:
        newest: The newest push that is known for the container.
    """
    if step.status is Status.succeeded:
        return msgspec.structs.replace(attended, project=step.project, broken=None)
    bad = step.status in {Status.timed_out, Status.stuck} or (
        step.status is Status.failed and step.outcome in {Outcome.invalid, Outcome.error}
    )
    if not bad or step.started_at is None:
        return attended
    is_lost = step.status is Status.failed and step.exit_code is None
    after = step.after or (newest.after if newest else None)
    broken = Broken(after, step.container_id if is_lost else None)
    return msgspec.structs.replace(attended, project=step.project, broken=broken)


def to_validate(attended: Attended, step: Step, now: datetime) -> Attended:
    """Take the end of a step for whether its container is to be validated.

    It is after every update that ran, after the last one of several in a row, but not after
    one that said itself that what it brought is invalid.
    """
    since = attended.unvalidated
    gave_way = step.status is Status.cancelled and step.reason == GAVE_WAY
    if step.action is Action.validate:
        if step.started_at is not None:
            since = now if gave_way else None
    elif step.outcome is Outcome.invalid:
        since = None
    elif step.outcome is not Outcome.retry and (
        step.exit_code is not None or step.status is Status.timed_out
    ):
        since = now
    return msgspec.structs.replace(attended, unvalidated=since)


def is_blocked(
    container: Container, newest: KnownPush | None, attended: Iterable[Attended]
) -> bool:
    """Tell whether an update would only repeat what ended badly.

    Args:
        newest: The newest push that is known for the container.
        attended: Of all containers: a commit that is broken in one is not tried in another
            one of the project.
    """
    after = newest.after if newest else None
    return any(
        one.broken is not None
        and one.broken.after == after
        and (
            one.broken.container_id == container.id
            or (one.broken.container_id is None and _is_kin(one, container))
        )
        for one in attended
    )


def _is_kin(attended: Attended, container: Container) -> bool:
    if (attended.engine, attended.container) == (container.engine, container.name):
        return True
    return bool(container.project) and attended.project == container.project


def missed(container: Container, pushes: list[KnownPush], newest: KnownPush) -> str | None:
    """Say why a container that started is to catch up with a push, or None.

    Args:
        pushes: All known pushes of the ref, oldest first; `newest` is one of them.
        newest: The last of them that counts for the container.
    """
    place = pushes.index(newest)
    gitref = container.gitref_of(newest.repository)
    if gitref is not None:
        if any(gitref == p.after or gitref in p.commits for p in pushes[place + 1 :]):
            return None
        if gitref == newest.after:
            return "its last update did not succeed" if container.dirty else None
        earlier = pushes[: place + 1]
        if any(gitref in {p.before, p.after} or gitref in p.commits for p in earlier):
            return f"it serves the earlier {gitref[:12]}"
    if built_at(container) < newest.received_at:
        return f"it was built before {(newest.after or '')[:12]} was pushed"
    return None


def built_at(container: Container) -> datetime:
    """When a container's image was built, at the latest."""
    told = container.metadata.keys.get("build_time_stamp") if container.metadata else None
    if isinstance(told, int | float) and not isinstance(told, bool) and told > 0:
        try:
            return min(container.created_at, datetime.fromtimestamp(told, UTC))
        except (OverflowError, OSError, ValueError):
            return container.created_at
    return container.created_at


def may_catch_up_at(attended: Attended, now: datetime) -> datetime:
    """The first time from `now` on at which a container may catch up once more."""
    recent = sorted(at for at in attended.catch_ups if now - WINDOW < at <= now)
    return now if len(recent) < CATCH_UPS else recent[-CATCH_UPS] + WINDOW


def caught_up(attended: Attended, now: datetime) -> Attended:
    """Note that a container catches up now."""
    recent = [at for at in attended.catch_ups if now - WINDOW < at <= now]
    return msgspec.structs.replace(attended, catch_ups=(*recent, now))


def ready_at(container: Container, since: datetime, now: datetime) -> datetime:
    """When a container that started may be looked after.

    Args:
        since: When it started.
    """
    return now if container.health == "healthy" else since + SETTLED


def tried_again_after(step: Step, tries: int) -> timedelta | None:
    """How long after a catch-up's end it is tried again, or None.

    Args:
        tries: How often it was tried before.
    """
    is_error = step.trigger is Trigger.catch_up and step.outcome is Outcome.error
    if not is_error or step.exit_code is None or tries >= len(TRY_AGAIN):
        return None
    return TRY_AGAIN[tries]


def next_due(last: datetime | None, every: float, now: datetime) -> datetime:
    """When something that comes at intervals is due.

    Args:
        last: When it was last begun, or None: then it is first due after a whole interval.
        every: Seconds.
    """
    return min(last or now, now) + timedelta(seconds=every)
