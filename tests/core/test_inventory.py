"""After any order of events the inventory is that of a fresh listing."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config import Config
from hookrunner.core.history import History, known_push
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.selection import Selector, select
from hookrunner.core.standing import standing
from hookrunner.model import Push

NOW = datetime(2026, 11, 23, tzinfo=UTC)
URL = "https://git.example.net/ops/bind"
KEY = "git.example.net/ops/bind"
A, B, C = "a" * 40, "b" * 40, "c" * 40
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


def known(inventory, *pushes):
    history = History(
        known_push(
            Push(repository="ops/bind", ref="refs/heads/main", **push),
            key=KEY,
            push_id=f"{n:03}",
            delivery="d",
            at=NOW,
        )
        for n, push in enumerate(pushes)
    )
    return Known(config=Config(), inventory=inventory, history=history, bindings={})


def test_names_that_repeat_are_told_with_their_host(make_container):
    inventory = Inventory()
    inventory.put(make_container("dns"))
    assert inventory.label("local", "dns") == "dns"

    inventory.put(make_container("dns", engine="other"))
    assert inventory.label("local", "dns") == "local/dns"


def test_a_container_is_behind_until_it_serves_the_last_push(make_container):
    keys = {"git_repo": URL, "gitref": A, "git_branch": "main"}
    inventory = Inventory()
    pushes = [{"before": A, "after": B, "paths": ("zone",)}]
    where = known(inventory, *pushes)

    def stands(**more):
        container = make_container("dns", keys, **more)
        inventory.put(container)
        return standing(container, where)

    assert stands(current_gitref=A).behind is True
    assert stands(current_gitref=B).behind is False
    assert stands(current_gitref=B, dirty=True).behind is True
    assert stands(current_gitref=None).behind is None
    assert stands(current_gitref=A).pushed_gitref == B
    assert stands(current_gitref=A).image_behind is False


def test_a_push_that_touches_the_dockerfile_makes_the_image_outdated(make_container):
    inventory = Inventory()
    container = make_container("dns", {"git_repo": URL, "gitref": A, "git_branch": "main"})
    inventory.put(container)

    where = known(inventory, {"before": A, "after": B, "paths": ("Dockerfile",)})

    assert standing(container, where).image_behind is True


def test_without_a_known_push_nobody_can_say(make_container):
    inventory = Inventory()
    container = make_container("dns", {"git_repo": URL}, current_gitref=A)
    inventory.put(container)

    assert standing(container, known(inventory)).behind is None


def test_selectors_find_what_people_mean(make_container):
    inventory = Inventory()
    inventory.put(make_container("dns-1", {"project": "bind", "git_repo": URL}))
    inventory.put(make_container("web", {"project": "www"}, id="f" * 64, image="hub/web:1"))
    where = known(inventory)

    def found(kind, value, may_reach=lambda _: True):
        containers, _ = select(inventory, Selector(kind, value), where, may_reach=may_reach)
        return [container.name for container in containers]

    assert found("project", "bind") == ["dns-1"]
    assert found("repository", "ops/bind") == found("repository", URL) == ["dns-1"]
    assert found("container", "local/web") == found("container", "f" * 12) == ["web"]
    assert found("image", "hub/web") == found("image", "hub/web:1") == ["web"]
    assert found("project", "bind", lambda _: False) == []
    _, near = select(inventory, Selector("project", "bin"), where, may_reach=lambda _: True)
    assert [verdict.container for verdict in near] == ["dns-1"]


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
