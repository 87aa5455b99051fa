"""The gate's own file: what it may say, and where it is wrong."""

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from hookrunner.config import Commands, keys
from hookrunner.config.gate import Gate, Shown, loads
from hookrunner.errors import ConfigError
from hookrunner.model import Action


def test_an_empty_file_is_the_defaults():
    assert loads("", name="gate.yaml") == Gate()
    assert Gate().actions == frozenset(Action)
    assert Gate().shows(["anything"], {})


def test_everything_can_be_said():
    gate = loads(
        """
engine: unix:///run/podman/podman.sock
listen: unix:///run/x/engine.sock
group: hookrunner
actions: [validate]
memory: /run/x/execs
containers:
  - www-*
  - {name: "dns-?", label: hookrunner.project=dns}
  - label: hookrunner.project
commands:
  nginx: {update: [git, -C, /srv, pull], user: www-data}
log: {level: debug}
""",
        name="gate.yaml",
    )

    assert gate.listen.path == "/run/x/engine.sock"
    assert gate.actions == {Action.validate}
    assert gate.containers == (
        Shown(name="www-*"),
        Shown(name="dns-?", label="hookrunner.project=dns"),
        Shown(label="hookrunner.project"),
    )
    assert gate.commands == {
        "nginx": Commands(update=("git", "-C", "/srv", "pull"), user="www-data")
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("engin: x", "gate.yaml:1:1: unknown key `engin` (did you mean `engine`?)"),
        ("engine: ssh://host", "gate.yaml:1:9: `engine` must begin with unix:// or tcp://"),
        ("listen: 0.0.0.0:2375", "gate.yaml:1:9: `listen` must be a socket"),
        (
            "actions: [restart]",
            "gate.yaml:1:11: item 1 of `actions` must be update or validate",
        ),
        ("actions: []", "gate.yaml:1:10: `actions` must not be empty"),
        ("containers: [{}]", "gate.yaml:1:14: item 1 of `containers` says nothing"),
        ("containers: ['a b']", "gate.yaml:1:14: item 1 of `containers` must be a pattern"),
        ("containers: [{label: =x}]", "gate.yaml:1:22: `label` must be a label's name"),
        ("commands:\n  x: {update: git pull}", "gate.yaml:2:15: `update` must be a list"),
        ("commands:\n  x: {timeout: 5m}", "gate.yaml:2:7: unknown key `timeout`"),
        ("group: a:b", "gate.yaml:1:8: `group` must be a group's name or number"),
        ("memory: execs", "gate.yaml:1:9: `memory` must be an absolute path"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, message):
    with pytest.raises(ConfigError) as caught:
        loads(text, name="gate.yaml")

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("rule", "names", "labels", "fits"),
    [
        (Shown(name="www-*"), ["www-1"], {}, True),
        (Shown(name="www-*"), ["WWW-1"], {}, False),
        (Shown(name="www-*"), ["xwww-1"], {}, False),
        (Shown(name="www-*"), [], {}, False),
        (Shown(label="a"), ["x"], {"a": ""}, True),
        (Shown(label="a"), ["x"], {"b": "a"}, False),
        (Shown(label="a=1*"), ["x"], {"a": "12"}, True),
        (Shown(label="a=1*"), ["x"], {"a": "21"}, False),
        (Shown(label="a="), ["x"], {"a": "1"}, False),
        (Shown(name="w*", label="a"), ["www"], {"a": ""}, True),
        (Shown(name="w*", label="a"), ["www"], {}, False),
        (Shown(name="w*", label="a"), ["x"], {"a": ""}, False),
    ],
)
def test_all_that_a_rule_says_must_fit(rule, names, labels, fits):
    assert rule.fits(names, labels) is fits


def test_the_example_is_the_defaults_with_every_key():
    text = (Path(__file__).parents[2] / "config" / "gate.yaml").read_text()

    shown = loads(re.sub(r"(?m)^# ", "", text), name="gate.yaml")

    assert loads(text, name="gate.yaml") == Gate()
    assert shown.commands == {"nginx": Commands()}
    assert replace(shown, commands={}) == Gate()
    for key in keys(Gate):
        assert re.search(rf"^# {key}:", text, re.MULTILINE)
