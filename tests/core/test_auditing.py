"""Questions in JMESPath: what they are asked of, and what they cannot trip over."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.auditing import Question, ask, record
from hookrunner.errors import UsageError

NOW = datetime(2026, 11, 24, tzinfo=UTC)
VIEW = {
    "name": "dns-1",
    "image_behind": True,
    "metadata": {"owner": "dns", "name": "another", "ci": False},
}


def question(expression):
    return Question(expression, now=NOW)


def test_the_keys_of_the_metadata_stand_beside_the_containers_fields():
    assert record(VIEW)["owner"] == "dns"
    assert record(VIEW)["name"] == "dns-1"
    assert ask(question("owner == 'dns' && image_behind"), [VIEW, {"name": "x"}]) == [VIEW]
    assert ask(question("metadata.name == 'another'"), [VIEW]) == [VIEW]


@pytest.mark.parametrize(
    ("told", "days"),
    [
        (int(NOW.timestamp()) - 43200, 0.5),
        ("2026-11-22T12:00:00Z", 1.5),
        ("2026-11-22 12:00:00", 1.5),
        ("2026-11-22T13:00:00+01:00", 1.5),
        ("yesterday", None),
        (None, None),
        (1e300, None),
        (-1e18, None),
    ],
)
def test_the_age_of_a_time(told, days):
    assert question("days_since(at)").answer({"at": told}) == days


@pytest.mark.parametrize("expression", ["", "a(", "a ==", "foo(a)", "days_since()"])
def test_what_is_no_question_is_said_with_a_remedy(expression):
    with pytest.raises(UsageError, match="cannot be asked") as caught:
        question(expression).holds({})
    assert "hookrunner help audit" in caught.value.hint


def test_a_key_that_one_container_lacks_does_not_end_an_audit():
    named, other = {"metadata": {"owner": "dns team"}}, {"metadata": {"owner": 7}}

    assert ask(question("contains(owner, 'dns')"), [{}, other, named]) == [named]


@pytest.mark.parametrize("answer", [None, False, "", [], {}])
def test_what_is_empty_does_not_hold(answer):
    assert not question("a").holds({"a": answer})


def test_a_text_in_backquotes_is_understood_as_well():
    assert ask(question("owner == `dns`"), [VIEW]) == [VIEW]


def test_zero_holds_as_jmespath_has_it():
    assert question("a").holds({"a": 0})


@given(st.text())
def test_any_expression_is_a_question_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert question(text).holds(VIEW) in {True, False}
