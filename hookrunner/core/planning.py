"""From targets to steps: what a run does in which container, and in which order."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from hookrunner.config import Project
from hookrunner.core.eligibility import Idle
from hookrunner.core.outcome import FAILURES, last_tries
from hookrunner.model import Action, Container, Outcome, Rollout, Run, Status, Step, Trigger
from hookrunner.units import new_id

RETRY_DELAYS = (30.0, 120.0, 600.0)
"""Seconds before each retry of a step that ended `retry` or `behind`.

Long enough for a forge's mirror to catch up or a package manager's lock to go, and over
within a quarter of an hour, while whoever pushed still looks.
"""

_RETRIED = frozenset({Outcome.retry, Outcome.behind})
_INTERRUPTIONS = 3
"""How often a step that was interrupted is queued once more: what interrupts every time is
no accident; a guess."""
_IMPATIENT = frozenset({Trigger.manual, Trigger.chat})
"""Triggers with a person in front, who retries without help."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One container that a run is to reach.

    Attributes:
        held: Somebody asked to leave it alone, so it does not go first.
        idle: Why nothing needs to run there, or None.
        repository: The repository's key as text; empty where none is known.
    """

    container: Container
    project: Project
    repository: str = ""
    held: bool = False
    idle: Idle | None = None


def plan(run: Run, targets: Iterable[Planned], *, force: bool, now: datetime) -> list[Step]:
    """Make a run's steps, in the order in which they roll out."""
    projects: defaultdict[str, list[Planned]] = defaultdict(list)
    for target in targets:
        projects[target.container.project].append(target)
    steps: list[Step] = []
    for name in sorted(projects):
        first = True
        for target in sorted(projects[name], key=_leading):
            step = _step(run, target, number=len(steps) + 1, force=force, now=now)
            if step.status is Status.queued:
                held = not first and step.rollout is not Rollout.parallel
                step = msgspec.structs.replace(step, held=held)
                first = False
            steps.append(step)
    return steps


def _leading(target: Planned) -> tuple[bool, bool, str, str]:
    """Order the containers of a project: one that is known to be healthy goes first."""
    container = target.container
    return (target.held, container.health != "healthy", container.name, container.engine)


def _step(run: Run, target: Planned, *, number: int, force: bool, now: datetime) -> Step:
    container, project = target.container, target.project
    rollout = project.rollout if run.action is Action.update else Rollout.parallel
    step = Step(
        id=new_id(now),
        run=run.id,
        number=number,
        engine=container.engine,
        container=container.name,
        container_id=container.id,
        project=container.project,
        image=container.image,
        action=run.action,
        trigger=run.trigger,
        created_at=now,
        timeout=project.timeout,
        output_limit=project.output_limit,
        repository=target.repository,
        ref=run.push.ref if run.push else None,
        after=run.push.after if run.push else None,
        force=force,
        rollout=rollout,
    )
    if target.idle is None:
        return step
    return msgspec.structs.replace(
        step,
        status=Status.skipped,
        outcome=target.idle.outcome,
        reason=target.idle.reason,
        gitref=container.gitref_of(target.repository),
        finished_at=now,
    )


def follow_up(step: Step, *, number: int, now: datetime) -> Step | None:
    """Make the step that tries again what a finished one could not do, or None.

    Args:
        number: The next free one of its run.
    """
    again = _again(step, number=number, now=now)
    if step.status is Status.interrupted:
        if step.interruptions >= _INTERRUPTIONS:
            return None
        return msgspec.structs.replace(
            again,
            interruptions=step.interruptions + 1,
            reason=f"once more, since it was interrupted: {step.reason}",
        )
    if not is_retried(step):
        return None
    delay = RETRY_DELAYS[step.attempt - 1]
    return msgspec.structs.replace(
        again,
        attempt=step.attempt + 1,
        not_before=now + timedelta(seconds=delay),
        reason=f"retry {step.attempt} of {len(RETRY_DELAYS)}, since the last try ended"
        f" {step.outcome}",
    )


def is_retried(step: Step) -> bool:
    """Whether what a step could not do is tried again by itself, later."""
    may_pass = step.outcome in _RETRIED and step.trigger not in _IMPATIENT
    return may_pass and step.attempt <= len(RETRY_DELAYS)


def try_again(steps: Sequence[Step], *, asked_by: str, now: datetime) -> list[Step]:
    """Make the steps that do once more what a run that is over did not do.

    They start afresh, as a person means it: with all of their retries before them, and one
    of a project's containers first where the project rolls out so.

    Args:
        steps: All of the run's.

    Returns:
        One for each container whose last step failed or was cancelled; none if none did.
    """
    made: list[Step] = []
    for step in sorted(last_tries(steps), key=lambda step: step.number):
        if step.status in FAILURES or step.status is Status.cancelled:
            led = any(other.project == step.project for other in made)
            again = msgspec.structs.replace(
                _again(step, number=next_number([*steps, *made]), now=now),
                attempt=1,
                interruptions=0,
                held=led and step.rollout is not Rollout.parallel,
                reason=f"once more, asked by {asked_by}",
            )
            made.append(again)
    return made


def _again(step: Step, *, number: int, now: datetime) -> Step:
    """A step that waits to do the same once more."""
    return msgspec.structs.replace(
        step,
        id=new_id(now),
        number=number,
        status=Status.queued,
        outcome=None,
        exit_code=None,
        reason=None,
        gitref_before=None,
        gitref=None,
        exec_id=None,
        started_at=None,
        started_ticks=None,
        finished_at=None,
        created_at=now,
        phases=(),
        output_bytes=0,
        truncated=False,
        superseded_by=None,
        held=False,
        not_before=None,
    )


def soon(step: Step, now: datetime) -> Step:
    """A waiting step as it is taken up after a restart.

    Its retry is no later than it could be planned now: the clock may have been set back.
    """
    latest = now + timedelta(seconds=max(RETRY_DELAYS))
    if step.not_before is None or step.not_before <= latest:
        return step
    return msgspec.structs.replace(step, not_before=latest)


def next_number(steps: Sequence[Step]) -> int:
    """The next free place within a run."""
    return max((step.number for step in steps), default=0) + 1
