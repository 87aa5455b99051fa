"""Holds: containers in which nothing is to start until somebody releases them.

What a hold covers is looked up when it matters, so that a container that takes another's
place is held too.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from hookrunner.core.inventory import Place
from hookrunner.core.selection import Selector
from hookrunner.core.tokens import reaches, reaches_all
from hookrunner.model import Container, Step

Find = Callable[[Selector], Collection[Container]]
"""The running containers that a selector means."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked to be left alone.

    Attributes:
        scope: The pattern of the projects that whoever asked may touch.
        requested_by: As in a run: ``token NAME``, ``user NAME``.
        until: When it ends by itself, or None.
    """

    id: str
    selector: Selector
    requested_by: str
    created_at: datetime
    scope: str = "*"
    reason: str | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        end = f" until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        why = f": {self.reason}" if self.reason else ""
        return f"held by {self.requested_by}{end}{why}"

    def is_over(self, now: datetime) -> bool:
        """It ended by itself."""
        return self.until is not None and self.until <= now

    def reaches(self, project: str) -> bool:
        """Whoever asked may touch the project's containers."""
        return reaches(self.scope, project)


class Holds:
    """All holds, by id."""

    def __init__(self, holds: Iterable[Hold] = ()) -> None:
        self._holds = {hold.id: hold for hold in holds}

    def __iter__(self) -> Iterator[Hold]:
        return iter(list(self._holds.values()))

    def __bool__(self) -> bool:
        return bool(self._holds)

    def put(self, hold: Hold) -> None:
        """Add a hold."""
        self._holds[hold.id] = hold

    def remove(self, hold_id: str) -> None:
        """Forget a hold, if it is there."""
        self._holds.pop(hold_id, None)

    def over(self, now: datetime) -> list[Hold]:
        """Those that ended by themselves."""
        return [hold for hold in self._holds.values() if hold.is_over(now)]

    def next_end(self) -> datetime | None:
        """When the next one ends by itself."""
        return min((hold.until for hold in self._holds.values() if hold.until), default=None)

    def places(self, find: Find) -> dict[Place, Hold]:
        """The running containers that are held, each with the hold that ends last."""
        found: dict[Place, Hold] = {}
        for hold in sorted(self._holds.values(), key=_lasting):
            found |= {(c.engine, c.name): hold for c in covered(hold, find)}
        return found

    def of_step(self, step: Step, places: Mapping[Place, Hold]) -> Hold | None:
        """The hold for which a step waits, or None.

        Args:
            places: As `places` gives them. A container that is not there is judged by what
                its step knows.
        """
        held = places.get((step.engine, step.container))
        if held is not None:
            return held
        return next((hold for hold in self._holds.values() if _names(hold, step)), None)


def covered(hold: Hold, find: Find) -> list[Container]:
    """The running containers that a hold covers."""
    return [one for one in find(hold.selector) if hold.reaches(one.project)]


def released_by(
    selector: Selector, holds: Iterable[Hold], find: Find, *, scope: str
) -> list[Hold]:
    """The holds that a release ends: of that very selector, or of nothing beyond it.

    Args:
        scope: The pattern of the projects that the caller may touch; holds that reach
            further stay.
    """
    meant = {(c.engine, c.id) for c in find(selector)}
    found = []
    for hold in holds:
        reached = covered(hold, find)
        places = {(c.engine, c.id) for c in reached}
        is_meant = hold.selector == selector or (bool(places) and places <= meant)
        if is_meant and _may_release(hold, reached, scope):
            found.append(hold)
    return found


def _may_release(hold: Hold, reached: Collection[Container], scope: str) -> bool:
    if reaches_all(scope) or scope == hold.scope:
        return True
    names = {one.project for one in reached}
    if hold.selector.kind == "project":
        names.add(hold.selector.value)
    return bool(names) and all(reaches(scope, name) for name in names)


def _lasting(hold: Hold) -> tuple[bool, datetime]:
    return (hold.until is None, hold.until or hold.created_at)


def _names(hold: Hold, step: Step) -> bool:
    """Whether a hold means a step's container, by the words of the step alone."""
    selector = hold.selector
    told = {
        "project": {step.project.lower()},
        "container": {step.container, f"{step.engine}/{step.container}", step.container_id},
        "image": {step.image.lower(), step.image.lower().removesuffix(":latest")},
        "repository": {step.repository, step.repository.partition("/")[2]},
    }[selector.kind]
    value = selector.value if selector.kind == "container" else selector.value.lower()
    return hold.reaches(step.project) and value in told
