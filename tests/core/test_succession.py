"""Who took whose place in the end, over one or many others."""

import nouns
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hookrunner.core.succession import ends_of


@given(st.lists(st.integers(min_value=1, max_value=9) | st.none(), max_size=12))
def test_each_step_ends_where_one_comes_by_going_from_one_to_the_next(leaps):
    steps = [nouns.make_step(str(number), 1, "dns") for number in range(len(leaps))]
    known = {}
    for number, (step, leap) in enumerate(zip(steps, leaps, strict=True)):
        taker = None if leap is None else f"{number + leap}-1"  # of some, nothing is known
        known[step.id] = replace(step, superseded_by=taker)

    def walked(step_id):
        while (then := known[step_id].superseded_by) in known:
            step_id = then
        return step_id

    expected = {step_id: walked(step_id) for step_id in known}
    assert ends_of(known) == expected
    for step_id in known:
        assert ends_of(known, step_id)[step_id] == expected[step_id]
