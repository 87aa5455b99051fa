"""Validate what nobody asked about: after starts, after updates, and at intervals."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from hookrunner.core.inventory import Inventory, Place
from hookrunner.core.spreading import due_at
from hookrunner.core.upkeep import RELOADED
from hookrunner.model import Action, Container, Trigger
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.intake import Intake
from hookrunner.service.upkeep import Upkeep
from hookrunner.units import format_duration

BY = "hookrunner"
"""Who asks for what nobody asked for."""

_STARTED, _UPDATED = "{} started", "after the update of {}"


class Validating:
    """Begins what is due; `hookrunner.service.catchup` asks it to look.

    Attributes:
        due: When each container is due next, by engine and name.
    """

    def __init__(
        self,
        *,
        inventory: Inventory,
        dispatcher: Dispatcher,
        intake: Intake,
        upkeep: Upkeep,
    ) -> None:
        self._inventory = inventory
        self._dispatcher = dispatcher
        self._intake = intake
        self._upkeep = upkeep
        self._began = upkeep.clock.now()
        self._begun: dict[Place, datetime] = {}
        self.due: dict[Place, datetime] = {}

    async def after_starts(self, containers: Iterable[Container]) -> None:
        """Validate containers that started."""
        await self._begin(containers, _STARTED)

    async def begin_due(self) -> None:
        """Validate the containers that are due, each in its turn."""
        now = self._upkeep.clock.now()
        occupied = {(step.engine, step.container) for step in self._dispatcher.open_steps}
        groups: defaultdict[str, list[Container]] = defaultdict(list)
        self.due = {}
        for container in self._inventory:
            if (found := self._next(container, occupied, now)) is None:
                continue
            due, why = found
            if due <= now:
                groups[why].append(container)
            else:
                self.due[_place(container)] = due
        for why, containers in groups.items():
            await self._begin(containers, why)
        there = {_place(container) for container in self._inventory}
        self._begun = {place: at for place, at in self._begun.items() if place in there}

    def _next(
        self, container: Container, occupied: set[Place], now: datetime
    ) -> tuple[datetime, str] | None:
        """When and why a container is validated next, as far as that is known."""
        place = _place(container)
        is_throwaway = (container.engine, container.id) in self._upkeep.throwaway
        if is_throwaway or container.state != "running" or not _is_able(container):
            return None
        since, every = self._upkeep.of(container).unvalidated, container.validate_every
        if since is not None and place not in occupied:
            return since + RELOADED, _UPDATED
        if every is None:
            return None
        last = min(self._last(container, now), now)
        due = due_at("/".join(place), every, last=last, began=self._began)
        if due <= now and place in occupied:  # whatever goes on there says more
            self._begun[place] = now
            due = due_at("/".join(place), every, last=now, began=self._began)
        return due, f"every {format_duration(every)}: {{}}"

    def _last(self, container: Container, now: datetime) -> datetime:
        """When a container was last validated; where it never was, when that was first seen."""
        told = container.validity.at if container.validity else None
        begun = self._begun.get(_place(container))
        if told is None and begun is None:
            begun = self._begun[_place(container)] = now
        return max(at for at in (told, begun) if at is not None)

    async def _begin(self, containers: Iterable[Container], why: str) -> None:
        """Begin a run for each project."""
        projects: defaultdict[str, list[Container]] = defaultdict(list)
        for container in filter(_is_able, containers):
            projects[container.project].append(container)
        for group in projects.values():
            await self._intake.begin(
                Trigger.schedule,
                Action.validate,
                group,
                requested_by=BY,
                reason=why.format(names(group)),
            )
            for container in group:
                self._begun[_place(container)] = self._upkeep.clock.now()
                attended = self._upkeep.of(container)
                if attended.unvalidated is not None:
                    self._upkeep.put(replace(attended, unvalidated=None))


def names(containers: Iterable[Container]) -> str:
    """The names of containers, for people."""
    return ", ".join(container.name for container in containers)


def _place(container: Container) -> Place:
    return (container.engine, container.name)


def _is_able(container: Container) -> bool:
    return Action.validate in container.methods
