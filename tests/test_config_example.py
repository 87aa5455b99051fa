"""The example that is shipped says the defaults."""

import re
from pathlib import Path

import msgspec

from hookrunner.config import (
    DEFAULT_ENGINE,
    DEFAULT_STATE,
    Chat,
    Config,
    Event,
    Project,
    loads,
)

EXAMPLE = Path(__file__).parents[1] / "config" / "hookrunner.yaml"


NAME = "hookrunner.yaml"


def load(text: str) -> Config:
    return loads(text, name=NAME)


def test_example_as_shipped_is_the_defaults():
    assert load(EXAMPLE.read_text()) == Config()


def test_example_without_its_comment_signs_shows_the_defaults():
    text = re.sub(r"(?m)^# ", "", EXAMPLE.read_text())

    config = load(text)

    assert config.state == DEFAULT_STATE
    assert config.engines == {"local": DEFAULT_ENGINE}
    assert list(config.projects.values()) == [Project()]
    assert {one.events for one in config.notify.values()} == {frozenset(Event)}
    assert {one.projects for one in config.notify.values()} == {("*",)}
    assert {one.stream for one in config.sources.values()} == {False}
    entries = {"sources": {}, "notify": {}, "projects": {}, "state": None, "engines": {}}
    entries |= {"tls": None, "chat": Chat()}
    assert msgspec.structs.replace(config, **entries) == Config()


def test_example_has_no_line_without_a_comment_sign():
    assert all(
        line.startswith(("# ", "##")) or not line for line in EXAMPLE.read_text().split("\n")
    )
