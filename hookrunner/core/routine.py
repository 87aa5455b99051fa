"""What is routine gives way: a validation that nobody asked for keeps no update waiting."""

from collections.abc import Callable
from datetime import datetime

from hookrunner.core.queue import Queue
from hookrunner.core.waiting import is_due, line_of
from hookrunner.model import Action, Step

GAVE_WAY = "an update goes first"
"""Why a routine step was stopped."""


def in_the_way(
    queue: Queue,
    now: datetime,
    *,
    can_start: Callable[[Step, list[Step]], bool],
    limit: int,
) -> list[Step]:
    """Choose what is routine and runs where an update would start but for it.

    Args:
        can_start: Whether a step may start next to those that run.
        limit: How many may run at once in all.
    """
    running = list(queue.running.values())
    routine = [step for step in running if step.is_routine]
    others = [step for step in running if not step.is_routine]
    found: dict[str, Step] = {}
    for step in queue.waiting.values() if routine else ():
        if len(others) >= limit:
            break
        if step.action is not Action.update or not is_due(step, now):
            continue
        is_busy = any(line_of(one) == line_of(step) for one in others)
        if is_busy or not can_start(step, others):
            continue
        rivals = [
            one
            for one in routine
            if line_of(one) == line_of(step) or not can_start(step, [*others, one])
        ]
        if not rivals and len(routine) - len(found) + len(others) >= limit:
            rivals = [one for one in routine if one.id not in found][-1:]
        found |= {one.id: one for one in rivals}
        others.append(step)
    return list(found.values())
