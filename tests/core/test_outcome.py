"""What exit codes and gitrefs mean, and where a run stands."""

import nouns
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hookrunner.core.outcome import Standing, conclude, run_status
from hookrunner.model import OUTCOMES, Action, Status

A, B = "a" * 40, "b" * 40


def meant(code, *, action=Action.update, before=A, gitref=A, asked=True, served=False):
    found = conclude(
        action, code, gitref_before=before, gitref=gitref, asked=asked, is_served=served
    )
    assert found.outcome in OUTCOMES[found.status]
    return found.status.value, found.outcome and found.outcome.value


def test_an_update_that_ended_well():
    assert meant(0, gitref=B) == ("succeeded", "updated")
    assert meant(0, before=None) == ("succeeded", "updated")
    assert meant(0, served=True) == ("succeeded", "current")
    assert meant(0, asked=False) == ("succeeded", "current")
    assert meant(0, gitref=None) == ("succeeded", "unknown")
    assert meant(0) == ("failed", "behind")


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (65, "invalid"),
        (75, "retry"),
        (78, "error"),
        (1, "error"),
        (126, "error"),
        (137, "error"),
    ],
)
def test_an_update_that_did_not(code, outcome):
    assert meant(code, gitref=B) == ("failed", outcome)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (0, ("succeeded", "valid")),
        (1, ("failed", "invalid")),
        (65, ("failed", "invalid")),
        (75, ("failed", "invalid")),
        (78, ("failed", "error")),
        (127, ("failed", "error")),
    ],
)
def test_a_validation(code, wanted):
    assert meant(code, action=Action.validate) == wanted


@pytest.fixture
def run_of(make_step):
    def make(*ends):
        return [
            replace(make_step("r", n, container), status=Status(status))
            for n, (container, status) in enumerate(ends, start=1)
        ]

    return make


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ([], "succeeded"),
        ([("x", "queued")], "queued"),
        ([("x", "skipped"), ("y", "queued")], "queued"),
        ([("x", "succeeded"), ("y", "queued")], "running"),
        ([("x", "running"), ("y", "failed")], "running"),
        ([("x", "succeeded"), ("y", "failed")], "failed"),
        ([("x", "timed_out"), ("y", "cancelled")], "failed"),
        ([("x", "stuck")], "failed"),
        ([("x", "interrupted")], "failed"),
        ([("x", "cancelled"), ("y", "succeeded")], "cancelled"),
        ([("x", "superseded"), ("y", "skipped")], "superseded"),
        ([("x", "superseded"), ("y", "succeeded")], "succeeded"),
        ([("x", "failed"), ("x", "succeeded")], "succeeded"),
        ([("x", "failed"), ("x", "queued")], "running"),
        ([("x", "skipped")], "succeeded"),
    ],
)
def test_a_run_stands_where_the_last_step_of_each_container_does(run_of, ends, status):
    assert run_status(run_of(*ends)) == status


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=6),
            st.sampled_from(["x", "y"]),
            st.sampled_from(Status),
        )
    )
)
def test_what_a_run_went_through_does_not_matter_to_where_it_stands(changes):
    standing, now = Standing(), {}
    for number, container, status in changes:
        place = now[number].container if number in now else container
        now[number] = nouns.make_step("r", number, place, status=status)
        standing.take(now[number])

        assert standing.status is run_status(now.values())
        assert list(standing.steps.values()) == list(now.values())
