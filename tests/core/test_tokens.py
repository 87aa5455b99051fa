"""What a token's pattern covers."""

import pytest

from hookrunner.core.tokens import reaches, reaches_all


@pytest.mark.parametrize(
    ("pattern", "project", "fits"),
    [
        ("*", "bind", True),
        ("*", "", True),
        ("bind", "bind", True),
        ("bind", "Bind", False),
        ("bind", "bind2", False),
        ("web-*", "web-1", True),
        ("web-*", "web", False),
        ("bind, web-*", "web-1", True),
        ("bind,web-*", "dns", False),
        ("web-*", "", False),
        ("**", "", False),
        ("?*", "x", True),
    ],
)
def test_a_pattern_covers_what_it_names(pattern, project, fits):
    assert reaches(pattern, project) == fits


def test_all_is_said_by_a_star_alone():
    assert reaches_all("*")
    assert reaches_all("bind, *")
    assert not reaches_all("**")
    assert not reaches_all("web-*,bind")
