"""What comes at intervals is spread over them, and stays where it is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.spreading import LATE, due_at, next_place

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERY = 300.0
NAMES = [f"local/dns-{number}" for number in range(100)]
LONG_AGO = NOW - timedelta(days=2)


def seconds(instants):
    return sorted((at - NOW).total_seconds() for at in instants)


def most_within(instants, length):
    found = seconds(instants)
    return max(sum(at <= other < at + length for other in found) for at in found)


def test_a_hundred_containers_are_spread_over_their_five_minutes():
    due = [due_at(name, EVERY, last=NOW, began=NOW) for name in NAMES]

    assert 0 < min(seconds(due)) < max(seconds(due)) <= EVERY
    assert most_within(due, 10) < 12


def test_what_was_missed_while_hookrunner_was_down_is_spread_as_well():
    for every in (EVERY, 86400.0):
        due = [due_at(name, every, last=LONG_AGO, began=NOW) for name in NAMES]

        assert 0 <= min(seconds(due)) < max(seconds(due)) < min(every, LATE)
        assert most_within(due, 10) < 12


@given(st.text(), st.floats(60, 86400), st.floats(0, 1e6))
def test_a_place_comes_once_in_each_interval_whatever_happens_between(name, every, passed):
    first = next_place(name, every, NOW)
    later = next_place(name, every, NOW + timedelta(seconds=passed))

    assert NOW < first <= NOW + timedelta(seconds=every + 0.001)
    rounds = (later - first).total_seconds() / every
    assert abs(rounds - round(rounds)) < 1e-3


def test_after_a_restart_what_is_not_due_keeps_its_place():
    for name in NAMES:
        due = due_at(name, EVERY, last=NOW, began=LONG_AGO)
        before_it = due - timedelta(seconds=1)

        assert due_at(name, EVERY, last=NOW, began=before_it) == due
