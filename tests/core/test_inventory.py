"""After any order of events the inventory is that of a fresh listing, names included."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.inventory import Inventory

NOW = datetime(2026, 11, 23, tzinfo=UTC)
URL = "https://git.example.net/ops/bind"
KEY = "git.example.net/ops/bind"
A, B = "a" * 40, "b" * 40
WORDS = [("repository", KEY), ("path", "ops/bind"), ("project", "p1"), ("gitref", A)]
WORDS += [("name", "n1"), ("image", "hub/bind")]


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "3"]),
            st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    {},
                    optional={
                        "project": st.sampled_from(["p1", "P1", "p2"]),
                        "gitref": st.sampled_from([A, B]),
                        "git_repo": st.sampled_from([URL, "git@other:x/y", "nonsense"]),
                    },
                ),
            ),
            st.sampled_from(["n1", "n2"]),
        )
    )
)
def test_the_indexes_are_those_of_a_fresh_listing(make_container, events):
    inventory, left = Inventory(), {}
    for place, keys, name in events:
        if keys is None:
            inventory.remove("local", place)
            left.pop(place, None)
        else:
            left[place] = make_container(name, keys, id=place)
            inventory.put(left[place])
    fresh = Inventory()
    for container in left.values():
        fresh.put(container)

    for kind, word in WORDS:
        found = {container.id for container in inventory.find(kind, [word])}
        assert found == {container.id for container in fresh.find(kind, [word])}
    assert {c.id for c in inventory} == set(left)


def test_names_that_repeat_are_told_with_their_host(make_container):
    inventory = Inventory()
    inventory.put(make_container("dns"))
    assert inventory.label("local", "dns") == "dns"

    inventory.put(make_container("dns", engine="other"))
    assert inventory.label("local", "dns") == "local/dns"


def test_a_name_leads_to_whoever_has_it_also_after_another_had_it(make_container):
    inventory = Inventory()
    old = make_container("dns", id="old")
    new = make_container("dns", id="new", created_at=NOW.replace(year=2027))
    for container in (new, old):
        inventory.put(container)

    assert inventory.named("local", "dns") == new

    inventory.remove("local", "new")

    assert inventory.named("local", "dns") == old
    assert inventory.named("other", "dns") is None
