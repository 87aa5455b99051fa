"""What is said of a run on its commit."""

from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.core.reporting import context, reports
from hookrunner.model import Action, Outcome, Run, State, Status, Step, Trigger

AT = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(id="r", trigger=Trigger.push, action=Action.update, created_at=AT, source="gitea")
DONE = {"status": Status.succeeded, "outcome": Outcome.updated}


def step(number, container="bind", *, project="bind", seconds=1.4, **more):
    more = {"status": Status.queued} | more
    return Step(
        id=f"s{number}",
        run="r",
        number=number,
        engine="local",
        container=container,
        container_id=container,
        project=project,
        image="bind",
        action=Action.update,
        trigger=Trigger.push,
        created_at=AT,
        timeout=1,
        output_limit=1,
        finished_at=AT + timedelta(seconds=seconds) if more["status"].is_final else None,
        **more,
    )


def told(*steps, **covering):
    return [(one.project, one.state, one.text) for one in reports(RUN, steps, covering)]


@pytest.mark.parametrize(
    ("steps", "state", "text"),
    [
        ([step(1)], State.pending, "updating 1 container"),
        ([step(1, **DONE), step(2, "b")], State.pending, "updating 2 containers"),
        ([step(1, **DONE), step(2, "b", **DONE)], State.success, "2 of 2 updated in 1.4 s"),
        (
            [step(1, status=Status.skipped, outcome=Outcome.current)],
            State.success,
            "1 of 1 up to date in 1.4 s",
        ),
        (
            [
                step(1, **DONE),
                step(2, "b", status=Status.failed, outcome=Outcome.invalid, seconds=2),
            ],
            State.failure,
            "1 of 2 updated, 1 invalid in 2.0 s",
        ),
        (
            [step(1, status=Status.timed_out), step(2, "b", status=Status.cancelled)],
            State.failure,
            "0 of 2 updated, 1 cancelled, 1 timed out in 1.4 s",
        ),
        (
            [step(1, status=Status.failed, outcome=Outcome.retry), step(2, **DONE)],
            State.success,
            "1 of 1 updated in 1.4 s",
        ),
    ],
)
def test_one_line_says_how_it_stands(steps, state, text):
    assert told(*steps) == [("bind", state, text)]


def test_each_project_is_reported_by_itself():
    steps = step(1, **DONE), step(2, "www", project="www")

    assert [one[:2] for one in told(*steps)] == [
        ("bind", State.success),
        ("www", State.pending),
    ]


def test_a_superseded_push_gets_the_result_of_the_run_that_covered_it():
    gone = step(1, status=Status.superseded, superseded_by="s9")
    later = step(9, seconds=7, **DONE)

    assert told(gone) == [("bind", State.pending, "updating 1 container")]
    assert told(gone, s1=later) == [("bind", State.success, "1 of 1 updated in 7.0 s")]


def test_a_container_that_had_nothing_to_do_is_not_counted():
    idle = step(2, "b", status=Status.skipped)

    assert told(step(1, **DONE), idle) == [("bind", State.success, "1 of 1 updated in 1.4 s")]
    assert told(idle) == []


def test_a_context_names_the_project():
    assert context("bind") == "hookrunner/bind"
    assert context("") == "hookrunner"
    assert len(context("x" * 1000)) < 120
