"""What a push or a request comes to: the run with its steps, as things are now.

It records what it finds together with whatever its caller records, and starts nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from hookrunner.adapters.store import Changes, Store
from hookrunner.core.eligibility import Idle
from hookrunner.core.history import Binding, History
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known, Match
from hookrunner.core.outcome import run_status
from hookrunner.core.planning import Planned, plan
from hookrunner.errors import StoreError
from hookrunner.model import Container, Run, Status, Step
from hookrunner.service.holding import Holding
from hookrunner.service.settings import Settings
from hookrunner.units import new_id


class Planner:
    """Makes runs, and remembers which repository each project was found by.

    Args:
        bindings: The projects that pushes found, by name; grows.
        last_id: The newest id that is recorded; every new one sorts behind it.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        inventory: Inventory,
        history: History,
        bindings: dict[str, Binding],
        holding: Holding,
        last_id: str,
    ) -> None:
        self._settings = settings
        self._store = store
        self._inventory = inventory
        self._history = history
        self._bindings = bindings
        self._holding = holding
        self._last_id = last_id
        self._unsaved: dict[str, Binding] = {}

    @property
    def known(self) -> Known:
        """What a match looks at."""
        return Known(
            config=self._settings.config,
            inventory=self._inventory,
            history=self._history,
            bindings=self._bindings,
        )

    def new_id(self, at: datetime) -> str:
        """Make an id that sorts behind all others: which push is newer depends on it."""
        self._last_id = new_id(at, after=self._last_id)
        return self._last_id

    def plan_match(self, run: Run, found: Match) -> tuple[Run, list[Step]]:
        """Make the steps of a push's run, and remember what it found."""
        repository = str(found.repository)
        targets = []
        for verdict in found.targets:
            container = self._inventory.get(verdict.engine, verdict.container_id)
            if container is None:
                continue
            self._bind(container, repository, verdict.rule)
            has_method = run.action in container.methods  # then it serves the push already
            idle = Idle(verdict.reason, is_current=has_method) if verdict.skipped else None
            targets.append(self._planned(container, repository, idle))
        return _planned_run(run, targets, force=False)

    def plan_request(
        self,
        run: Run,
        containers: Sequence[Container],
        *,
        repository: str | None,
        force: bool,
    ) -> tuple[Run, list[Step]]:
        """Make the steps of a run in these containers.

        Args:
            repository: The key, as text, of the one that it is about; None: each
                container's own.
        """
        targets = [
            self._planned(
                container,
                repository or next(map(str, self._inventory.repositories(container)), ""),
                None
                if run.action in container.methods
                else Idle(f"it has no {run.action} method"),
            )
            for container in containers
        ]
        return _planned_run(run, targets, force=force)

    async def save(self, changes: Changes) -> None:
        """Record changes, and with them the bindings that no transaction took yet.

        Raises:
            StoreError: It could not be recorded.
        """
        bindings = self._unsaved
        self._unsaved = {}
        try:
            await self._store.save(replace(changes, bindings=tuple(bindings.values())))
        except StoreError:
            self._unsaved = bindings | self._unsaved
            raise

    def _planned(self, container: Container, repository: str, idle: Idle | None) -> Planned:
        return Planned(
            container=container,
            project=self._settings.project_of(container),
            repository=repository,
            held=(container.engine, container.name) in self._holding.places(),
            idle=idle,
        )

    def _bind(self, container: Container, repository: str, rule: str) -> None:
        if container.project and container.project not in self._bindings:
            binding = Binding(project=container.project, repository=repository, rule=rule)
            self._bindings[container.project] = binding
            self._unsaved[container.project] = binding


def _planned_run(
    run: Run, targets: Sequence[Planned], *, force: bool
) -> tuple[Run, list[Step]]:
    """A run with its steps; one in which nothing needs to be done is over already."""
    steps = plan(run, targets, force=force, now=run.created_at)
    if any(step.status is Status.queued for step in steps):
        return run, steps
    return replace(run, status=run_status(steps), finished_at=run.created_at), steps
