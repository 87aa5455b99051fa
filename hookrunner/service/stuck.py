"""The steps whose processes cannot be stopped: each blocks its container.

They heal by themselves: a paused container is resumed or removed, a process ends at last.
"""

import asyncio
from collections.abc import Callable

import structlog

from hookrunner.core.metadata import checkout_volumes
from hookrunner.model import Container, Step
from hookrunner.service.execution import Execution
from hookrunner.service.runner import Finished, Runner

log = structlog.get_logger()


class Stuck:
    """Knows what is stuck, and tries again and again.

    Args:
        group: Where the tries live.
        on_change: Called with a step that is stuck for another reason.
        on_end: Called with a step at its end, and the container that it was in.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        group: asyncio.TaskGroup,
        on_change: Callable[[Step], None],
        on_end: Callable[[Finished, Container], None],
    ) -> None:
        self._runner = runner
        self._group = group
        self._on_change = on_change
        self._on_end = on_end
        self._steps: dict[str, tuple[Step, Container | None]] = {}

    def __contains__(self, step_id: str) -> bool:
        return step_id in self._steps

    @property
    def steps(self) -> list[Step]:
        """Those that are stuck now."""
        return [step for step, _ in self._steps.values()]

    def add(self, step: Step, container: Container | None = None) -> None:
        """Block a container from now on.

        Args:
            container: None where its engine was not asked yet.
        """
        self._steps[step.id] = (step, container)

    def heal(self, execution: Execution) -> None:
        """Try to stop a step until that works."""
        step, container = execution.step, execution.container
        self.add(step, container)
        log.warning("step stuck", run=step.run, step=step.id, container=step.container)
        self._group.create_task(self._heal(execution), name=f"heal {step.id}")

    def let_go(self, step_id: str) -> None:
        """Block nothing any more."""
        self._steps.pop(step_id, None)

    def blocks(self, container: Container) -> bool:
        """Whether nothing may run in a container, or in one that shares a checkout with it."""
        volumes = checkout_volumes(container)
        return any(
            step.engine == container.engine
            and (
                container.id == step.container_id
                or (place is not None and volumes & checkout_volumes(place))
                or (place is None and container.name == step.container)
            )
            for step, place in self._steps.values()
        )

    async def _heal(self, execution: Execution) -> None:
        def changed(step: Step) -> None:
            self.add(step, execution.container)
            self._on_change(step)

        finished = await self._runner.heal(execution, changed)
        self.let_go(finished.step.id)
        step = finished.step
        log.info("step healed", run=step.run, step=step.id, status=step.status)
        self._on_end(finished, execution.container)
