"""Steps that an earlier process left: where they are now, and what they end as if nowhere."""

import asyncio

from msgspec.structs import replace

from hookrunner.core import commands
from hookrunner.core.inventory import Inventory
from hookrunner.errors import HookrunnerError
from hookrunner.model import Container, Status, Step
from hookrunner.service.watcher import Watcher

_PAUSE = 0.5
"""Seconds between looks at an engine that was not listed yet."""


async def find_again(
    step: Step, watcher: Watcher | None, inventory: Inventory
) -> Container | None:
    """Wait until the container that a step ran in is known, or known not to be there: None.

    One that is not in the inventory may run all the same: a paused one cannot be asked what
    it is, and the configuration may hide it now. Then the engine is asked for it.
    """
    if watcher is None:
        return None
    while True:
        known = inventory.get(step.engine, step.container_id)
        if known is not None:
            return known
        if watcher.is_settled:
            try:
                listed = await watcher.engine.list_containers([step.container_id])
                if not listed:
                    return None
                shell = await watcher.engine.find_program(step.container_id, commands.SHELLS)
                return replace(listed[0], wrapped=shell is not None)
            except HookrunnerError:  # it goes, or the engine does: the next look tells
                pass
        await asyncio.sleep(_PAUSE)


def vanished(step: Step) -> Step:
    """A step whose container went while nobody looked, at its end."""
    status, reason = step.ending or (
        Status.interrupted,
        "its container is not there any more, and nobody knows how it ended",
    )
    return replace(
        step, status=status, reason=reason, ending=None, finished_at=None, truncated=True
    )
