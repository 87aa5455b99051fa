"""Who has to let go."""

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.shares import Shares


def test_who_holds_most_lets_go_of_the_oldest_that_may_be_taken():
    shares = Shares()
    for owner, thing, size in [("a", 1, 5), ("b", 2, 4), ("a", 3, 1), ("b", 4, 1), ("a", 1, 1)]:
        shares.grow(owner, thing, size)

    assert shares.victim() == ("a", 1)
    shares.keep(1)
    assert shares.victim() == ("a", 3)
    shares.keep(3)
    assert shares.victim() == ("b", 2)
    shares.unkeep(1)
    assert shares.victim() == ("a", 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans())))
def test_the_total_is_what_is_held(events):
    shares, held = Shares(), {}
    for owner, thing, grows in events:
        if grows:
            shares.grow(owner, (owner, thing), thing)
            held[owner, thing] = held.get((owner, thing), 0) + thing
        else:
            shares.drop(owner, (owner, thing))
            held.pop((owner, thing), None)

        assert shares.total == sum(held.values())
        assert (shares.victim() is None) == (not held)
