"""Whether a step that waits may start now: its container is there, free, and not held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from hookrunner.core.inventory import Inventory
from hookrunner.core.metadata import checkout_volumes
from hookrunner.model import Container, Step
from hookrunner.service.clock import Clock
from hookrunner.service.holding import Holding
from hookrunner.service.settings import Settings
from hookrunner.service.stuck import Stuck
from hookrunner.service.watcher import Watcher

_ABSENCE = timedelta(seconds=30)
"""How long a step waits for a container that is not there, or paused: longer than a
`docker compose up` takes to replace one; a guess."""


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
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._watchers = watchers
        self._holding = holding
        self._stuck = stuck
        self._clock = clock
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
        if self.is_held(step):
            self._absent.pop(step.id, None)
            return False
        watcher = self._watchers.get(step.engine)
        if watcher is None:
            return True
        if not watcher.is_connected:
            return False
        container = self._inventory.named(step.engine, step.container)
        if container is not None and (
            self._stuck.blocks(container)
            or any(other.container_id == container.id for other in running)
        ):
            self._absent.pop(step.id, None)
            return False
        if container is None or container.state != "running":
            return self.is_overdue(step)
        if watcher.is_asking(container):
            return False
        project = self._settings.project_of(container)
        limit = project.max_parallel
        if limit is not None and limit <= sum(s.project == container.project for s in running):
            return False
        return not any(self._shares_checkout(container, other) for other in running)

    def is_overdue(self, step: Step) -> bool:
        """Whether a step waited long enough for a container that is not there."""
        now = self._clock.now()
        return now >= self._absent.setdefault(step.id, now + _ABSENCE)

    def _shares_checkout(self, container: Container, running: Step) -> bool:
        other = self._inventory.get(running.engine, running.container_id)
        if other is None or other.engine != container.engine:
            return False
        return bool(checkout_volumes(container) & checkout_volumes(other))
