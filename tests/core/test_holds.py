"""What a hold covers, and which releases end it."""

from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.core.holds import Hold, Holds, covered, released_by
from hookrunner.core.inventory import Inventory
from hookrunner.core.selection import Selector, find

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://git.example.net/ops/docker_bind.git"


@pytest.fixture
def look(make_container):
    """A function: the containers that a selector means."""
    inventory = Inventory()
    for name, image, project in (
        ("dns1", "ops/bind:1", "bind"),
        ("dns2", "ops/bind:1", "bind"),
        ("www", "ops/bind:1", "www"),
    ):
        keys = {"project": project, "git_repo": URL if project == "bind" else None}
        inventory.put(make_container(name, keys, image=image))
    return lambda selector: find(inventory, selector, ("docker_",))


def hold(kind, value, **more):
    return Hold(
        **{
            "id": f"{kind}:{value}",
            "selector": Selector(kind, value),
            "requested_by": "user ada",
            "created_at": NOW,
        }
        | more
    )


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (hold("project", "bind"), ["dns1", "dns2"]),
        (hold("project", "Bind"), ["dns1", "dns2"]),
        (hold("container", "www"), ["www"]),
        (hold("image", "ops/bind"), ["dns1", "dns2", "www"]),
        (hold("image", "ops/bind", scope="w*"), ["www"]),
        (hold("repository", "ops/docker_bind"), ["dns1", "dns2"]),
        (hold("repository", "ops/docker_bind", scope="www"), []),
    ],
)
def test_a_hold_covers_what_its_selector_means_within_its_scope(look, make_step, one, names):
    assert [container.name for container in covered(one, look)] == names
    places = Holds([one]).places(look)
    assert sorted(places) == [("local", name) for name in names]
    step = make_step("a", 1, "www", project="www")
    assert (Holds([one]).of_step(step, places) is one) == ("www" in names)


@pytest.mark.parametrize("kind", ["project", "container", "image", "repository"])
def test_a_container_that_is_not_there_is_held_by_what_its_step_knows(make_step, kind):
    step = make_step("a", 1, "dns9", repository="git.example.net/ops/docker_bind")
    value = {
        "project": "bind",
        "container": "dns9",
        "image": "ops/bind",
        "repository": "ops/docker_bind",
    }[kind]

    assert Holds([hold(kind, value)]).of_step(step, {})
    assert not Holds([hold(kind, "other")]).of_step(step, {})
    assert not Holds([hold(kind, value, scope="www")]).of_step(step, {})


def test_a_hold_ends_by_itself_when_its_time_is_over():
    short = hold("project", "bind", until=NOW + timedelta(hours=2))
    holds = Holds([short, hold("project", "www")])

    assert holds.next_end() == NOW + timedelta(hours=2)
    assert holds.over(NOW + timedelta(hours=1)) == []
    assert holds.over(NOW + timedelta(hours=2)) == [short]


def test_of_two_holds_the_one_that_lasts_longer_is_told(look):
    short = hold("project", "bind", until=NOW + timedelta(hours=2))
    for longer in (
        hold("container", "dns1", until=NOW + timedelta(hours=3)),
        hold("container", "dns1"),
    ):
        for order in ([short, longer], [longer, short]):
            assert Holds(order).places(look)["local", "dns1"] is longer


@pytest.mark.parametrize(
    ("held", "released", "scope", "is_released"),
    [
        (("project", "bind"), ("project", "bind"), "*", True),
        (("container", "dns1"), ("project", "bind"), "*", True),
        (("project", "bind"), ("container", "dns1"), "*", False),
        (("project", "bind"), ("project", "bind"), "bi*", True),
        (("project", "bind"), ("project", "bind"), "www", False),
        (("image", "ops/bind"), ("image", "ops/bind"), "www", False),
        (("project", "gone"), ("project", "gone"), "*", True),
        (("container", "gone"), ("container", "gone"), "www", False),
        (("container", "gone"), ("project", "bind"), "*", False),
    ],
)
def test_a_release_ends_what_it_covers_whole_and_may_touch(
    look, held, released, scope, is_released
):
    one = hold(*held)

    found = released_by(Selector(*released), [one], look, scope=scope)

    assert found == ([one] if is_released else [])


def test_whoever_placed_a_hold_may_release_it(look):
    one = hold("image", "ops/bind", scope="www")

    assert released_by(one.selector, [one], look, scope="www") == [one]
