"""Where steps and runs stand, and the one table of what may follow what.

The tests hold whatever changes a status to it, and the picture in ``docs/runs.md`` is drawn
from it.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Where a step or a run stands."""

    queued = "queued"
    running = "running"
    succeeded = "succeeded"
    failed = "failed"
    timed_out = "timed_out"
    cancelled = "cancelled"
    interrupted = "interrupted"  # hookrunner stopped while it ran, and cannot tell how it ended
    stuck = "stuck"  # its processes cannot be stopped; heals by itself
    skipped = "skipped"
    superseded = "superseded"

    @property
    def is_final(self) -> bool:
        """It neither waits nor runs; of these only `stuck` may still change."""
        return self not in {Status.queued, Status.running}


class Outcome(StrEnum):
    """What came of a step that ended by itself."""

    updated = "updated"
    current = "current"
    unknown = "unknown"
    valid = "valid"
    behind = "behind"
    invalid = "invalid"
    retry = "retry"
    error = "error"


class Transition(msgspec.Struct, frozen=True):
    """What may happen to a step or a run.

    Attributes:
        why: When it does, as the picture says it.
    """

    before: Status
    after: Status
    why: str


_IS_STOPPED = {
    Status.timed_out: "past its timeout, and dead",
    Status.cancelled: "cancelled, and dead",
    Status.interrupted: "nobody knows how it ended",
}

STEP_TRANSITIONS = (
    Transition(Status.queued, Status.running, "its turn"),
    Transition(Status.queued, Status.failed, "could not be started"),
    Transition(Status.queued, Status.cancelled, "cancelled"),
    Transition(Status.queued, Status.skipped, "nothing to do"),
    Transition(Status.queued, Status.superseded, "another took its place"),
    Transition(Status.running, Status.succeeded, "exit 0"),
    Transition(Status.running, Status.failed, "another exit code, or behind"),
    *(Transition(Status.running, after, why) for after, why in _IS_STOPPED.items()),
    Transition(Status.running, Status.stuck, "cannot be stopped"),
    *(Transition(Status.stuck, after, f"healed, {why}") for after, why in _IS_STOPPED.items()),
)
"""All that may happen to a step."""

_RUN_ENDS = {
    Status.succeeded: "all done",
    Status.failed: "one went wrong",
    Status.cancelled: "one was cancelled",
    Status.superseded: "others took the places",
}

RUN_TRANSITIONS = (
    Transition(Status.queued, Status.running, "a step starts"),
    *(Transition(Status.queued, after, why) for after, why in _RUN_ENDS.items()),
    *(Transition(Status.running, after, why) for after, why in _RUN_ENDS.items()),
    Transition(Status.failed, Status.running, "tried again"),
    Transition(Status.cancelled, Status.running, "tried again"),
    Transition(Status.failed, Status.cancelled, "what was stuck is dead"),
)
"""All that may happen to a run, which follows from the last step of each container."""


def _followers(table: Iterable[Transition]) -> dict[Status, frozenset[Status]]:
    found: dict[Status, set[Status]] = {status: set() for status in Status}
    for one in table:
        found[one.before].add(one.after)
    return {status: frozenset(after) for status, after in found.items()}


STEP_MAY_BECOME = _followers(STEP_TRANSITIONS)
"""What may follow each status of a step."""
RUN_MAY_BECOME = _followers(RUN_TRANSITIONS)
"""What may follow each status of a run."""

OUTCOMES: dict[Status, frozenset[Outcome | None]] = {
    Status.succeeded: frozenset(
        {Outcome.updated, Outcome.current, Outcome.unknown, Outcome.valid}
    ),
    Status.failed: frozenset({Outcome.behind, Outcome.invalid, Outcome.retry, Outcome.error}),
    Status.skipped: frozenset({Outcome.current, None}),
} | {
    status: frozenset({None})
    for status in Status
    if status not in {Status.succeeded, Status.failed, Status.skipped}
}
"""The outcomes that each status may have."""


def drawn(table: Iterable[Transition]) -> str:
    """Draw a table as a state diagram.

    Source:
        https://mermaid.js.org/syntax/stateDiagram.html
    """
    edges = list(table)
    ends = sorted({one.after for one in edges} - {one.before for one in edges})
    return "\n".join(
        [
            "stateDiagram-v2",
            "    [*] --> queued",
            *(f"    {one.before} --> {one.after}: {one.why}" for one in edges),
            *(f"    {status} --> [*]" for status in ends),
        ]
    )
