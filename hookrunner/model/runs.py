"""What hookrunner does about it: runs and steps."""

from datetime import datetime
from enum import StrEnum

import msgspec

from hookrunner.model.pushes import Push
from hookrunner.model.states import Outcome, Status


class Stream(StrEnum):
    """Where output came from."""

    stdout = "stdout"
    stderr = "stderr"


class Chunk(msgspec.Struct, frozen=True):
    """Bytes as a container wrote them, cut wherever the engine cut them."""

    stream: Stream
    data: bytes


class Action(StrEnum):
    """What a step does in its container."""

    update = "update"
    validate = "validate"


class Trigger(StrEnum):
    """What caused a run."""

    push = "push"
    manual = "manual"
    chat = "chat"
    schedule = "schedule"
    catch_up = "catch-up"


class Rollout(StrEnum):
    """In which order a project's containers get a run's steps."""

    one_first = "one-first"
    serial = "serial"
    parallel = "parallel"


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a step's output that starts with a line ``>> Title``.

    Attributes:
        seconds: How long until the next phase or the step's end; None while it runs.
    """

    title: str
    started_at: datetime
    seconds: float | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One action in one container, part of a run.

    Attributes:
        number: The place within its run, from 1; a retry gets the next free number.
        engine: The engine's name in the configuration.
        container: The container's name; a step follows the name, not the id.
        container_id: The id of the container that it was planned for, or that it ran in.
        repository: The repository's key as text, for the queue; empty where none is known.
        after: The commit that the container is to serve; None where none was asked for.
        ref: The ref of `after`; None where none was asked for.
        force: Run although the container already serves the push.
        trigger: As in the run.
        rollout: The project's order within the run.
        held: Waits for another step of its roll-out, in no container's line yet.
        not_before: The earliest start of a retry.
        attempt: 1 for the first; a retry counts on.
        interruptions: How often the same was interrupted before.
        gitref_before: What the container served when the step started; None if unknown.
        gitref: What it serves after a step that succeeded; None if it cannot say.
        exec_id: The engine's id of the exec, once it was created.
        container_started: When its container had started, in the engine's words: another
            time means that it was restarted since.
        started_ticks: Seconds of the machine's monotonic clock at the start, by which its
            time counts on after hookrunner's own restart.
        ending: The status and the reason with which it ends once its processes are dead:
            of a step that is cancelled or `stuck`.
    """

    id: str
    run: str
    number: int
    engine: str
    container: str
    container_id: str
    project: str
    image: str
    action: Action
    trigger: Trigger
    created_at: datetime
    timeout: float
    output_limit: int
    repository: str = ""
    ref: str | None = None
    after: str | None = None
    force: bool = False
    rollout: Rollout = Rollout.parallel
    held: bool = False
    not_before: datetime | None = None
    attempt: int = 1
    interruptions: int = 0
    status: Status = Status.queued
    outcome: Outcome | None = None
    exit_code: int | None = None
    reason: str | None = None
    gitref_before: str | None = None
    gitref: str | None = None
    exec_id: str | None = None
    container_started: str | None = None
    ending: tuple[Status, str | None] | None = None
    started_at: datetime | None = None
    started_ticks: float | None = None
    finished_at: datetime | None = None
    phases: tuple[Phase, ...] = ()
    output_bytes: int = 0
    truncated: bool = False
    superseded_by: str | None = None

    @property
    def is_routine(self) -> bool:
        """Whether it is a validation that nobody asked for: all else goes before it."""
        return _is_routine(self.trigger, self.action)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All the work that one push or request causes.

    Attributes:
        delivery: The id of the delivery that caused it, or None.
        push: What happened, where a push caused it.
        requested_by: Who asked: ``source NAME``, ``token NAME``, ``user NAME``.
        matched: The targets are known, also where there are none.
    """

    id: str
    trigger: Trigger
    action: Action
    created_at: datetime
    delivery: str | None = None
    source: str | None = None
    push: Push | None = None
    requested_by: str | None = None
    reason: str | None = None
    matched: bool = True
    status: Status = Status.queued
    finished_at: datetime | None = None

    @property
    def is_routine(self) -> bool:
        """Whether it is a validation that nobody asked for."""
        return _is_routine(self.trigger, self.action)


def _is_routine(trigger: Trigger, action: Action) -> bool:
    return trigger is Trigger.schedule and action is Action.validate
