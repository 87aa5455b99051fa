"""What containers get without a push: once after a start, and never what is broken."""

from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.core.history import KnownPush
from hookrunner.core.routine import GAVE_WAY
from hookrunner.core.upkeep import (
    Attended,
    Broken,
    after_update,
    caught_up,
    is_blocked,
    may_catch_up_at,
    missed,
    next_due,
    ready_at,
    to_validate,
    tried_again_after,
)
from hookrunner.model import Action, Outcome, Status, Trigger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def push(number, *, commits=()):
    return KnownPush(
        id=f"p{number}",
        repository="git.example.net/ops/bind",
        ref="refs/heads/main",
        received_at=NOW + number * HOUR,
        before=f"{number - 1}" * 40,
        after=f"{number}" * 40,
        commits=(*commits, f"{number}" * 40),
    )


PUSHES = [push(1), push(2, commits=["b" * 40]), push(3)]
NOTHING = Attended(engine="local", container="dns")


@pytest.mark.parametrize(
    ("gitref", "word"),
    [
        ("0" * 40, "earlier"),
        ("1" * 40, "earlier"),
        ("b" * 40, "earlier"),
        ("2" * 40, "earlier"),
        ("3" * 40, None),
    ],
)
def test_a_container_catches_up_where_it_serves_an_earlier_commit(make_container, gitref, word):
    container = make_container(current_gitref=gitref, created_at=NOW + 9 * HOUR)

    why = missed(container, PUSHES, PUSHES[-1])

    assert (why is None) == (word is None)
    assert word is None or word in why


def test_a_container_of_a_newer_push_that_does_not_count_for_it_is_left_alone(make_container):
    container = make_container(current_gitref="3" * 40)

    assert missed(container, PUSHES, PUSHES[1]) is None


@pytest.mark.parametrize("gitref", [None, "f" * 40])
@pytest.mark.parametrize(
    ("created", "stamp", "is_missed"),
    [
        (NOW, None, True),
        (NOW + 9 * HOUR, None, False),
        (NOW + 9 * HOUR, NOW.timestamp(), True),
        (NOW + 9 * HOUR, (NOW + 8 * HOUR).timestamp(), False),
        (NOW + 9 * HOUR, 1e300, False),
        (NOW + 9 * HOUR, True, False),
    ],
)
def test_where_the_commit_is_not_known_the_time_of_the_build_decides(
    make_container, gitref, created, stamp, is_missed
):
    keys = {} if stamp is None else {"build_time_stamp": stamp}
    container = make_container(keys=keys, current_gitref=gitref, created_at=created)

    assert (missed(container, PUSHES, PUSHES[-1]) is not None) == is_missed


def test_a_dirty_container_catches_up_although_its_commit_is_the_newest(make_container):
    container = make_container(current_gitref="3" * 40, dirty=True)

    assert missed(container, PUSHES, PUSHES[-1]) == "its last update did not succeed"


def ended(make_step, status, outcome=None, **more):
    return make_step(
        "r",
        1,
        "dns",
        **{"status": status, "outcome": outcome, "started_at": NOW, "exit_code": 1} | more,
    )


@pytest.mark.parametrize(
    ("status", "outcome", "is_broken"),
    [
        (Status.failed, Outcome.invalid, True),
        (Status.failed, Outcome.error, True),
        (Status.timed_out, None, True),
        (Status.stuck, None, True),
        (Status.failed, Outcome.retry, False),
        (Status.failed, Outcome.behind, False),
        (Status.cancelled, None, False),
        (Status.interrupted, None, False),
        (Status.superseded, None, False),
    ],
)
def test_what_ended_badly_is_not_tried_again_until_another_push(
    make_step, make_container, status, outcome, is_broken
):
    container = make_container("dns", {"project": "bind"})
    kin = make_container("dns2", {"project": "bind"})
    other = make_container("www", {"project": "www"})
    step = ended(make_step, status, outcome, after=PUSHES[1].after)

    attended = [after_update(NOTHING, step, PUSHES[1])]

    assert is_blocked(container, PUSHES[1], attended) == is_broken
    assert is_blocked(kin, PUSHES[1], attended) == is_broken
    assert not is_blocked(other, PUSHES[1], attended)
    assert not is_blocked(container, PUSHES[2], attended)
    assert not is_blocked(container, None, attended)


def test_without_a_commit_that_was_asked_for_the_newest_known_one_counts(
    make_step, make_container
):
    container = make_container("dns", {"project": "bind"})
    for newest in (None, PUSHES[1]):
        step = ended(make_step, Status.failed, Outcome.error, after=None)
        attended = [after_update(NOTHING, step, newest)]

        assert is_blocked(container, newest, attended)
        assert not is_blocked(container, PUSHES[2], attended)


def test_an_update_that_succeeds_forgets_what_was_broken(make_step):
    broken = after_update(NOTHING, ended(make_step, Status.timed_out), PUSHES[1])

    mended = after_update(broken, ended(make_step, Status.succeeded, Outcome.updated), None)

    assert (broken.broken is not None, mended.broken) == (True, None)


