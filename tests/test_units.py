"""Ids that sort by their making, whatever the clock does."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.units import new_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(jumps=st.lists(st.integers(-7_200_000, 7_200_000), min_size=2))
def test_ids_sort_in_the_order_of_their_making_also_where_the_clock_is_set(jumps):
    ids = [""]
    at = NOW

    for jump in jumps:
        at += timedelta(milliseconds=jump)
        ids.append(new_id(at, after=ids[-1]))

    assert ids == sorted(set(ids))
    assert {len(one) for one in ids[1:]} == {26}


def test_an_id_tells_the_time_where_the_clock_goes_on():
    first = new_id(NOW)
    second = new_id(NOW + timedelta(hours=2), after=first)

    assert first[:6] == new_id(NOW)[:6] < second[:6]
    assert second[:9] == new_id(NOW + timedelta(hours=2))[:9]
