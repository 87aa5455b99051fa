"""What every container was given without a push, and when it is to catch up."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec
import structlog

from hookrunner.core.history import KnownPush
from hookrunner.core.inventory import ContainerKey, Place
from hookrunner.core.matching import Known
from hookrunner.core.standing import pushed
from hookrunner.core.upkeep import (
    Attended,
    after_update,
    is_blocked,
    missed,
    to_validate,
    tried_again_after,
)
from hookrunner.model import Action, Container, Step
from hookrunner.service.clock import Clock
from hookrunner.service.recorder import Recorder

log = structlog.get_logger()


class Due(msgspec.Struct, frozen=True):
    """A container that is to catch up.

    Attributes:
        tries: How often it was tried since its start.
        why: What happened to it, behind its name.
        started_at: The start that it is for, by the engine's clock; None for a later try.
    """

    at: datetime
    tries: int = 0
    container_id: str = ""
    started_at: datetime | None = None
    why: str = "started behind"


class Upkeep:
    """Remembers; `hookrunner.service.catchup` acts on it.

    Args:
        known: Gives what is known now.
        attended: As it was recorded.

    Attributes:
        due: The containers that are to catch up, by engine and name.
        throwaway: Those in which somebody only tries something, by engine and id: nothing
            comes to them at intervals.
        wake: Set when there is something new to do.
    """

    def __init__(
        self, *, known: Callable[[], Known], recorder: Recorder, attended: Iterable[Attended]
    ) -> None:
        self.due: dict[Place, Due] = {}
        self.throwaway: set[ContainerKey] = set()
        self.wake = asyncio.Event()
        self.clock = Clock()
        self._known = known
        self._recorder = recorder
        self._attended = {(one.engine, one.container): one for one in attended}
        self._tries: dict[Place, int] = {}

    @property
    def engines(self) -> set[str]:
        """The engines of which anything was ever recorded."""
        return {engine for engine, _ in self._attended}

    def of(self, container: Container) -> Attended:
        """What a container was given."""
        return self._at((container.engine, container.name))

    def _at(self, place: Place) -> Attended:
        return self._attended.get(place) or Attended(engine=place[0], container=place[1])

    def put(self, attended: Attended) -> None:
        """Remember what a container was given."""
        self._attended[attended.engine, attended.container] = attended
        self._recorder.put(attended=[attended])

    def missed(self, container: Container, *, insist: bool) -> KnownPush | None:
        """The push that a container is to catch up with, or None.

        Args:
            insist: Also where it would only repeat what ended badly.
        """
        for pushes, newest in pushed(container, self._known()):
            if newest is None or missed(container, pushes, newest) is None:
                continue
            if insist or not is_blocked(container, newest, self._attended.values()):
                return newest
            log.info("no catch-up", container=container.name, reason="it ended badly before")
        return None

    def is_blocked(self, container: Container) -> bool:
        """Whether an update would only repeat what ended badly."""
        found = [one for _, one in pushed(container, self._known()) if one]
        newest: list[KnownPush | None] = [*found] or [None]
        return any(is_blocked(container, one, self._attended.values()) for one in newest)

    def _newest(self, container: Container, repository: str) -> KnownPush | None:
        """The last push for a container, of the repository that a step was about."""
        found = [one for _, one in pushed(container, self._known()) if one]
        told = [one for one in found if one.repository == repository]
        return next(iter([*told, *found]), None)

    def fell_behind(self, containers: Iterable[Container]) -> None:
        """Have containers catch up with what was found, as far as they are behind it."""
        for container in containers:
            due = Due(at=self.clock.now(), why="found behind")
            self.due.setdefault((container.engine, container.name), due)
        self.wake.set()

    def tried(self, container: Container, due: Due) -> None:
        """Note that a container catches up now."""
        self._tries[container.engine, container.name] = due.tries

    def ended(self, step: Step) -> None:
        """Take the end of a step; what is remembered is recorded along with it."""
        place = (step.engine, step.container)
        before = self._at(place)
        after = to_validate(before, step, self.clock.now())
        if step.action is Action.update:
            container = self._known().inventory.named(*place)
            newest = self._newest(container, step.repository) if container else None
            after = after_update(after, step, newest)
        if after != before:
            self.put(after)
        if after != before or after.unvalidated is not None:  # who waits for a quiet container
            self.wake.set()
        if step.action is Action.update:
            tries = self._tries.pop(place, 0)
            delay = tried_again_after(step, tries)
            if delay is not None:
                self._again(place, delay, tries)

    def _again(self, place: Place, delay: timedelta, tries: int) -> None:
        log.info("catch-up tried again", container=place[1], seconds=delay.total_seconds())
        self.due[place] = Due(at=self.clock.now() + delay, tries=tries + 1)
        self.wake.set()
