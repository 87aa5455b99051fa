"""Older pushes are told from newer ones, whatever the order in which they arrive."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from hookrunner.core.history import KEPT_PER_REF, History, KnownPush

NOW = datetime(2026, 11, 23, tzinfo=UTC)
KEY, REF = "git.example.net/ops/x", "refs/heads/main"
A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40


def push(number, before, after, *commits):
    return KnownPush(
        id=f"{number:04}",
        repository=KEY,
        ref=REF,
        received_at=NOW,
        before=before,
        after=after,
        commits=commits,
    )


def order(*pushes):
    return [one.after for one in History(pushes).of(KEY, REF)]


def test_pushes_in_order_stay_in_order():
    assert order(push(1, None, A), push(2, A, B), push(3, B, C)) == [A, B, C]


def test_a_push_that_comes_late_is_put_before_its_successor():
    assert order(push(1, B, C), push(2, A, B)) == [B, C]
    assert order(push(1, C, D), push(2, B, C), push(3, A, B)) == [B, C, D]


def test_going_back_ends_at_the_commit_that_was_gone_back_to():
    assert order(push(1, None, A), push(2, A, B), push(3, B, A)) == [A, B, A]


def test_what_the_chain_does_not_tell_is_told_by_first_receipt():
    assert order(push(1, A, B), push(2, C, D)) == [B, D]


def test_a_redelivery_changes_nothing():
    first = push(1, A, B)

    assert order(first, push(2, B, C), first) == [B, C]


def test_the_newest_is_last_in_any_order_of_two_neighbours():
    pushes = [push(1, A, B), push(2, B, C)]

    assert {order(*mixed)[-1] for mixed in permutations(pushes)} == {C}


@pytest.mark.parametrize(
    ("gitref", "after", "serves"),
    [
        (B, B, True),
        (C, B, True),
        (D, B, True),
        (A, B, False),
        (B, C, False),
        (None, B, False),
        (B, None, False),
        ("e" * 40, B, False),
    ],
)
def test_a_commit_of_a_newer_push_serves_an_older_one(gitref, after, serves):
    history = History([push(1, None, A), push(2, A, B), push(3, B, C, D, C)])

    assert history.serves(gitref, KEY, REF, after) is serves


def test_after_going_back_the_commit_in_between_does_not_serve():
    history = History([push(1, None, A), push(2, A, B), push(3, B, A)])

    assert not history.serves(B, KEY, REF, A)
    assert history.is_older(KEY, REF, B, A)


def test_only_so_many_are_remembered():
    history = History(push(n, None, f"{n:040}") for n in range(KEPT_PER_REF + 5))

    assert len(history.of(KEY, REF)) == KEPT_PER_REF


def test_three_pushes_end_in_the_chains_order_however_they_arrive():
    pushes = [push(1, A, B), push(2, B, C), push(3, C, D)]

    orders = {mixed: order(*mixed) for mixed in permutations(pushes)}

    assert set(map(tuple, orders.values())) == {(B, C, D)}, orders


def test_going_back_to_before_the_first_known_push_is_newest():
    assert order(push(1, A, B), push(2, B, C), push(3, C, A)) == [B, C, A]


def test_a_deleted_ref_that_is_made_again_goes_on_at_the_end():
    assert order(push(1, A, B), push(2, B, None), push(3, None, C)) == [B, None, C]