def test_what_never_ran_says_nothing(make_step):
    step = ended(make_step, Status.failed, Outcome.error, started_at=None, exit_code=None)

    assert after_update(NOTHING, step, PUSHES[1]) == NOTHING


def test_a_container_that_stopped_in_its_update_is_blocked_and_its_successor_is_not(
    make_step, make_container
):
    container = make_container("dns", {"project": "bind"})
    step = ended(
        make_step,
        Status.failed,
        Outcome.error,
        exit_code=None,
        after=PUSHES[1].after,
        container_id=container.id,
    )

    attended = [after_update(NOTHING, step, PUSHES[1])]

    assert attended[0].broken == Broken(PUSHES[1].after, container.id)
    assert is_blocked(container, PUSHES[1], attended)
    successor = make_container("dns", {"project": "bind"}, id="another")
    assert not is_blocked(successor, PUSHES[1], attended)


def test_a_container_catches_up_three_times_an_hour_at_most():
    attended, at, times = NOTHING, NOW, []
    for _ in range(7):
        at = may_catch_up_at(attended, at)
        times.append(at - NOW)
        attended = caught_up(attended, at)
        at += timedelta(minutes=1)

    minutes = [time.total_seconds() / 60 for time in times]
    assert minutes == [0, 1, 2, 60, 61, 62, 120]
    assert len(attended.catch_ups) <= 4


def test_a_catch_up_in_error_is_tried_again_twice_and_nothing_else_is(make_step):
    error = ended(make_step, Status.failed, Outcome.error, trigger=Trigger.catch_up)

    assert [tried_again_after(error, tries) for tries in range(3)] == [
        timedelta(minutes=2),
        timedelta(minutes=10),
        None,
    ]
    for trigger in set(Trigger) - {Trigger.catch_up}:
        step = ended(make_step, Status.failed, Outcome.error, trigger=trigger)
        assert tried_again_after(step, 0) is None
    for outcome in (Outcome.invalid, Outcome.behind, Outcome.retry):
        step = ended(make_step, Status.failed, outcome, trigger=Trigger.catch_up)
        assert tried_again_after(step, 0) is None
    gone = ended(
        make_step, Status.failed, Outcome.error, trigger=Trigger.catch_up, exit_code=None
    )
    assert tried_again_after(gone, 0) is None


@pytest.mark.parametrize(
    ("health", "seconds"), [("healthy", 5), ("starting", 30), (None, 30), ("unhealthy", 30)]
)
def test_a_start_is_looked_after_once_healthy_or_after_30_s(make_container, health, seconds):
    container = make_container(health=health)

    assert ready_at(container, NOW, NOW + timedelta(seconds=5)) == NOW + timedelta(
        seconds=seconds
    )


def test_an_interval_counts_from_the_last_time_also_where_the_clock_was_set_back():
    assert next_due(NOW, 3600, NOW + HOUR / 2) == NOW + HOUR
    assert next_due(None, 3600, NOW) == NOW + HOUR
    assert next_due(NOW + 5 * HOUR, 3600, NOW) == NOW + HOUR


@pytest.mark.parametrize(
    ("status", "outcome", "code", "is_validated"),
    [
        (Status.succeeded, Outcome.updated, 0, True),
        (Status.succeeded, Outcome.current, 0, True),
        (Status.succeeded, Outcome.unknown, 0, True),
        (Status.failed, Outcome.error, 1, True),
        (Status.failed, Outcome.behind, 0, True),
        (Status.timed_out, None, None, True),
        (Status.failed, Outcome.invalid, 65, False),
        (Status.failed, Outcome.retry, 75, False),
        (Status.failed, Outcome.error, None, False),
        (Status.cancelled, None, None, False),
        (Status.skipped, Outcome.current, None, False),
        (Status.superseded, None, None, False),
    ],
)
def test_a_container_is_validated_after_an_update_that_did_not_say_itself_that_it_is_invalid(
    make_step, status, outcome, code, is_validated
):
    step = ended(make_step, status, outcome, exit_code=code)

    assert to_validate(NOTHING, step, NOW).unvalidated == (NOW if is_validated else None)


def test_of_several_updates_the_last_one_counts_and_a_validation_ends_it(make_step):
    update = ended(make_step, Status.succeeded, Outcome.updated, exit_code=0)
    later = to_validate(to_validate(NOTHING, update, NOW), update, NOW + HOUR)
    retry = ended(make_step, Status.failed, Outcome.retry, exit_code=75)
    invalid = ended(make_step, Status.failed, Outcome.invalid, exit_code=65)
    told = {"action": Action.validate, "trigger": Trigger.schedule}
    valid = ended(make_step, Status.succeeded, Outcome.valid, exit_code=0, **told)
    gave_way = ended(make_step, Status.cancelled, reason=GAVE_WAY, exit_code=None, **told)

    assert later.unvalidated == NOW + HOUR
    assert to_validate(later, retry, NOW).unvalidated == NOW + HOUR
    assert to_validate(later, valid, NOW).unvalidated is None
    assert to_validate(later, invalid, NOW).unvalidated is None
    assert to_validate(NOTHING, gave_way, NOW).unvalidated == NOW
