"""What a run is to be reported as: one short line for each of its projects."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from hookrunner.model import Outcome, Run, State, Status, Step

_DONE = frozenset({Outcome.updated, Outcome.unknown})
_LONGEST = 100
"""Characters of a project's name in a context: more than a forge's page shows."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a run stands in one project.

    Attributes:
        run: The run's id.
        source: The source that is told.
        state: None where it was not worked out yet.
    """

    run: str
    project: str
    source: str
    state: State | None = None
    text: str = ""


def context(project: str) -> str:
    """What tells a project's status from all others: ``hookrunner/bind``."""
    return f"hookrunner/{project[:_LONGEST]}" if project else "hookrunner"


def reports(run: Run, steps: Iterable[Step], covering: Mapping[str, Step]) -> list[Report]:
    """Say how a run stands in each of its projects.

    Args:
        steps: All of the run.
        covering: By the id of each superseded step the one that ran instead, or is to.
    """
    last: defaultdict[str, dict[tuple[str, str], Step]] = defaultdict(dict)
    for step in sorted(steps, key=lambda one: one.number):
        last[step.project][step.engine, step.container] = covering.get(step.id, step)
    found = []
    for project, by_container in sorted(last.items()):
        counted = [step for step in by_container.values() if not _is_nothing(step)]
        if counted:
            state, text = _judged(run, counted)
            found.append(
                Report(
                    run=run.id, project=project, source=run.source or "", state=state, text=text
                )
            )
    return found


def _is_nothing(step: Step) -> bool:
    """Whether a container had no part in it: it has no such method."""
    return step.status is Status.skipped and step.outcome is None


def _judged(run: Run, steps: list[Step]) -> tuple[State, str]:
    if any(not step.status.is_final or step.status is Status.superseded for step in steps):
        what = "1 container" if len(steps) == 1 else f"{len(steps)} containers"
        return State.pending, f"updating {what}"
    done = sum(step.outcome in _DONE for step in steps)
    current = sum(step.outcome is Outcome.current for step in steps)
    verb = "up to date" if current and not done else "updated"
    text = f"{done + current} of {len(steps)} {verb}"
    wrong = Counter(
        str(step.outcome or step.status).replace("_", " ")
        for step in steps
        if step.outcome not in _DONE and step.outcome is not Outcome.current
    )
    words = ", ".join([text, *(f"{count} {word}" for word, count in sorted(wrong.items()))])
    ends = [step.finished_at for step in steps if step.finished_at is not None]
    seconds = max(0.0, (max(ends) - run.created_at).total_seconds()) if ends else 0.0
    return State.failure if wrong else State.success, f"{words} in {seconds:.1f} s"
