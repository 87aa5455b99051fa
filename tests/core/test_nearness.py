"""The container that a push may have been meant for, by its name alone."""

import pytest

from hookrunner.config import Config
from hookrunner.core.history import History
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.nearness import closest
from hookrunner.model import Push


@pytest.fixture
def near(make_container):
    """A function: what is said of a push, among containers with these keys by name."""

    def look(repository, **containers):
        inventory = Inventory()
        for name, keys in containers.items():
            inventory.put(make_container(name, keys))
        known = Known(config=Config(), inventory=inventory, history=History(), bindings={})
        return closest(Push(repository=repository, ref="refs/heads/main"), known)

    return look


def test_the_most_alike_is_named_with_what_it_says_of_itself(near):
    url = "https://git.example.net/web/rbldnsd.git"

    told = near("ops/docker_rbldns", a={"project": "bind"}, b={"project": "x", "git_repo": url})

    assert told == f"the closest by name is b: its project is x, its git_repo is {url}"


def test_a_container_that_says_nothing_may_still_have_the_name(near):
    assert near("ops/www", www={}) == (
        "the closest by name is www: it names neither project nor git_repo"
    )


def test_what_is_not_alike_is_not_named(near):
    assert near("ops/www", dns={"project": "bind"}) is None
    assert near("ops/www") is None
