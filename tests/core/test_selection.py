"""Which containers a person means."""

import pytest

from hookrunner.config import Config
from hookrunner.core.history import History
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.repository import host_aliases
from hookrunner.core.selection import Selector, parse_selector, select, written_selector
from hookrunner.errors import UsageError

URL = "https://git.example.net/ops/docker_bind.git"
IDS = {"dns": "d" * 64, "web": "f" * 64, "old": "0" * 64, "hub": "1" * 64, "none": "2" * 64}


@pytest.fixture
def known(make_container):
    inventory = Inventory(host_aliases({"git.example.net": ["gitea"]}))
    for name, image, keys in (
        ("dns", "ops/bind", {"project": "bind", "git_repo": URL}),
        ("web", "hub/web:2", {"project": "www", "image_name": "ops/www"}),
        ("old", "hub/web:1", {"project": "www"}),
        ("hub", "hub:5000/web@sha256:9", {}),
        ("none", "busybox", {"project": "zone", "git_repo": "git@other.net:x/y"}),
    ):
        inventory.put(make_container(name, keys, image=image, id=IDS[name]))
    inventory.put(make_container("dns", {"project": "bind"}, engine="far", id="e" * 64))
    return Known(config=Config(), inventory=inventory, history=History(), bindings={})


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("project", "bind", ["far/dns", "local/dns"]),
        ("project", "BIND", ["far/dns", "local/dns"]),
        ("project", "www", ["local/old", "local/web"]),
        ("project", "ww", []),
        ("repository", URL, ["local/dns"]),
        ("repository", "git@gitea:ops/docker_bind", ["local/dns"]),
        ("repository", "ops/docker_bind", ["local/dns"]),
        ("repository", "docker_bind", ["local/dns"]),
        ("repository", "git.example.net/ops/docker_bind", ["local/dns"]),
        ("repository", "https://evil.net/ops/docker_bind", []),
        ("repository", "bind", []),
        ("repository", "ops/docker_www", ["local/old", "local/web"]),
        ("repository", "ops/docker_zone", []),
        ("container", "web", ["local/web"]),
        ("container", "dns", ["far/dns", "local/dns"]),
        ("container", "far/dns", ["far/dns"]),
        ("container", "f" * 12, ["local/web"]),
        ("container", "f" * 11, []),
        ("image", "hub/web", ["local/old", "local/web"]),
        ("image", "hub/web:2", ["local/web"]),
        ("image", "hub/web:3", []),
        ("image", "HUB/web:1", ["local/old"]),
        ("image", "ops/bind:latest", ["local/dns"]),
        ("image", "ops/www", ["local/web"]),
        ("image", "hub:5000/web", ["local/hub"]),
        ("image", "hub", []),
    ],
)
def test_a_selector_finds_what_it_says(known, kind, value, found):
    if (kind, value) == ("repository", "bind"):
        found = ["far/dns"]  # names no repository, and its project is the one of that name

    containers, _ = select(
        known.inventory, Selector(kind, value), known, may_reach=lambda _: True
    )

    assert [f"{c.engine}/{c.name}" for c in containers] == found


@pytest.mark.parametrize("project", ["bind", "bin"])
def test_what_may_not_be_touched_is_neither_found_nor_told(known, project):
    found, near = select(
        known.inventory, Selector("project", project), known, may_reach=lambda _: False
    )

    assert (found, near) == ([], [])


def test_near_misses_say_how_they_are_named(known):
    _, near = select(
        known.inventory, Selector("project", "bin"), known, may_reach=lambda _: True
    )

    assert {verdict.container for verdict in near} == {"dns"}
    assert near[0].remedy == "name it: container:dns"
    assert not near[0].target


@pytest.mark.parametrize("told", [{}, {"project": ""}, {"project": "a", "image": "b"}])
def test_exactly_one_is_to_be_named(told):
    with pytest.raises(UsageError, match="exactly one"):
        parse_selector(told)


def test_a_selector_is_written_as_it_is_read():
    assert str(parse_selector({"project": "bind"})) == "bind"
    assert str(parse_selector({"repository": "ops/x", "image": None})) == "repository:ops/x"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("dns", "project", "dns"),
        ("repository:ops/bind", "repository", "ops/bind"),
        ("container:host/web-1", "container", "host/web-1"),
        ("image:registry:5000/dns:1.2", "image", "registry:5000/dns:1.2"),
        ("odd:name", "project", "odd:name"),
    ],
)
def test_a_selector_is_read_as_people_write_it(text, kind, value):
    assert written_selector(text) == Selector(kind, value)


@pytest.mark.parametrize("text", ["", " ", "container:", "image: "])
def test_a_selector_names_something(text):
    with pytest.raises(UsageError, match="names nothing"):
        written_selector(text)
