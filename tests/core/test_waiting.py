"""The steps that wait: in order, and found by id and by line whatever was done to them."""

import nouns
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.waiting import Waiting, line_of
from hookrunner.model import Action

NAMES = [f"r{number}" for number in range(6)]
DOINGS = st.lists(
    st.tuples(
        st.sampled_from(["put", "take_place", "remove"]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(["dns", "mail"]),
        st.sampled_from([Action.update, Action.validate]),
    ),
    max_size=30,
)


@given(DOINGS)
def test_it_is_a_list_in_which_steps_keep_their_places(doings):
    waiting, model = Waiting(), []
    for what, run, other, container, action in doings:
        step = nouns.make_step(run, 1, container, action=action)
        known = {one.id: one for one in model}
        if what == "remove":
            waiting.remove(step.id)
            model = [one for one in model if one.id != step.id]
        elif what == "put" and step.id not in known:
            waiting.put(step)
            model.append(step)
        elif what == "put":
            again = nouns.make_step(
                run, 1, known[step.id].container, action=known[step.id].action, force=True
            )
            waiting.put(again)
            model[model.index(known[step.id])] = again
        elif f"{other}-1" in known and step.id not in known:
            old = known[f"{other}-1"]
            new = nouns.make_step(run, 1, old.container, action=old.action)
            waiting.take_place(old, new)
            model[model.index(old)] = new

        assert list(waiting.values()) == model
        assert list(waiting) == [one.id for one in model]
        assert [waiting[one.id] for one in model] == model
        assert len(waiting) == len(model)
        assert (step.id in waiting) is any(one.id == step.id for one in model)
        rivals = [
            one for one in model if (line_of(one), one.action) == (line_of(step), step.action)
        ]
        assert waiting.rivals(step) == rivals
