"""Who is told what, and when they are left in peace."""

from datetime import UTC, datetime

import nouns
import pytest

from hookrunner.core.history import ContainerState
from hookrunner.core.notices import TEXT, TITLE, Conditions, Notice, What, fill, monitored
from hookrunner.model import Action, MonitorState, Outcome, Status, Trigger, Validity

UPDATED = (Status.succeeded, Outcome.updated)
ERROR = (Status.failed, Outcome.error)


def step(status, outcome=None, *, action=Action.update, container="bind", **more):
    told = {"action": action, "status": status, "outcome": outcome}
    return nouns.make_step("r", 1, container, **told | more)


def told(*steps, before=()):
    conditions = Conditions(before)
    return [found[0] for one in steps if (found := conditions.take(one)) is not None]


def test_a_thousand_failures_are_one_notice_and_one_recovery():
    steps = [step(*ERROR)] * 1000 + [step(*UPDATED)] * 10

    assert told(*steps) == [What.failure, What.recovery]


def test_a_failure_of_another_kind_is_told_again():
    steps = step(*ERROR), step(Status.failed, Outcome.invalid), step(Status.stuck)

    assert told(*steps) == [What.failure, What.invalid, What.stuck]


def test_each_container_and_action_has_a_condition_of_its_own():
    bad = step(Status.failed, Outcome.invalid, action=Action.validate)

    assert told(bad, step(*UPDATED), step(*ERROR, container="other")) == [
        What.invalid,
        What.failure,
    ]


def test_a_restart_forgets_neither_that_a_container_is_invalid_nor_that_it_is_valid():
    bad = step(Status.failed, Outcome.invalid, action=Action.validate)
    good = step(Status.succeeded, Outcome.valid, action=Action.validate)

    def known(*, valid):
        at = datetime(2026, 1, 1, tzinfo=UTC)
        told = {"engine": "local", "container": "bind", "image_id": "i", "container_id": "c"}
        validity = Validity(valid=valid, since=at, at=at)
        return Conditions(states=[ContainerState(**told, validity=validity)])

    assert known(valid=False).take(bad) is None
    assert known(valid=False).take(good) == (What.recovery, (What.invalid,))
    assert known(valid=True).take(bad)[0] is What.invalid


@pytest.mark.parametrize("outcome", [Outcome.behind, Outcome.retry])
def test_what_is_tried_again_is_told_after_the_last_try(outcome):
    tries = [step(Status.failed, outcome, attempt=number) for number in (1, 2, 3, 4)]

    assert told(*tries[:3]) == []
    assert len(told(*tries)) == 1
    assert len(told(step(Status.failed, outcome, trigger=Trigger.manual))) == 1


@pytest.mark.parametrize(
    "status", [Status.cancelled, Status.superseded, Status.skipped, Status.interrupted]
)
def test_what_did_not_run_says_nothing(status):
    assert told(step(status)) == []
    assert told(step(*ERROR), step(status), step(*ERROR)) == [What.failure]


def test_a_validation_that_hangs_is_told_as_invalid():
    assert told(step(Status.timed_out, action=Action.validate)) == [What.invalid]


def test_a_restart_forgets_nothing():
    assert told(step(*ERROR), step(*UPDATED), before=[step(*ERROR)]) == [What.recovery]


def test_templates_have_one_line_for_each_field_and_no_code():
    hostile = "$project {0.__class__}\nSubject: evil"
    notice = Notice(id="1", what=What.failure, subject=("x",), container="bind", reason=hostile)

    assert fill(TITLE, notice) == "hookrunner: failure in bind"
    assert fill("$reason", notice) == "$project {0.__class__} Subject: evil"
    assert len(fill(TEXT, notice).splitlines()) == 2


def test_a_container_that_says_otherwise_recovers_from_all_that_it_said():
    conditions = Conditions()
    said = [MonitorState.warning, MonitorState.critical, MonitorState.warning, MonitorState.ok]

    found = [conditions.change(*monitored("local", "bind", state)) for state in said]

    assert [one[0] for one in found] == [
        What.warning,
        What.critical,
        What.warning,
        What.recovery,
    ]
    assert found[-1][1] == (What.critical, What.warning)
    assert conditions.change(*monitored("local", "bind", MonitorState.ok)) is None
