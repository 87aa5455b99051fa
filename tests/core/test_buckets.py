"""Counting events in a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.buckets import Buckets


def test_a_full_bucket_has_room_again_after_a_while():
    buckets = Buckets(3, 30.0)
    for _ in range(3):
        assert buckets.wait("a", 100.0) == 0
        buckets.add("a", 100.0)

    assert buckets.wait("a", 100.0) == pytest.approx(10.0)
    assert buckets.wait("a", 109.0) == pytest.approx(1.0)
    assert buckets.wait("a", 110.0) == 0
    assert buckets.wait("b", 100.0) == 0


@given(st.lists(st.floats(0, 50), max_size=60), st.integers(1, 5))
def test_never_more_than_the_count_and_what_leaks_get_in(gaps, count):
    buckets, now, taken = Buckets(count, 10.0), 0.0, 0
    for gap in gaps:
        now += gap
        if buckets.wait("a", now) == 0:
            buckets.add("a", now)
            taken += 1

    assert taken <= count + now * count / 10.0 + 1e-6


def test_somebody_else_is_forgotten_before_memory_runs_out():
    buckets = Buckets(1, 1e6)
    for number in range(20_000):
        buckets.add(str(number), 0.0)

    assert len(buckets._levels) == 10_000
    assert buckets.wait("19999", 0.0) > 0
