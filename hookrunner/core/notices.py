"""What people are told of, and when they are left in peace.

Of each subject (an action in a container, how it says that it is, an engine) the last
condition is known. Whoever wants to know is told when it changes: of the first failure at
once, of a thousand more of the same kind nothing, of the recovery once.
"""

from collections.abc import Iterable
from enum import StrEnum
from string import Template

import msgspec

from hookrunner.config.notify import FIELDS
from hookrunner.core.history import ContainerState
from hookrunner.core.planning import is_retried
from hookrunner.model import (
    Action,
    MonitorState,
    Outcome,
    Probe,
    Status,
    Step,
)

TITLE = "hookrunner: $what in $container"
TEXT = "$project: $action in $container: $what\n$reason\n$url"


class What(StrEnum):
    """What happened."""

    failure = "failure"
    invalid = "invalid"
    behind = "behind"
    stuck = "stuck"
    engine_away = "engine-away"
    warning = "warning"
    critical = "critical"
    unknown = "unknown"
    recovery = "recovery"
    test = "test"


Subject = tuple[str, ...]
"""Engine, container name, and action or ``monitor``; or the engine alone."""


Told = tuple[What, tuple[What, ...]]
"""What to tell, and of a recovery what it recovers from."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell.

    Attributes:
        id: Stays the same however often it is sent.
        before: Of a recovery, all that it recovers from, the last condition last.
    """

    id: str
    what: What
    subject: Subject
    project: str = ""
    container: str = ""
    host: str = ""
    action: str = ""
    reason: str = ""
    run: str = ""
    url: str = ""
    before: tuple[What, ...] = ()

    def values(self) -> dict[str, str]:
        """The fields that a template may name, each on one line."""
        return {name: " ".join(str(getattr(self, name)).split()) for name in FIELDS}


def fill(template: str, notice: Notice) -> str:
    """Fill a template; lines of which nothing is left are taken out."""
    text = Template(template).safe_substitute(notice.values())
    return "\n".join(line for line in text.splitlines() if line.strip())


class Conditions:
    """The last condition of each subject.

    Args:
        steps: The last step of each container, so that a restart forgets nothing.
        states: What is known of each container, for the same.
    """

    def __init__(
        self, steps: Iterable[Step] = (), states: Iterable[ContainerState] = ()
    ) -> None:
        self._known: dict[Subject, tuple[What, ...]] = {}
        for step in steps:
            self.take(step)
        for state in states:
            if state.validity is not None:
                subject = (state.engine, state.container, Action.validate.value)
                self.change(subject, None if state.validity.valid else What.invalid)
            if (told := state.monitored) is not None:
                self.change(*monitored(state.engine, state.container, told.state))

    def take(self, step: Step) -> Told | None:
        """Take a step that ended.

        Returns:
            What to tell of it, and what it recovers from; or None.
        """
        if not _is_told(step):
            return None
        subject = (step.engine, step.container, step.action.value)
        return self.change(subject, _condition(step))

    def change(self, subject: Subject, now: What | None) -> Told | None:
        """Take a subject's condition; None is a good one."""
        before = self._known.get(subject, ())
        if now == (before[-1] if before else None):
            return None
        if now is None:
            del self._known[subject]
            return What.recovery, before
        self._known[subject] = (*(one for one in before if one is not now), now)
        return now, ()


def monitored(engine: str, container: str, state: MonitorState) -> tuple[Subject, What | None]:
    """The condition of a container by its own word."""
    what = None if state is MonitorState.ok else What(state.value)
    return (engine, container, Probe.monitor.value), what


def _is_told(step: Step) -> bool:
    """Whether a step says how its container is.

    What did not run does not, and of what is tried again only the last try does.
    """
    if step.status is Status.failed:
        return not is_retried(step)
    if step.status is Status.skipped:
        return step.outcome is Outcome.current
    return step.status in {Status.succeeded, Status.stuck, Status.timed_out}


def _condition(step: Step) -> What | None:
    """How a step says that its container is; None is well."""
    if step.status in {Status.succeeded, Status.skipped}:
        return None
    if step.status is Status.stuck:
        return What.stuck
    if step.outcome is Outcome.behind:
        return What.behind
    is_hanging = step.status is Status.timed_out and step.action is Action.validate
    is_invalid = step.outcome is Outcome.invalid or is_hanging
    return What.invalid if is_invalid else What.failure
