"""What goes and what stays, whatever there is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config import Retention
from hookrunner.core.retention import Kept, Past, expired

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DAY = timedelta(days=1)

ages = st.lists(st.tuples(st.integers(0, 200), st.booleans(), st.integers(0, 50)), max_size=30)


@given(ages=ages, most=st.integers(0, 40), size=st.integers(0, 600), days=st.integers(1, 150))
def test_oldest_go_until_all_is_within_bounds_and_nothing_that_is_needed(
    ages, most, size, days
):
    told = sorted(ages, reverse=True)
    runs = [
        Past(id=f"{number:03}", created_at=NOW - DAY * age, is_needed=needed)
        for number, (age, needed, _) in enumerate(told)
    ]
    sizes = {run.id: bytes_ for run, (_, _, bytes_) in zip(runs, told, strict=True)}
    bounds = Retention(age=days * 86400.0, runs=most, size=size)

    gone, kept = expired(
        runs,
        Kept(runs=len(runs), size=sum(sizes.values())),
        bounds,
        sizes=sizes,
        now=NOW,
    )

    free = [run for run in runs if not run.is_needed]
    stays = [run for run in runs if run.id not in gone]
    assert gone == [run.id for run in free[: len(gone)]]
    assert kept == Kept(runs=len(stays), size=sum(sizes[run.id] for run in stays))
    if len(gone) < len(free):
        assert kept.runs <= most
        assert kept.size <= size
        assert all(NOW - run.created_at <= DAY * days for run in free[len(gone) :])
    if gone:
        last = next(run for run in runs if run.id == gone[-1])
        was = Kept(runs=kept.runs + 1, size=kept.size + sizes[last.id])
        too_many = was.runs > most or was.size > size
        assert too_many or NOW - last.created_at > DAY * days


def test_needed_runs_make_no_room_and_hold_nobody_back():
    runs = [Past(id=str(n), created_at=NOW, is_needed=n < 2) for n in range(4)]

    gone, kept = expired(runs, Kept(runs=4, size=0), Retention(runs=2), sizes={}, now=NOW)

    assert gone == ["2", "3"]
    assert kept.runs == 2
