"""What came of a step and of a run: exit code and gitref -> status and outcome.

Source:
    The exit codes are those of the container standard (README, "What it promises"):
    65, 75 and 78 are EX_DATAERR, EX_TEMPFAIL and EX_CONFIG of sysexits(3).
"""

from collections import Counter
from collections.abc import Collection, Iterable

import msgspec

from hookrunner.model import Action, Outcome, Status, Step

INVALID, RETRY, NO_METHOD = 65, 75, 78
"""What `container` says by its exit code."""
NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""What a shell says of a command that it could not start."""


class Conclusion(msgspec.Struct, frozen=True):
    """How a step ended: a legal pair of status and outcome, with the reason in words."""

    status: Status
    outcome: Outcome | None
    reason: str | None = None


def conclude(
    action: Action,
    exit_code: int,
    *,
    gitref_before: str | None,
    gitref: str | None,
    asked: bool,
    is_served: bool,
) -> Conclusion:
    """Say what an exit code and a gitref mean.

    Args:
        gitref_before: What the container served before, or None if unknown.
        gitref: What it says it serves now, or None if it cannot say.
        asked: A certain commit was asked for.
        is_served: `gitref` serves the commit that was asked for.
    """
    if exit_code:
        return _failure(action, exit_code)
    if action is Action.validate:
        return Conclusion(Status.succeeded, Outcome.valid)
    if gitref is None:
        return Conclusion(
            Status.succeeded, Outcome.unknown, "the container does not say what it serves"
        )
    if gitref != gitref_before:
        return Conclusion(Status.succeeded, Outcome.updated)
    if is_served or not asked:
        return Conclusion(Status.succeeded, Outcome.current)
    return Conclusion(
        Status.failed,
        Outcome.behind,
        f"the update succeeded, but the container still serves {gitref[:12]},"
        " which is not what was pushed",
    )


def _failure(action: Action, exit_code: int) -> Conclusion:
    if exit_code == RETRY and action is Action.update:
        return Conclusion(Status.failed, Outcome.retry, "exit 75: it cannot be done now")
    if exit_code == NO_METHOD:
        reason = f"exit 78: the container has no {action.value} method"
        return Conclusion(Status.failed, Outcome.error, reason)
    if exit_code in {NOT_EXECUTABLE, NOT_FOUND}:
        reason = f"exit {exit_code}: the command could not be started"
        return Conclusion(Status.failed, Outcome.error, reason)
    if action is Action.validate:
        reason = f"the validation did not pass (exit {exit_code})"
        return Conclusion(Status.failed, Outcome.invalid, reason)
    if exit_code == INVALID:
        reason = "exit 65: the new revision did not validate"
        return Conclusion(Status.failed, Outcome.invalid, reason)
    return Conclusion(Status.failed, Outcome.error, f"exit {exit_code}")


FAILURES = frozenset({Status.failed, Status.timed_out, Status.interrupted, Status.stuck})
"""How a step may stand that makes its run a failed one."""


_NOT_BEGUN = (Status.queued, Status.skipped)


def last_tries(steps: Iterable[Step]) -> Collection[Step]:
    """The last step of each container in a run: those before it were tried again."""
    in_order = sorted(steps, key=lambda step: step.number)
    return {(step.engine, step.container): step for step in in_order}.values()


class Standing:
    """Where a run stands, kept while its steps change: thousands are not looked at each time.

    Attributes:
        steps: As they are now, by id.
    """

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps: dict[str, Step] = {}
        self._last: dict[tuple[str, str], Step] = {}
        self._counts: Counter[Status] = Counter()
        self._last_counts: Counter[Status] = Counter()
        for step in steps:
            self.take(step)

    def take(self, step: Step) -> None:
        """Take a step that is new, or as it is now."""
        _count(self._counts, self.steps.get(step.id), step)
        self.steps[step.id] = step
        place = step.engine, step.container
        last = self._last.get(place)
        if last is None or last.number <= step.number:
            _count(self._last_counts, last, step)
            self._last[place] = step

    @property
    def status(self) -> Status:
        """What the last step of each container makes of the run."""
        found = {status for status, count in self._last_counts.items() if count}
        if Status.running in found:
            return Status.running
        if Status.queued in found:
            begun = self._counts.total() - sum(self._counts[status] for status in _NOT_BEGUN)
            return Status.running if begun else Status.queued
        if found & FAILURES:
            return Status.failed
        if Status.cancelled in found:
            return Status.cancelled
        if Status.superseded in found and found <= {Status.superseded, Status.skipped}:
            return Status.superseded
        return Status.succeeded


def _count(counts: Counter[Status], before: Step | None, now: Step) -> None:
    if before is not None:
        counts[before.status] -= 1
    counts[now.status] += 1


def run_status(steps: Iterable[Step]) -> Status:
    """Say where a run stands: the last step of each container counts.

    Args:
        steps: Of one run, whose targets are known.
    """
    return Standing(steps).status
