"""Whether a step that waits may start now, and if not, why."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from hookrunner.core.inventory import Inventory
from hookrunner.core.metadata import checkout_volumes
from hookrunner.core.queue import routine_slots
from hookrunner.model import Container, Step
from hookrunner.service.clock import Clock
from hookrunner.service.holding import Holding
from hookrunner.service.settings import Settings
from hookrunner.service.stuck import Stuck
from hookrunner.service.visits import Visits
from hookrunner.service.watcher import Watcher

_ABSENCE = timedelta(seconds=30)
"""How long a step waits for a container that is not there, or paused: longer than a
`docker compose up` takes to replace one; a guess."""


class _Obstacle(msgspec.Struct, frozen=True):
    """What is in a step's way.

    Attributes:
        is_absence: Its container is not there, for which it waits for a while only.
    """

    why: str
    is_absence: bool = False


class Admission:
    """Lets steps start, and knows since when each waits for a container that is away."""

    def __init__(
        self,
        *,
        settings: Settings,
        inventory: Inventory,
        watchers: Mapping[str, Watcher],
        holding: Holding,
        stuck: Stuck,
        clock: Clock,
        visits: Visits,
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._watchers = watchers
        self._holding = holding
        self._stuck = stuck
        self._clock = clock
        self._visits = visits
        self._absent: dict[str, datetime] = {}

    @property
    def overdue_at(self) -> Iterable[datetime]:
        """When each step whose container is away will have waited long enough for it."""
        return self._absent.values()

    def forget(self, step: Step) -> None:
        """Take note that a step runs, or is over."""
        self._absent.pop(step.id, None)

    def is_held(self, step: Step) -> bool:
        """Whether somebody asked to leave its container alone."""
        return self._holding.of_step(step) is not None

    def can_start(self, step: Step, running: Sequence[Step]) -> bool:
        """Whether a step may start, or has waited so long that it may fail."""
        obstacle = self._obstacle(step, running)
        if obstacle is None:
            container = self._inventory.named(step.engine, step.container)
            return container is None or self._visits.make_way(container)
        if obstacle.is_absence:
            return self.is_overdue(step)
        self._absent.pop(step.id, None)
        return False

    def why_it_waits(self, step: Step, running: Sequence[Step]) -> str:
        """Why a step did not start yet, in words.

        Args:
            running: The steps that run.
        """
        now, limit = self._clock.now(), self._settings.config.max_parallel
        if not self.is_held(step):
            if step.held:
                return f"one container of {step.project} goes first"
            if step.not_before is not None and step.not_before > now:
                seconds = (step.not_before - now).total_seconds()
                return f"tries again in {seconds:.0f} s: {step.reason or 'it could not now'}"
        if (obstacle := self._obstacle(step, running)) is not None:
            return obstacle.why
        if len(running) >= limit:
            return f"{len(running)} steps run already (max_parallel: {limit})"
        if step.is_routine and sum(s.is_routine for s in running) >= routine_slots(limit):
            return "other validations that nobody asked for run already"
        return step.reason or "it is about to start"

    def _obstacle(self, step: Step, running: Sequence[Step]) -> _Obstacle | None:
        """What is in a step's way, but for its turn."""
        if (hold := self._holding.of_step(step)) is not None:
            return _Obstacle(str(hold))
        watcher = self._watchers.get(step.engine)
        if watcher is None:
            return None  # it fails, and says so
        if not watcher.is_connected:
            return _Obstacle(f"the engine {step.engine} does not answer")
        container = self._inventory.named(step.engine, step.container)
        if container is None:
            return _Obstacle(f"{step.container} does not run", is_absence=True)
        if (why := self._work_there(container, running)) is not None:
            return _Obstacle(why)
        if container.state != "running":
            return _Obstacle(f"{step.container} is {container.state}", is_absence=True)
        if watcher.is_asking(container):
            return _Obstacle(f"{step.container} is being asked for its metadata")
        why = self._work_beside(container, running)
        return _Obstacle(why) if why is not None else None

    def _work_there(self, container: Container, running: Sequence[Step]) -> str | None:
        if self._stuck.blocks(container):
            return "a step is stuck there, or in a container with the same checkout"
        if any(other.container_id == container.id for other in running):
            return "another step runs in that container"
        return None

    def _work_beside(self, container: Container, running: Sequence[Step]) -> str | None:
        limit = self._settings.project_of(container).max_parallel
        count = sum(step.project == container.project for step in running)
        if limit is not None and count >= limit:
            return f"{count} steps of {container.project} run already (max_parallel: {limit})"
        shares = (step for step in running if self._shares_checkout(container, step))
        if (other := next(shares, None)) is not None:
            return f"{other.container}, which shares its checkout, is at work"
        return None

    def is_overdue(self, step: Step) -> bool:
        """Whether a step waited long enough for a container that is not there."""
        now = self._clock.now()
        return now >= self._absent.setdefault(step.id, now + _ABSENCE)

    def _shares_checkout(self, container: Container, running: Step) -> bool:
        other = self._inventory.get(running.engine, running.container_id)
        if other is None or other.engine != container.engine:
            return False
        return bool(checkout_volumes(container) & checkout_volumes(other))
