"""What a container says of itself, by code and line, and since when it says so."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.monitoring import KEPT_CHANGES, LINE_LIMIT, first_line, read, taken
from hookrunner.model import MonitorState

NOW = datetime(2026, 11, 29, tzinfo=UTC)
OK, WARNING, CRITICAL, UNKNOWN = MonitorState


@pytest.mark.parametrize(
    ("code", "output", "said"),
    [
        (0, b"OK: fine\n", (OK, "OK: fine")),
        (1, b"\n\nload is high | load=9\nmore", (WARNING, "load is high | load=9")),
        (2, b"", (CRITICAL, "")),
        (3, b"what", (UNKNOWN, "what")),
        (4, b"oops", (UNKNOWN, "exit code 4: oops")),
        (127, b"", (UNKNOWN, "exit code 127")),
        (None, b"", (UNKNOWN, "it ended without an exit code")),
        (78, b"no such method", None),
    ],
)
def test_the_code_and_the_first_line_say_how_it_is(code, output, said):
    assert read(code, output, is_named=True) == said


@pytest.mark.parametrize(
    ("code", "output"), [(64, b"usage"), (1, b""), (0, b" \n"), (None, b"")]
)
def test_a_program_that_may_not_know_the_word_is_believed_only_if_it_answers(code, output):
    assert read(code, output, is_named=False) is None
    assert read(2, b"CRITICAL", is_named=False) == (CRITICAL, "CRITICAL")


@given(st.binary(max_size=2000))
def test_the_line_is_one_line_that_a_terminal_does_not_obey(output):
    line = first_line(output)

    assert line.isprintable()
    assert len(line) <= LINE_LIMIT + 1


def test_since_when_is_kept_while_the_state_is_the_same():
    known = None
    for minute, state in enumerate([OK, OK, CRITICAL, CRITICAL, OK]):
        known = taken(known, state, f"{minute}", NOW + timedelta(minutes=minute))

    assert known is not None
    assert known.since == NOW + timedelta(minutes=4)
    assert [(one.state, one.text) for one in known.changes] == [
        (OK, "4"),
        (CRITICAL, "2"),
        (OK, "0"),
    ]


def test_only_the_newest_changes_are_kept():
    known = None
    for number in range(3 * KEPT_CHANGES):
        state = WARNING if number % 2 else OK
        known = taken(known, state, "", NOW + timedelta(minutes=number))

    assert known is not None
    assert len(known.changes) == KEPT_CHANGES
    assert known.changes[0].at == known.since
