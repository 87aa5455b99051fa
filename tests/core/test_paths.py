"""Patterns for the files that a push touches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.paths import touches

segments = st.text("ab.-_", min_size=1, max_size=4)
paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("zones/a", "zones/a", True),
        ("zones/a", "zones/ab", False),
        ("zones", "zones/deep/a", True),
        ("zones/", "zones/a", True),
        ("/zones", "zones/a", True),
        ("zones", "other/zones/a", False),
        ("zones/*", "zones/a", True),
        ("*.conf", "named.conf", True),
        ("*.conf", "etc/named.conf", False),
        ("**/*.conf", "named.conf", True),
        ("**/*.conf", "etc/bind/named.conf", True),
        ("zones/**", "zones/a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("zone?", "zone1", True),
        ("zone?", "zone", False),
        ("**", "anything/at/all", True),
        ("Zones/*", "zones/a", False),
    ],
)
def test_a_pattern_covers_what_it_says(pattern, path, fits):
    assert touches([path], [pattern]) is fits


@given(paths)
def test_a_path_its_directories_and_two_stars_cover_it(path):
    directories = [path[:at] for at, char in enumerate(path) if char == "/"]

    assert all(touches([path], [pattern]) for pattern in (path, "**", *directories))


def test_one_path_and_one_pattern_of_many_are_enough():
    assert touches(["README", "zones/a"], ["docs/*", "zones/*"])


def test_nothing_touches_nothing():
    assert not touches([], ["**"])
    assert not touches(["a"], [])


def test_many_stars_do_not_take_for_ever():
    assert not touches(["a/" * 400 + "a"], ["/".join(["**", "a"] * 40) + "/b"])
